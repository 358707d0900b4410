import { useState } from "react";
import type { Reorg } from "../../api/index.ts";
import { type RecordedReorg, type RecordingModel, reorgBlocks } from "../../client/index.ts";
import { useMoment, usePage } from "../state/context.ts";
import { clock, count, duration, shortId, shortPeer } from "../state/format.ts";
import { blockHref, txHref } from "../state/route.ts";
import { NodeTag } from "./node-tag.tsx";

/** Reorgs of one network event are close together; older ones are opened by going back in time. */
const MAX_SHOWN = 60;

const FATE_WORDS = {
  returned: "returned to the mempool",
  mined: "mined in the new branch",
  dropped: "dropped",
  conflicted: "conflicted",
} as const;

function Fates({ record }: { readonly record: Reorg }) {
  const { transactions } = record;
  if (transactions.length === 0) return <p className="muted">It touched no transaction.</p>;
  return (
    <ul className="fates">
      {transactions.slice(0, 100).map((fate) => (
        <li key={fate.id}>
          <a href={txHref(fate.id)}>
            <code>{shortId(fate.id)}</code>
          </a>
          <span className={`fate ${fate.fate}`}>{FATE_WORDS[fate.fate]}</span>
          {fate.fate === "mined" && <a href={blockHref(fate.block)}>at {fate.height}</a>}
          {fate.fate === "dropped" && <code>{fate.rule}</code>}
          {fate.fate === "conflicted" && (
            <span>
              by{" "}
              <a href={txHref(fate.by)}>
                <code>{shortId(fate.by)}</code>
              </a>
            </span>
          )}
        </li>
      ))}
      {transactions.length > 100 && <li className="muted">and {transactions.length - 100} more</li>}
    </ul>
  );
}

function BlockList({ ids }: { readonly ids: readonly { readonly id: string; readonly height: number }[] }) {
  return (
    <ol className="block-list">
      {ids.slice(0, 40).map(({ id, height }) => (
        <li key={id}>
          <a href={blockHref(id)}>
            {height} <code>{shortId(id)}</code>
          </a>
        </li>
      ))}
      {ids.length > 40 && <li className="muted">and {ids.length - 40} more</li>}
    </ol>
  );
}

function cause(model: RecordingModel, record: Reorg) {
  const { peer, message, block } = record.cause;
  const from = peer === null ? undefined : model.nodeOfPeer(peer);
  return (
    <>
      {message} of{" "}
      <a href={blockHref(block)}>
        <code>{shortId(block)}</code>
      </a>
      {peer !== null && <> from {from === undefined ? shortPeer(peer) : <NodeTag n={from} />}</>}
    </>
  );
}

function Details({ reorg, model }: { readonly reorg: RecordedReorg; readonly model: RecordingModel }) {
  const { data, node } = reorg;
  const record = model.reorgRecord(node, data.reorg);
  const blocks = reorgBlocks(model, data);
  return (
    <div className="reorg-details">
      <dl>
        <dt>fork point</dt>
        <dd>
          <a href={blockHref(data.forkPoint.id)}>
            {data.forkPoint.height} <code>{shortId(data.forkPoint.id)}</code>
          </a>
        </dd>
        {record !== undefined && (
          <>
            <dt>cause</dt>
            <dd>{cause(model, record)}</dd>
          </>
        )}
        <dt>took</dt>
        <dd>
          {duration(data.durationMs)}, {duration(Math.max(0, reorg.timeMs - data.receivedMs))} after the block
          came
        </dd>
      </dl>
      <div className="columns">
        <div>
          <h4 className="out">{count(data.depth, "block")} out</h4>
          <BlockList ids={record?.blocksOut ?? blocks.out} />
        </div>
        <div>
          <h4 className="in">{count(record?.blocksIn.length ?? blocks.in.length, "block")} in</h4>
          <BlockList ids={record?.blocksIn ?? blocks.in} />
        </div>
        <div className="wide">
          <h4>Transactions</h4>
          {record === undefined ? (
            <p className="muted">Their fates are in the node's own record, which is not here.</p>
          ) : (
            <Fates record={record} />
          )}
        </div>
      </div>
    </div>
  );
}

/** Reorgs up to the moment shown, newest first; each opens to what it did. */
export function Reorgs() {
  const { store } = usePage();
  const { model, timeMs } = useMoment();
  const [open, setOpen] = useState<string>();
  const all = model.reorgs;
  let end = all.length;
  while (end > 0 && (all[end - 1]?.timeMs ?? 0) > timeMs) end--;
  const shown = all.slice(Math.max(0, end - MAX_SHOWN), end).reverse();
  return (
    <section className="panel reorgs" aria-labelledby="reorgs-title">
      <h2 id="reorgs-title">
        Reorgs <span className="muted number">{end}</span>
      </h2>
      {shown.length === 0 && (
        <p className="muted empty">None so far. Split the nodes, mine on both sides, then heal.</p>
      )}
      <ul className="reorg-list">
        {shown.map((reorg) => {
          const key = `${reorg.node}-${reorg.data.reorg}`;
          const isOpen = open === key;
          return (
            <li key={key}>
              <div className="reorg-row">
                <button
                  type="button"
                  aria-expanded={isOpen}
                  onClick={() => setOpen(isOpen ? undefined : key)}
                >
                  <span className="chevron" aria-hidden="true">
                    ▸
                  </span>
                  <NodeTag n={reorg.node} />
                  <span className="depth">depth {reorg.data.depth}</span>
                  <span className="muted way">
                    {reorg.data.oldHead.height} <code>{shortId(reorg.data.oldHead.id)}</code> →{" "}
                    {reorg.data.newHead.height} <code>{shortId(reorg.data.newHead.id)}</code>
                  </span>
                </button>
                <button
                  type="button"
                  className="quiet number"
                  title="Show this moment"
                  onClick={() => store.seek(reorg.timeMs)}
                >
                  {clock(reorg.timeMs)}
                </button>
              </div>
              {isOpen && <Details reorg={reorg} model={model} />}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
