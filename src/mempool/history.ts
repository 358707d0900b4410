import type { BlockId, SealedTransaction, TxId } from "../primitives/index.ts";
import { createRecentMap } from "./recent-map.ts";

/** One thing that happened to a transaction on this node. Times are Unix ms. */
export type TransactionHappening =
  /** `peer`: who sent it; null where it was submitted here. */
  | { readonly what: "received"; readonly timeMs: number; readonly peer: string | null }
  | { readonly what: "returned"; readonly timeMs: number }
  | {
      readonly what: "mined" | "disconnected";
      readonly timeMs: number;
      readonly block: BlockId;
      readonly height: number;
    }
  | { readonly what: "dropped"; readonly timeMs: number; readonly rule: string; readonly detail: string }
  | { readonly what: "conflicted"; readonly timeMs: number; readonly by: TxId };

/** Transactions remembered, at most, and at least half as many; about 1 KB each. */
const MAX_TRANSACTIONS = 100_000;
/** Happenings kept of one transaction, the newest: one that goes back and forth in many reorgs is not worth more. */
const MAX_HAPPENINGS = 32;

export interface TransactionRecord {
  /** Kept for those that are neither pending nor in the chain any more. */
  readonly transaction: SealedTransaction;
  readonly happenings: readonly TransactionHappening[];
}

/** What became of transactions lately, for people who ask. In memory: what is older is in the timeline. */
export interface TransactionHistory {
  add(transaction: SealedTransaction, happening: TransactionHappening): void;
  get(txid: TxId): TransactionRecord | undefined;
  ids(): Iterable<TxId>;
}

export function createTransactionHistory(): TransactionHistory {
  const records = createRecentMap<
    TxId,
    { readonly transaction: SealedTransaction; readonly happenings: TransactionHappening[] }
  >(MAX_TRANSACTIONS);
  return {
    add(transaction, happening) {
      const record = records.get(transaction.txid) ?? { transaction, happenings: [] };
      record.happenings.push(happening);
      if (record.happenings.length > MAX_HAPPENINGS) record.happenings.shift();
      // Also where it is known: the quietest ones are forgotten first.
      records.set(transaction.txid, record);
    },
    get: records.get,
    ids: records.keys,
  };
}
