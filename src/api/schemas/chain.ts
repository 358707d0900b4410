import Type from "typebox";
import { Arrival } from "./arrival.ts";
import {
  Address,
  BlockRef,
  Count,
  Cursor,
  Height,
  Id,
  ListOf,
  PeerName,
  Strict,
  TimeMs,
  Work,
} from "./common.ts";
import { TransactionJson } from "./transactions.ts";

/** Null where this node has no record of it: it kept no timeline then, or has dropped it since. */
const MaybeArrival = Type.Union([Arrival, Type.Null()]);

/**
 * `best`: on our best chain. `side`: valid so far, on another branch. `invalid`: it or an ancestor broke a rule.
 * `invalidated`: the operator has invalidated it or an ancestor.
 */
export const BlockState = Type.Enum(["best", "side", "invalid", "invalidated"]);

/** Of an invalidated block: which one, itself or an ancestor, the operator has named. */
const Mark = Type.Optional(Strict({ id: Id, height: Height }));

/** A block as a point of the tree. `work` is cumulative. */
export const BlockSummary = Strict({
  id: Id,
  height: Height,
  parent: Id,
  work: Work,
  difficulty: Work,
  timestampMs: TimeMs,
  proposer: Address,
  transactions: Count,
  sizeBytes: Count,
  state: BlockState,
  /** False where only the header is here: the rest was pruned. */
  hasBody: Type.Boolean(),
  arrival: MaybeArrival,
});
export type BlockSummary = Type.Static<typeof BlockSummary>;

export const BlockDetail = Strict({
  id: Id,
  height: Height,
  parent: Id,
  work: Work,
  difficulty: Work,
  timestampMs: TimeMs,
  proposer: Address,
  sizeBytes: Count,
  state: BlockState,
  /** Why an invalid block is invalid: a rule code. */
  rule: Type.Optional(Type.String()),
  mark: Mark,
  arrival: MaybeArrival,
  rulesVersion: Count,
  nonce: Count,
  transactionsRoot: Id,
  stateRoot: Id,
  engineRoot: Id,
  extra: Id,
  /** How many blocks a reorg must disconnect to undo it: 1 for the head; 0 off the best chain. */
  depth: Count,
  /** Null in what BLOCK_PRUNED tells of a block, of which only the header is left. */
  transactions: Type.Union([Type.Array(Strict({ id: Id, transaction: TransactionJson })), Type.Null()]),
});
export type BlockDetail = Type.Static<typeof BlockDetail>;

/** The leaf of a branch. `length`: blocks from its fork point with the best chain to it; 0 for the head. */
export const Tip = Strict({
  id: Id,
  height: Height,
  work: Work,
  timestampMs: TimeMs,
  state: Type.Enum(["head", "side", "invalid", "invalidated", "headers-only"]),
  forkPoint: Strict({ id: Id, height: Height }),
  length: Count,
  rule: Type.Optional(Type.String()),
  mark: Mark,
});
export type Tip = Type.Static<typeof Tip>;
export const TipList = ListOf(Tip);

/** All known blocks from `depth` blocks below the head upwards, on every branch, by height. */
export const Tree = Strict({
  head: BlockRef,
  items: Type.Array(BlockSummary),
  next: Type.Union([Cursor, Type.Null()]),
});
export type Tree = Type.Static<typeof Tree>;

/** What a reorg did to one transaction. */
export const ReorgFate = Type.Union([
  Strict({ id: Id, fate: Type.Literal("returned") }),
  Strict({ id: Id, fate: Type.Literal("mined"), block: Id, height: Height }),
  /** `detail`: in words; records of older versions have it too. */
  Strict({ id: Id, fate: Type.Literal("dropped"), rule: Type.String(), detail: Type.String() }),
  Strict({ id: Id, fate: Type.Literal("conflicted"), by: Id }),
]);
export type ReorgFate = Type.Static<typeof ReorgFate>;

const ReorgBlock = Strict({ id: Id, height: Height, transactions: Count });
export const Reorg = Strict({
  /** Counts up on this node; a decimal number as text. */
  id: Type.String(),
  node: PeerName,
  oldHead: BlockRef,
  newHead: BlockRef,
  forkPoint: BlockRef,
  /** Blocks disconnected. */
  depth: Count,
  /** Disconnected, from the old head down; at most 1,000. */
  blocksOut: Type.Array(ReorgBlock),
  /** Connected, from the fork point up; the newest 1,000. */
  blocksIn: Type.Array(ReorgBlock),
  /** All of them. */
  blocksInCount: Count,
  cause: Strict({
    /** Who sent the block that tipped the scale; null when it was our own or a command. */
    peer: Type.Union([PeerName, Type.Null()]),
    /** How it came: gossip, sync, mined, invalidate, reconsider, start... */
    message: Type.String(),
    /** The block that tipped the scale, or that the operator invalidated or reconsidered. */
    block: Id,
    /** When that block was here, header and body. */
    arrival: MaybeArrival,
  }),
  receivedMs: TimeMs,
  startedMs: TimeMs,
  durationMs: Type.Number({ minimum: 0 }),
  /** At most 10,000. */
  transactions: Type.Array(ReorgFate),
  /** All of them. */
  transactionCount: Count,
});
export type Reorg = Type.Static<typeof Reorg>;
export const ReorgList = ListOf(Reorg);

/** What an operator's word on a block did. */
export const BlockMark = Strict({
  id: Id,
  height: Height,
  state: BlockState,
  /** False when there was nothing to do. */
  changed: Type.Boolean(),
  /** Blocks whose marks were set, or taken away: with the block's own also those of its ancestors and descendants. */
  marks: Type.Array(Id),
  /** Where the best chain ends now. */
  head: BlockRef,
  /** The reorg that it led to, as `GET /v1/reorgs` lists it. */
  reorg: Type.Union([Type.String(), Type.Null()]),
});
export type BlockMark = Type.Static<typeof BlockMark>;
