import type { TransactionFate } from "../chain/index.ts";
import { decodeTransaction, type SealedTransaction } from "../primitives/index.ts";

/**
 * The same transaction on bytes of its own. One of a block is a view of the block's whole body, which it would keep alive
 * for as long as it waits, past every bound that counts its own bytes.
 */
export function detached({ bytes, txid }: SealedTransaction): SealedTransaction {
  const own = decodeTransaction(bytes.slice());
  if (own === undefined) throw new Error(`transaction ${txid} of a valid block does not decode`);
  return own;
}

/** One fate per transaction: the last word counts, in the order of the first. */
export function mergeFates(fates: readonly TransactionFate[]): TransactionFate[] {
  return [...new Map(fates.map((fate) => [fate.txid, fate])).values()];
}
