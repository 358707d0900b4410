import { useEffect, useState } from "react";
import type { PendingTransaction } from "../../api/index.ts";
import { useMoment, usePage } from "../state/context.ts";
import { coins, shortAddress, shortId } from "../state/format.ts";
import { accountHref, txHref } from "../state/route.ts";
import { pendingAt } from "../state/store.ts";
import { NodeTag } from "./node-tag.tsx";

const ASK_EVERY_MS = 2_000;
const MAX_SHOWN = 40;

/** Pending transactions of one node, asked for while the page is live. */
function usePending(n: number, isAsking: boolean): readonly PendingTransaction[] | undefined {
  const { actions } = usePage();
  const [pending, setPending] = useState<{ n: number; items: readonly PendingTransaction[] }>();
  useEffect(() => {
    if (!isAsking || actions === undefined) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const page = await actions
        .node(n)
        .mempool({ limit: MAX_SHOWN, signal: stop.signal })
        .catch(() => undefined);
      if (stop.signal.aborted) return;
      setPending(page === undefined ? undefined : { n, items: page.items });
      timer = setTimeout(() => void ask(), ASK_EVERY_MS);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [actions, n, isAsking]);
  return pending?.n === n ? pending.items : undefined;
}

/** What waits to be mined: of the moment shown the counts, and while live one node's list. */
export function Mempool() {
  const moment = useMoment();
  const { model, isLive, connection } = moment;
  const nodes = model.nodes.map(({ n }) => n);
  const [chosen, setChosen] = useState(1);
  const isAsking = isLive && connection.state === "live";
  const pending = usePending(chosen, isAsking);
  const most = Math.max(1, ...nodes.map((n) => pendingAt(moment, n)?.transactions ?? 0));
  return (
    <section className="panel mempool" aria-labelledby="mempool-title">
      <h2 id="mempool-title">
        Mempool
        {nodes.length > 1 && isAsking && (
          <label>
            <span className="muted">at</span>
            <select value={chosen} onChange={({ target }) => setChosen(Number(target.value))}>
              {nodes.map((n) => (
                <option key={n} value={n}>
                  {model.nameOf(n)}
                </option>
              ))}
            </select>
          </label>
        )}
      </h2>
      <ul className="bars">
        {nodes.slice(0, 12).map((n) => {
          const transactions = pendingAt(moment, n)?.transactions ?? 0;
          return (
            <li key={n}>
              <NodeTag n={n} />
              <span className="bar">
                <span style={{ width: `${(transactions / most) * 100}%` }} />
              </span>
              <span className="number">{transactions}</span>
            </li>
          );
        })}
      </ul>
      {pending !== undefined && pending.length > 0 && (
        <table className="grid">
          <thead>
            <tr>
              <th scope="col">transaction</th>
              <th scope="col">from</th>
              <th scope="col">to</th>
              <th scope="col" className="number">
                amount
              </th>
            </tr>
          </thead>
          <tbody>
            {pending.map(({ id, sender, to, amount, ready }) => (
              <tr key={id} className={ready ? undefined : "is-gone"}>
                <td>
                  <a href={txHref(id)}>
                    <code>{shortId(id)}</code>
                  </a>
                </td>
                <td>
                  <a href={accountHref(sender)}>{shortAddress(sender)}</a>
                </td>
                <td>
                  <a href={accountHref(to)}>{shortAddress(to)}</a>
                </td>
                <td className="number">{coins(amount)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pending !== undefined && pending.length === 0 && (
        <p className="muted empty">Nothing is pending at {model.nameOf(chosen)}.</p>
      )}
      {!isAsking && (
        <p className="muted empty">
          Counts at each node's last head before this moment; the list is kept by nobody.
        </p>
      )}
    </section>
  );
}
