import type { Arrival, RecordedBlock, RecordingModel } from "../../client/index.ts";
import { NodeTag } from "../panels/node-tag.tsx";
import { clock, count, duration, shortAddress, shortId, shortPeer, work } from "../state/format.ts";

const CARD_PX = 300;
/** Nodes whose arrival is told one by one; of the rest the last is told. */
const MAX_ROWS = 8;

export function senderOf(model: RecordingModel, { bodyPeer, headerPeer, via }: Arrival) {
  if (via === "mined") return <span className="muted">mined it</span>;
  const peer = bodyPeer ?? headerPeer;
  if (peer === null) return <span className="muted">{via}</span>;
  const n = model.nodeOfPeer(peer);
  return (
    <span className="muted">
      {via} from {n === undefined ? shortPeer(peer) : <NodeTag n={n} />}
    </span>
  );
}

/** What is known of a block at a moment, beside it. */
export function BlockCard(props: {
  readonly model: RecordingModel;
  readonly timeMs: number;
  readonly block: RecordedBlock;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}) {
  const { model, timeMs, block, x, y, width } = props;
  const arrivals = model.arrivals(block.index, timeMs);
  const first = arrivals[0]?.headerMs;
  const left = Math.max(6, Math.min(x - CARD_PX / 2, width - CARD_PX - 6));
  const proposer = model.nodeOfProposer(block.proposer);
  const spread = model.propagationMs(block.index, timeMs);
  return (
    <div className="card" style={{ left, top: y + 10 }} role="presentation">
      <div className="card-title">
        <strong>{block.height.toLocaleString("en")}</strong>
        <code>{shortId(block.id)}</code>
        {block.isInvalid && <span className="badge bad">invalid {block.rule}</span>}
      </div>
      <dl>
        <dt>proposer</dt>
        <dd>
          {proposer !== undefined && <NodeTag n={proposer} />}{" "}
          {block.proposer === undefined ? "–" : shortAddress(block.proposer)}
        </dd>
        <dt>work</dt>
        <dd>
          {work(block.work)} <span className="muted">+{work(block.difficulty)}</span>
        </dd>
        <dt>parent</dt>
        <dd>
          <code>{block.parentId === undefined ? "–" : shortId(block.parentId)}</code>
        </dd>
        <dt>transactions</dt>
        <dd>{block.transactions ?? "only its header is here"}</dd>
        {first !== undefined && (
          <>
            <dt>first seen</dt>
            <dd>{clock(first)}</dd>
          </>
        )}
      </dl>
      {arrivals.length > 0 && first !== undefined && (
        <ul className="arrivals">
          {arrivals.slice(0, MAX_ROWS).map((arrival) => (
            <li key={arrival.node}>
              <NodeTag n={arrival.node} />
              <span className="number">+{duration((arrival.bodyMs ?? arrival.headerMs) - first)}</span>
              {senderOf(model, arrival)}
            </li>
          ))}
        </ul>
      )}
      {arrivals.length > MAX_ROWS && spread !== undefined && (
        <p className="muted">
          and {count(arrivals.length - MAX_ROWS, "more node")}; the last after {duration(spread)}
        </p>
      )}
    </div>
  );
}
