import { useMoment } from "../state/context.ts";
import { bytes, shortId, work } from "../state/format.ts";
import { blockHref } from "../state/route.ts";
import { pendingAt } from "../state/store.ts";
import { NodeTag } from "./node-tag.tsx";

const GROUPS = "ABCDEFGH";

/** Every node's head as it was at the moment shown. */
export function Nodes() {
  const moment = useMoment();
  const { model, timeMs } = moment;
  const groups = model.splitAt(timeMs)?.groups ?? [];
  const groupOf = (n: number): number => groups.findIndex((group) => group.includes(n));
  return (
    <section className="panel" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      <div className="scroll">
        <table className="grid">
          <thead>
            <tr>
              <th scope="col">node</th>
              <th scope="col" className="number">
                height
              </th>
              <th scope="col">head</th>
              <th scope="col" className="number">
                work
              </th>
              <th scope="col" className="number">
                pending
              </th>
            </tr>
          </thead>
          <tbody>
            {model.nodes.map(({ n, name }) => {
              const { state, why, head } = model.nodeAt(n, timeMs);
              const mempool = pendingAt(moment, n);
              return (
                <tr key={n} className={state === "gone" ? "is-gone" : undefined}>
                  <th scope="row">
                    <NodeTag n={n} isGone={state === "gone"} />
                    {name !== `node ${n}` && <span className="node-name">{name}</span>}
                    {groupOf(n) !== -1 && (
                      <span className="group" title={`group ${GROUPS[groupOf(n)]} of the split`}>
                        {GROUPS[groupOf(n)]}
                      </span>
                    )}
                  </th>
                  <td className="number">{head?.height.toLocaleString("en") ?? "–"}</td>
                  <td>
                    {head === undefined ? (
                      "–"
                    ) : (
                      <a href={blockHref(head.id)}>
                        <code>{shortId(head.id)}</code>
                      </a>
                    )}
                    {state === "gone" && (
                      <span className="badge bad">gone{why === null ? "" : `: ${why}`}</span>
                    )}
                  </td>
                  <td className="number">{work(head?.work)}</td>
                  <td className="number" title={mempool === undefined ? undefined : bytes(mempool.bytes)}>
                    {mempool?.transactions ?? "–"}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
