import type { BlockId, SealedTransaction, TxId } from "../primitives/index.ts";

/** What the new branch did with the nonces that the old one used. Only those: the new branch may be very long. */
export interface ReorgIndex {
  disconnected(transaction: SealedTransaction): void;
  /** Call after all disconnected ones are known. */
  mined(transaction: SealedTransaction, block: BlockId): void;
  /** What the new branch has of the same sender and nonce: the transaction itself, or a rival. */
  successorOf(transaction: SealedTransaction): Successor | undefined;
}

interface Successor {
  readonly txid: TxId;
  readonly block: BlockId;
}

export function createReorgIndex(): ReorgIndex {
  const bySlot = new Map<string, Successor | undefined>();
  const slot = ({ sender, nonce }: SealedTransaction): string => `${sender}:${nonce}`;
  return {
    disconnected: (transaction) => void bySlot.set(slot(transaction), undefined),
    mined(transaction, block) {
      if (bySlot.size === 0 || !bySlot.has(slot(transaction))) return;
      bySlot.set(slot(transaction), { txid: transaction.txid, block });
    },
    successorOf: (transaction) => bySlot.get(slot(transaction)),
  };
}
