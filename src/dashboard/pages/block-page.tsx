import type { BlockDetail } from "../../api/index.ts";
import type { RecordedBlock } from "../../client/index.ts";
import { NodeTag } from "../panels/node-tag.tsx";
import { useMoment } from "../state/context.ts";
import { bytes, clock, coins, duration, shortAddress, shortId, work } from "../state/format.ts";
import { accountHref, blockHref, txHref } from "../state/route.ts";
import { type Answered, useAllAsked } from "../state/use-asked.ts";
import { senderOf } from "../tree/block-card.tsx";
import { Missing, PageFrame } from "./page-frame.tsx";

const MAX_TRANSACTIONS = 200;

function useBlock(idOrHeight: string) {
  const { model, timeMs } = useMoment();
  const answers = useAllAsked(`block ${idOrHeight}`, (client, signal) =>
    client.block(idOrHeight, { signal }),
  );
  const found = answers?.find(
    (each): each is Extract<Answered<BlockDetail>, { answer: BlockDetail }> => "answer" in each,
  );
  const { tree } = model;
  // A report has nobody to ask, and a beginning of an id is looked for in the recording.
  const recorded: RecordedBlock | undefined =
    tree.find(found?.answer.id ?? idOrHeight) ??
    (/^\d{1,15}$/.test(idOrHeight)
      ? tree.atHeight(Number(idOrHeight)).flatMap((index) => tree.blocks[index] ?? [])[0]
      : tree.blocks.find(({ id }) => id.startsWith(idOrHeight)));
  return { model, timeMs, answers, detail: found?.answer, recorded };
}

function Arrivals({ block }: { readonly block: RecordedBlock }) {
  const { model, timeMs } = useMoment();
  const arrivals = model.arrivals(block.index, timeMs);
  const first = arrivals[0]?.headerMs ?? 0;
  if (arrivals.length === 0) return null;
  return (
    <section aria-labelledby="arrivals-title">
      <h3 id="arrivals-title">Arrival</h3>
      <table className="grid">
        <thead>
          <tr>
            <th scope="col">node</th>
            <th scope="col" className="number">
              header
            </th>
            <th scope="col" className="number">
              whole
            </th>
            <th scope="col">how</th>
          </tr>
        </thead>
        <tbody>
          {arrivals.map((arrival) => (
            <tr key={arrival.node}>
              <th scope="row">
                <NodeTag n={arrival.node} />
              </th>
              <td className="number" title={clock(arrival.headerMs)}>
                +{duration(arrival.headerMs - first)}
              </td>
              <td className="number">
                {arrival.bodyMs === null ? "–" : `+${duration(arrival.bodyMs - first)}`}
              </td>
              <td>{senderOf(model, arrival)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Transactions({ detail }: { readonly detail: BlockDetail }) {
  const { transactions } = detail;
  if (transactions === null) return <p className="muted">This node has pruned them.</p>;
  if (transactions.length === 0) return <p className="muted">It has no transactions.</p>;
  return (
    <table className="grid">
      <thead>
        <tr>
          <th scope="col">transaction</th>
          <th scope="col">from</th>
          <th scope="col">to</th>
          <th scope="col" className="number">
            amount
          </th>
          <th scope="col" className="number">
            fee
          </th>
        </tr>
      </thead>
      <tbody>
        {transactions.slice(0, MAX_TRANSACTIONS).map(({ id, transaction: { sender, fee, action } }) => (
          <tr key={id}>
            <td>
              <a href={txHref(id)}>
                <code>{shortId(id)}</code>
              </a>
            </td>
            <td>
              <a href={accountHref(sender)}>{shortAddress(sender)}</a>
            </td>
            <td>
              <a href={accountHref(action.to)}>{shortAddress(action.to)}</a>
            </td>
            <td className="number">{coins(action.amount)}</td>
            <td className="number">{coins(fee)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** One block: what it holds, and how it came to each node. */
export function BlockPage({ id }: { readonly id: string }) {
  const { model, timeMs, answers, detail, recorded } = useBlock(id);
  if (detail === undefined && recorded === undefined)
    return <Missing title={`Block ${id.slice(0, 20)}`} answers={answers} />;
  const height = detail?.height ?? recorded?.height ?? 0;
  const proposer = detail?.proposer ?? recorded?.proposer;
  const parent = detail?.parent ?? recorded?.parentId;
  const miner = model.nodeOfProposer(proposer);
  const holders =
    recorded === undefined
      ? []
      : model.nodes.filter(({ n }) => {
          const { head } = model.nodeAt(n, timeMs);
          return (
            head !== undefined && model.tree.ancestor(head.index, recorded.height)?.index === recorded.index
          );
        });
  const children =
    recorded === undefined
      ? []
      : model.tree
          .children(recorded.index)
          .flatMap((index) => model.tree.blocks[index] ?? [])
          .filter((child) => model.isKnown(child, timeMs));
  return (
    <PageFrame kind="Block" title={height.toLocaleString("en")} id={detail?.id ?? recorded?.id ?? id}>
      <div className="page-columns">
        <dl className="facts">
          <dt>best chain of</dt>
          <dd>
            {holders.length === 0 ? (
              <span className="muted">no node</span>
            ) : (
              holders.map(({ n }) => <NodeTag key={n} n={n} />)
            )}
          </dd>
          <dt>parent</dt>
          <dd>
            {parent === undefined ? (
              "–"
            ) : (
              <a href={blockHref(parent)}>
                <code>{shortId(parent)}</code>
              </a>
            )}
          </dd>
          <dt>children</dt>
          <dd>
            {children.length === 0
              ? "–"
              : children.map((child) => (
                  <a key={child.id} href={blockHref(child.id)}>
                    <code>{shortId(child.id)}</code>
                  </a>
                ))}
          </dd>
          <dt>proposer</dt>
          <dd>
            {miner !== undefined && <NodeTag n={miner} />}{" "}
            {proposer === undefined ? "–" : <a href={accountHref(proposer)}>{shortAddress(proposer)}</a>}
          </dd>
          <dt>work</dt>
          <dd>
            {work(detail?.work ?? recorded?.work)}{" "}
            <span className="muted">difficulty {work(detail?.difficulty ?? recorded?.difficulty)}</span>
          </dd>
          <dt>timestamp</dt>
          <dd>{clock(detail?.timestampMs ?? recorded?.timestampMs ?? 0)}</dd>
          <dt>size</dt>
          <dd>{bytes(detail?.sizeBytes ?? recorded?.sizeBytes ?? 0)}</dd>
          {(detail?.rule ?? recorded?.rule) !== undefined && (
            <>
              <dt>invalid by</dt>
              <dd>
                <code className="bad">{detail?.rule ?? recorded?.rule}</code>
              </dd>
            </>
          )}
          {detail !== undefined && (
            <>
              <dt>state root</dt>
              <dd>
                <code className="break">{detail.stateRoot}</code>
              </dd>
            </>
          )}
        </dl>
        {recorded !== undefined && <Arrivals block={recorded} />}
      </div>
      {detail !== undefined && (
        <section aria-labelledby="transactions-title">
          <h3 id="transactions-title">Transactions</h3>
          <Transactions detail={detail} />
        </section>
      )}
    </PageFrame>
  );
}
