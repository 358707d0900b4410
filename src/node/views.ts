import type {
  Arrival,
  BlockDetail,
  BlockRef,
  BlockSummary,
  Fate,
  Head,
  Reorg,
  ReorgFate,
  Tip,
  TransactionEvent,
} from "../api/index.ts";
import { transactionToJson } from "../api/index.ts";
import type { Chain, ReorgRecord, StoredBlock, TransactionFate } from "../chain/index.ts";
import { formatWork, type TreeBlock } from "../consensus/index.ts";
import type { TransactionHappening } from "../mempool/index.ts";
import {
  type BlockId,
  bytesToHex,
  decodeHeader,
  encodeAddress,
  type Header,
  type SealedTransaction,
} from "../primitives/index.ts";

/** How the node's own values look to those who ask over HTTP. */

export function blockRef({ id, height, work }: TreeBlock): BlockRef {
  return { id, height, work: formatWork(work) };
}

export function headView(head: TreeBlock): Head {
  return { ...blockRef(head), parent: head.parent, timestampMs: head.timestampMs };
}

export function stateOf(chain: Chain, block: TreeBlock): BlockSummary["state"] {
  if (block.status === "invalid") return "invalid";
  if (block.mark !== undefined) return "invalidated";
  return chain.isConnected(block.id) ? "best" : "side";
}

/** The block by which the operator set this one aside, where that was done. */
function markView(chain: Chain, { mark }: TreeBlock): Pick<Tip, "mark"> {
  const marked = mark === undefined ? undefined : chain.tree.get(mark);
  return marked === undefined ? {} : { mark: { id: marked.id, height: marked.height } };
}

function headerOf({ id }: TreeBlock, stored: StoredBlock): Header {
  const header = decodeHeader(stored.header);
  if (header === undefined) throw new Error(`the stored header of ${id} is damaged`);
  return header.header;
}

/** Unless it was pruned. Of the best chain that is what lies below the first height; genesis is always kept. */
export const hasBody = ({ firstHeight }: Pick<Chain, "firstHeight">, { height }: TreeBlock): boolean =>
  height === 0 || height >= firstHeight;

export function blockSummary(
  chain: Chain,
  block: TreeBlock,
  stored: StoredBlock,
  arrival: Arrival | null,
): BlockSummary {
  return {
    ...headView(block),
    difficulty: formatWork(block.difficulty),
    proposer: encodeAddress(headerOf(block, stored).core.proposer),
    transactions: stored.transactions,
    sizeBytes: stored.bodyBytes,
    state: stateOf(chain, block),
    hasBody: hasBody(chain, block),
    arrival,
  };
}

/** Without transactions where only the header is left. */
export function blockDetail(
  chain: Chain,
  block: TreeBlock,
  transactions: readonly SealedTransaction[] | undefined,
  stored: StoredBlock,
  arrival: Arrival | null,
): BlockDetail {
  const { core, nonce } = headerOf(block, stored);
  const state = stateOf(chain, block);
  return {
    ...headView(block),
    difficulty: formatWork(block.difficulty),
    proposer: encodeAddress(core.proposer),
    sizeBytes: stored.bodyBytes,
    state,
    ...(stored.refusal === "" ? {} : { rule: stored.refusal }),
    ...markView(chain, block),
    arrival,
    rulesVersion: core.rulesVersion,
    nonce,
    transactionsRoot: bytesToHex(core.transactionsRoot),
    stateRoot: bytesToHex(core.stateRoot),
    engineRoot: bytesToHex(core.engineRoot),
    extra: bytesToHex(core.extra),
    depth: state === "best" ? chain.head.height - block.height + 1 : 0,
    transactions:
      transactions?.map((sealed) => ({ id: sealed.txid, transaction: transactionToJson(sealed) })) ?? null,
  };
}

export async function tipView(chain: Chain, block: TreeBlock): Promise<Tip> {
  const { forkPoint, length } = chain.branchOf(block);
  const state = stateOf(chain, block);
  const stored = block.status === "invalid" ? await chain.blocks.stored(block.id) : undefined;
  const rule = stored === undefined || stored.refusal === "" ? undefined : stored.refusal;
  return {
    ...blockRef(block),
    timestampMs: block.timestampMs,
    state: state === "best" ? "head" : state,
    forkPoint: { id: forkPoint.id, height: forkPoint.height },
    length,
    ...(rule === undefined ? {} : { rule }),
    ...markView(chain, block),
  };
}

/** `arrival`: of the block that tipped the scale. */
export function reorgView(chain: Chain, record: ReorgRecord, arrival: Arrival | null): Reorg {
  const forkPoint = chain.tree.get(record.forkPoint.id);
  const { cause } = record;
  return {
    id: String(record.id),
    node: record.node,
    oldHead: record.oldHead,
    newHead: record.newHead,
    forkPoint: { ...record.forkPoint, work: formatWork(forkPoint?.work ?? 0n) },
    depth: record.depth,
    blocksOut: [...record.blocksOut].reverse(),
    blocksIn: [...record.blocksIn],
    blocksInCount: record.blocksInCount,
    cause: {
      peer: cause.peer === "local" ? null : cause.peer,
      message: cause.message,
      block: cause.block,
      arrival,
    },
    receivedMs: record.receivedMs,
    startedMs: record.startedMs,
    durationMs: record.durationMs,
    transactions: record.transactions.map((fate) => reorgFateView(chain, fate)),
    transactionCount: record.transactionCount,
  };
}

function reorgFateView(chain: Chain, fate: TransactionFate): ReorgFate {
  const { txid: id } = fate;
  if (fate.fate === "returned") return { id, fate: "returned" };
  if (fate.fate === "conflicted") return { id, fate: "conflicted", by: fate.by };
  if (fate.fate === "dropped") return { id, fate: "dropped", rule: fate.rule, detail: fate.detail };
  return { id, fate: "mined", block: fate.block, height: chain.tree.get(fate.block)?.height ?? 0 };
}

export function minedFate(chain: Chain, block: BlockId): Fate {
  const height = chain.tree.get(block)?.height ?? 0;
  return { state: "mined", block, height, depth: chain.head.height - height + 1 };
}

/** The last word of a transaction that is neither pending nor in the chain. */
export function fateOf(happenings: readonly TransactionHappening[]): Fate | undefined {
  const last = happenings.at(-1);
  if (last?.what === "conflicted") return { state: "conflicted", by: last.by };
  if (last?.what === "dropped") return { state: "dropped", rule: last.rule };
  return undefined;
}

export const eventView = (happening: TransactionHappening): TransactionEvent => ({ ...happening });
