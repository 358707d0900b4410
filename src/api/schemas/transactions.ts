import Type from "typebox";
import { MAX_AMOUNT, MAX_MEMO_BYTES } from "../../primitives/index.ts";
import { Address, Amount, Count, Cursor, Height, Id, ListOf, PeerName, Strict, TimeMs } from "./common.ts";

/** Most transactions in one POST: as JSON they take about 0.6 MB, well below the body limit. */
export const MAX_BATCH = 1_000;

export const TransferAction = Strict({
  kind: Type.Literal("transfer", { description: '"transfer"' }),
  to: Address,
  amount: Type.Integer({
    minimum: 1,
    maximum: MAX_AMOUNT,
    description: "an amount in base units: an integer from 1 to 2^53 - 1",
  }),
  memo: Type.Optional(
    Type.String({
      pattern: `^([0-9a-f]{2}){0,${MAX_MEMO_BYTES}}$`,
      description: `at most ${MAX_MEMO_BYTES} bytes as lowercase hex`,
    }),
  ),
});

/** A transaction in JSON. Its id and leaf follow from the SSZ form. */
export const TransactionJson = Strict(
  {
    chain: Id,
    sender: Address,
    nonce: Type.Integer({ minimum: 0, maximum: MAX_AMOUNT, description: "an integer from 0" }),
    fee: Amount,
    expiry: Height,
    action: TransferAction,
    signature: Type.String({ pattern: "^[0-9a-f]{128}$", description: "128 lowercase hex digits" }),
  },
  "a transaction object",
);
export type TransactionJson = Type.Static<typeof TransactionJson>;

export const SubmitBatch = Strict({
  transactions: Type.Array(TransactionJson, {
    minItems: 1,
    maxItems: MAX_BATCH,
    description: `a list of 1 to ${MAX_BATCH} transactions`,
  }),
});
export type SubmitBatch = Type.Static<typeof SubmitBatch>;

/** What became of one submitted transaction. A known one is accepted again: submitting twice is harmless. */
export const Submission = Strict({
  id: Id,
  accepted: Type.Boolean(),
  /** Rule code, only where it was refused. */
  code: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  details: Type.Optional(
    Type.Record(Type.String(), Type.Number(), {
      description:
        "numbers of a refusal: cost and available of TX-09 (base units), nextNonce of TX-08 and MEM-03, ...",
    }),
  ),
});
export type Submission = Type.Static<typeof Submission>;
export const SubmitResult = Strict({ items: Type.Array(Submission), accepted: Count, refused: Count });
export type SubmitResult = Type.Static<typeof SubmitResult>;

/** Where a transaction stands now. `depth`: how many blocks a reorg must disconnect to undo it; 1 in the head. */
export const Fate = Type.Union([
  Strict({ state: Type.Literal("pending") }),
  Strict({ state: Type.Literal("mined"), block: Id, height: Height, depth: Count }),
  Strict({ state: Type.Literal("dropped"), rule: Type.String() }),
  Strict({ state: Type.Literal("conflicted"), by: Id }),
]);
export type Fate = Type.Static<typeof Fate>;

/** One thing that happened to a transaction on this node, oldest first. */
export const TransactionEvent = Strict({
  timeMs: TimeMs,
  what: Type.Enum(["received", "mined", "disconnected", "returned", "dropped", "conflicted"]),
  /** Of `received`: who sent it; null where it was submitted here. */
  peer: Type.Optional(Type.Union([PeerName, Type.Null()])),
  block: Type.Optional(Id),
  height: Type.Optional(Height),
  /** Of `dropped`: which rule, and in words why. */
  rule: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
  /** Of `conflicted`: the transaction that used its nonce. */
  by: Type.Optional(Id),
});
export type TransactionEvent = Type.Static<typeof TransactionEvent>;

export const TransactionStatus = Strict({
  id: Id,
  fate: Fate,
  /** Null where the node no longer keeps a dropped transaction. */
  transaction: Type.Union([TransactionJson, Type.Null()]),
  sizeBytes: Type.Union([Count, Type.Null()]),
  events: Type.Array(TransactionEvent),
});
export type TransactionStatus = Type.Static<typeof TransactionStatus>;

export const PendingTransaction = Strict({
  id: Id,
  sender: Address,
  to: Address,
  amount: Amount,
  fee: Amount,
  nonce: Count,
  sizeBytes: Count,
  receivedMs: TimeMs,
  /** False while an earlier nonce of the same sender is missing. */
  ready: Type.Boolean(),
});
export type PendingTransaction = Type.Static<typeof PendingTransaction>;
export const PendingList = ListOf(PendingTransaction);

export const AccountStatus = Strict({
  address: Address,
  /** False where the chain has never touched the account; its balance and nonce are then 0. */
  exists: Type.Boolean(),
  balance: Amount,
  /** What the next mined transaction must carry. */
  nonce: Count,
  /** What the next submitted transaction should carry: `nonce` plus the pending ones without a gap. */
  nextNonce: Count,
  /** Transactions of this sender in the mempool. */
  pending: Count,
  /** The head these numbers belong to. */
  head: Strict({ id: Id, height: Height }),
});
export type AccountStatus = Type.Static<typeof AccountStatus>;

/** One thing that happened to an account. */
export const HistoryItem = Strict({
  direction: Type.Enum(["in", "out", "self", "reward", "allocation"], {
    description:
      "in: received. out: sent. self: sent to itself. reward: for a block, with its fees. allocation: in genesis",
  }),
  /** Null for rewards and allocations. */
  transaction: Type.Union([Id, Type.Null()]),
  /** The other account; null for rewards and allocations. */
  counterpart: Type.Union([Address, Type.Null()]),
  amount: Amount,
  /** Paid by the sender beside the amount. */
  fee: Amount,
  height: Height,
  block: Id,
  timestampMs: TimeMs,
});
export type HistoryItem = Type.Static<typeof HistoryItem>;

/** Newest first. */
export const AccountHistory = Strict({
  items: Type.Array(HistoryItem),
  next: Type.Union([Cursor, Type.Null()]),
  /** What happened up to here is in the list; behind the head's height while the index catches up. */
  indexedHeight: Height,
  /** Lowest height in the index; above 0 where the blocks below were pruned before they were indexed. */
  firstHeight: Height,
  head: Strict({ id: Id, height: Height }),
});
export type AccountHistory = Type.Static<typeof AccountHistory>;

/** Hashes from an account's root to a block's id. */
const PROOF_HASHES = 42;

export const AccountProof = Strict({
  address: Address,
  /** Position in the list of accounts. */
  index: Count,
  balance: Amount,
  nonce: Count,
  /** From below; docs/protocol.md, "Proofs", says what each is. */
  siblings: Type.Array(Id, { minItems: PROOF_HASHES, maxItems: PROOF_HASHES }),
  /** The block in whose state it stands: where the siblings lead. */
  block: Strict({ id: Id, height: Height }),
});
export type AccountProof = Type.Static<typeof AccountProof>;
