import type { SealedTransaction } from "../../src/primitives/index.ts";

const FIELDS = ["nonce", "fee", "amount", "expiry", "bytes", "txid", "leaf", "sender", "recipient"] as const;

export interface ReadCounter {
  /** Looks at any transaction's fields since the last call. */
  taken(): number;
  /** The same transaction, whose fields count who reads them. */
  counted(sealed: SealedTransaction): SealedTransaction;
}

/** Tells how many transactions something looked at: what does not depend on the machine, as a time would. */
export function createReadCounter(): ReadCounter {
  let reads = 0;
  return {
    taken() {
      const counted = reads;
      reads = 0;
      return counted;
    },
    counted(sealed) {
      const copy = Object.create(sealed) as SealedTransaction;
      for (const field of FIELDS) {
        const value = sealed[field];
        Object.defineProperty(copy, field, {
          get() {
            reads++;
            return value;
          },
        });
      }
      return copy;
    },
  };
}
