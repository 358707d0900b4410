import { packSignatures, type VerifyTasks } from "../keys/index.ts";
import type { WorkerPool } from "../ports/index.ts";
import type { Leaf, SealedTransaction } from "../primitives/index.ts";

/** Leaves whose signature is known to be good; 100 bytes each. Covers several full blocks and a well-filled mempool. */
const MAX_REMEMBERED = 100_000;
/** Fewer records than this are not worth another thread's wake-up. */
const MIN_RECORDS_PER_TASK = 32;
/** About 30 ms of work: long tasks would keep a fresh head block waiting behind a sync. */
const MAX_RECORDS_PER_TASK = 512;

/** Checks signatures off the event loop, and each of them once. */
export interface SignatureVerifier {
  /** Those of the transactions whose signature is not valid; empty where all are good. */
  findInvalid(transactions: readonly SealedTransaction[]): Promise<readonly SealedTransaction[]>;
}

/**
 * Remembers by *leaf*, which covers the signature's bytes: by txid, a forged signature would pass once an honest one
 * for the same body had been seen.
 */
export function createSignatureVerifier(pool: WorkerPool<VerifyTasks>): SignatureVerifier {
  const good = new Set<Leaf>();

  function remember(leaf: Leaf): void {
    if (good.size >= MAX_REMEMBERED) {
      const [oldest] = good;
      if (oldest !== undefined) good.delete(oldest);
    }
    good.add(leaf);
  }

  async function verify(transactions: readonly SealedTransaction[]): Promise<SealedTransaction[]> {
    const input = packSignatures(transactions);
    const results = await pool.run("verifySignatures", input, { transfer: [input.buffer] });
    const invalid: SealedTransaction[] = [];
    transactions.forEach((transaction, i) => {
      if (results[i] === 1) remember(transaction.leaf);
      else invalid.push(transaction);
    });
    return invalid;
  }

  return {
    async findInvalid(transactions) {
      const unknown = transactions.filter(({ leaf }) => !good.has(leaf));
      const share = Math.ceil(unknown.length / pool.size);
      const size = Math.min(Math.max(share, MIN_RECORDS_PER_TASK), MAX_RECORDS_PER_TASK);
      const parts: Promise<SealedTransaction[]>[] = [];
      for (let from = 0; from < unknown.length; from += size)
        parts.push(verify(unknown.slice(from, from + size)));
      return (await Promise.all(parts)).flat();
    },
  };
}
