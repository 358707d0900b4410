import type { AccountHistory, AccountStatus } from "../../api/index.ts";
import { NodeTag } from "../panels/node-tag.tsx";
import { clock, coins, shortAddress, shortId } from "../state/format.ts";
import { accountHref, blockHref, txHref } from "../state/route.ts";
import { type Answered, useAllAsked } from "../state/use-asked.ts";
import { Missing, PageFrame } from "./page-frame.tsx";

const MAX_ITEMS = 100;

interface Account {
  readonly status: AccountStatus;
  /** Undefined at a node that keeps none. */
  readonly history: AccountHistory | undefined;
}
type Known = Extract<Answered<Account>, { answer: Account }>;

const DIRECTIONS = {
  in: "received from",
  out: "sent to",
  self: "sent to itself",
  reward: "reward",
  allocation: "allocated in genesis",
};

function History({ history }: { readonly history: AccountHistory }) {
  return (
    <table className="grid">
      <thead>
        <tr>
          <th scope="col">height</th>
          <th scope="col">time</th>
          <th scope="col">what</th>
          <th scope="col">transaction</th>
          <th scope="col" className="number">
            amount
          </th>
        </tr>
      </thead>
      <tbody>
        {history.items.map(({ direction, transaction, counterpart, amount, height, block, timestampMs }) => (
          <tr key={`${block} ${transaction ?? direction} ${direction}`}>
            <td>
              <a href={blockHref(block)}>{height.toLocaleString("en")}</a>
            </td>
            <td className="number">{clock(timestampMs)}</td>
            <td>
              {DIRECTIONS[direction]}{" "}
              {counterpart !== null && <a href={accountHref(counterpart)}>{shortAddress(counterpart)}</a>}
            </td>
            <td>
              {transaction === null ? (
                "–"
              ) : (
                <a href={txHref(transaction)}>
                  <code>{shortId(transaction)}</code>
                </a>
              )}
            </td>
            <td className={`number ${direction === "out" ? "out" : "in"}`}>
              {direction === "out" ? "−" : "+"}
              {coins(amount)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** One account: what each node says it has, and what happened to it by the first of them. */
export function AccountPage({ address }: { readonly address: string }) {
  const answers = useAllAsked(`account ${address}`, async (client, signal): Promise<Account> => {
    const [status, history] = await Promise.all([
      client.account(address, { signal }),
      client.accountHistory(address, { limit: MAX_ITEMS, signal }).catch(() => undefined),
    ]);
    return { status, history };
  });
  const known = (answers ?? []).filter((each): each is Known => "answer" in each);
  const first = known[0]?.answer;
  if (first === undefined) return <Missing title="Account" answers={answers} />;
  const history = known.find(({ answer }) => answer.history !== undefined);
  return (
    <PageFrame kind="Account" title={`${coins(first.status.balance)} coins`} id={address}>
      <table className="grid">
        <thead>
          <tr>
            <th scope="col">at</th>
            <th scope="col" className="number">
              balance
            </th>
            <th scope="col" className="number">
              nonce
            </th>
            <th scope="col" className="number">
              pending
            </th>
            <th scope="col">by the head at</th>
          </tr>
        </thead>
        <tbody>
          {known.map(({ n, answer: { status } }) => (
            <tr key={n}>
              <th scope="row">
                <NodeTag n={n} />
              </th>
              <td className="number">{status.exists ? coins(status.balance) : "never touched"}</td>
              <td className="number">{status.nonce}</td>
              <td className="number">{status.pending}</td>
              <td>
                <a href={blockHref(status.head.id)}>
                  {status.head.height} <code>{shortId(status.head.id)}</code>
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {history?.answer.history !== undefined && (
        <section aria-labelledby="history-title">
          <h3 id="history-title">
            History <span className="muted">at node {history.n}</span>
          </h3>
          <History history={history.answer.history} />
        </section>
      )}
    </PageFrame>
  );
}
