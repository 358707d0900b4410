import type { BlockId, SealedTransaction, TxId } from "../primitives/index.ts";

/** One thing that happened to a transaction on this node. Times are Unix ms. */
export type TransactionHappening =
  | { readonly what: "received" | "returned"; readonly timeMs: number }
  | {
      readonly what: "mined" | "disconnected";
      readonly timeMs: number;
      readonly block: BlockId;
      readonly height: number;
    }
  | { readonly what: "dropped"; readonly timeMs: number; readonly rule: string }
  | { readonly what: "conflicted"; readonly timeMs: number; readonly by: TxId };

/** Transactions remembered; about 500 bytes each. */
const MAX_TRANSACTIONS = 100_000;
/** Happenings kept of one transaction, the newest: one that goes back and forth in many reorgs is not worth more. */
const MAX_HAPPENINGS = 32;

export interface TransactionRecord {
  /** Kept for those that are neither pending nor in the chain any more. */
  readonly transaction: SealedTransaction;
  readonly happenings: readonly TransactionHappening[];
}

/** What became of transactions lately, for people who ask. In memory: after a restart it begins anew. */
export interface TransactionHistory {
  add(transaction: SealedTransaction, happening: TransactionHappening): void;
  get(txid: TxId): TransactionRecord | undefined;
  ids(): Iterable<TxId>;
}

export function createTransactionHistory(): TransactionHistory {
  const records = new Map<TxId, { transaction: SealedTransaction; happenings: TransactionHappening[] }>();
  return {
    add(transaction, happening) {
      const record = records.get(transaction.txid) ?? { transaction, happenings: [] };
      record.happenings.push(happening);
      if (record.happenings.length > MAX_HAPPENINGS) record.happenings.shift();
      // Deleting first keeps the order of the latest happening, so that the quietest one is forgotten first.
      records.delete(transaction.txid);
      records.set(transaction.txid, record);
      if (records.size <= MAX_TRANSACTIONS) return;
      const [oldest] = records.keys();
      if (oldest !== undefined) records.delete(oldest);
    },
    get: (txid) => records.get(txid),
    ids: () => records.keys(),
  };
}
