import type { RuleCode, TreeBlock } from "../consensus/index.ts";
import { formatWork } from "../consensus/index.ts";
import type { BlockId, TxId } from "../primitives/index.ts";

/** Where a block came from. */
export interface BlockSource {
  /** The peer's name, or "local" for a block mined or imported here. */
  readonly peer: string;
  /**
   * What brought it: a gossip message, an answer to our request, our own miner, or recovery after a crash. In a reorg
   * record also the operator's word on a block.
   */
  readonly message: "gossip" | "sync" | "mined" | "recovery" | "invalidate" | "reconsider";
  /** Unix ms when what brought it was here: the announcement, or the whole answer. */
  readonly receivedMs: number;
  /** When its body was whole, where that was later: an announced block is put together first. */
  readonly bodyMs?: number;
  /** When its header was here, and who sent that, where the header came before by itself. */
  readonly headerMs?: number;
  readonly headerPeer?: string;
}

/** A head as people compare it. Work in hex. */
export interface HeadSummary {
  readonly id: BlockId;
  readonly height: number;
  readonly work: string;
}

/** What became of a transaction that a reorg took out of the best chain, or that one of its blocks ruled out. */
export type TransactionFate =
  | { readonly txid: TxId; readonly fate: "returned" }
  | { readonly txid: TxId; readonly fate: "mined"; readonly block: BlockId }
  | { readonly txid: TxId; readonly fate: "conflicted"; readonly by: TxId }
  | {
      readonly txid: TxId;
      readonly fate: "dropped";
      readonly rule: RuleCode | string;
      readonly detail: string;
    };

/** A block that a reorg took out or put in. */
export interface ReorgBlock {
  readonly id: BlockId;
  readonly height: number;
  /** How many it holds. */
  readonly transactions: number;
}

/** One change of branch, explained. Kept in the database. */
export interface ReorgRecord {
  readonly id: number;
  readonly node: string;
  readonly oldHead: HeadSummary;
  readonly newHead: HeadSummary;
  readonly forkPoint: { readonly id: BlockId; readonly height: number };
  /** Blocks disconnected. */
  readonly depth: number;
  /** Disconnected. Ascending; at most `MAX_LISTED_BLOCKS`, the newest. */
  readonly blocksOut: readonly ReorgBlock[];
  /** Connected; the same bound. */
  readonly blocksIn: readonly ReorgBlock[];
  /** All of them. */
  readonly blocksInCount: number;
  readonly cause: {
    readonly peer: string;
    readonly message: BlockSource["message"];
    /** The block that tipped the scale, or that the operator invalidated or reconsidered. */
    readonly block: BlockId;
  };
  readonly receivedMs: number;
  readonly startedMs: number;
  readonly durationMs: number;
  /** At most `MAX_LISTED_FATES`; `transactionCount` counts all. */
  readonly transactions: readonly TransactionFate[];
  readonly transactionCount: number;
}

/** Bounds on one record, so that a very deep reorg leaves a record of a few MB at most. */
export const MAX_LISTED_BLOCKS = 1_000;
export const MAX_LISTED_FATES = 10_000;
/** Records kept; older ones are removed. */
export const MAX_REORG_RECORDS = 1_000;

export function summarize({ id, height, work }: TreeBlock): HeadSummary {
  return { id, height, work: formatWork(work) };
}

/** A stored record. Those of version 0.1.0 and before have other names for the blocks. */
export function decodeReorg(bytes: Uint8Array): ReorgRecord {
  const stored = JSON.parse(new TextDecoder().decode(bytes)) as ReorgRecord & {
    readonly disconnected?: readonly ReorgBlock[];
    readonly connected?: readonly ReorgBlock[];
    readonly connectedCount?: number;
  };
  const { disconnected, connected, connectedCount, ...record } = stored;
  if (disconnected === undefined) return record;
  return {
    ...record,
    blocksOut: disconnected,
    blocksIn: connected ?? [],
    blocksInCount: connectedCount ?? connected?.length ?? 0,
  };
}
