import { packSignatures, type VerifyTasks } from "../keys/index.ts";
import { eachOf, type Metrics, silentMetrics, type WorkerPool } from "../ports/index.ts";
import type { Leaf, SealedTransaction } from "../primitives/index.ts";

/** Leaves whose signature is known to be good; 100 bytes each. Covers several full blocks and a well-filled mempool. */
const MAX_REMEMBERED = 100_000;
/** Fewer records than this are not worth another thread's wake-up. */
const MIN_RECORDS_PER_TASK = 32;
/** About 30 ms of work: long tasks would keep a fresh head block waiting behind a sync. */
const MAX_RECORDS_PER_TASK = 512;

/** Checks signatures off the event loop, and each of them once. */
export interface SignatureVerifier {
  /**
   * Those of the transactions whose signature is not valid; empty where all are good. `remember` (default true): whether
   * they may be asked about again soon; those of a sync will not be.
   */
  findInvalid(
    transactions: readonly SealedTransaction[],
    options?: { readonly remember?: boolean },
  ): Promise<readonly SealedTransaction[]>;
}

/**
 * The leaves remembered last. Two halves: when the young one is full the old one is forgotten whole. (Taking the oldest
 * out of one set one by one walks over all that were taken out before it.)
 */
function createMemory() {
  let young = new Set<Leaf>();
  let old = new Set<Leaf>();
  return {
    isEmpty: () => young.size === 0 && old.size === 0,
    has: (leaf: Leaf) => young.has(leaf) || old.has(leaf),
    add(leaf: Leaf): void {
      if (young.size >= MAX_REMEMBERED / 2) {
        old = young;
        young = new Set();
      }
      young.add(leaf);
    },
  };
}

/** What one call of `findInvalid` waits for. */
interface Waiting {
  readonly transactions: readonly SealedTransaction[];
  readonly remember: boolean;
  readonly resolve: (invalid: SealedTransaction[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Remembers by *leaf*, which covers the signature's bytes: by txid, a forged signature would pass once an honest one
 * for the same body had been seen. What is asked for in one turn of the event loop (a sync hands in many blocks at
 * once) is packed together, as every task costs two messages between threads.
 */
export function createSignatureVerifier(
  pool: WorkerPool<VerifyTasks>,
  metrics: Metrics = silentMetrics,
): SignatureVerifier {
  const asked = eachOf(["memory", "worker"], (by) =>
    metrics.counter({
      name: "cumulo_keys_signatures_total",
      help: "Signatures that were asked about, by who knew the answer",
      labels: { by },
    }),
  );
  const refused = metrics.counter({
    name: "cumulo_keys_bad_signatures_total",
    help: "Signatures that are not valid",
  });
  const good = createMemory();
  let waiting: Waiting[] = [];

  async function verify(transactions: readonly SealedTransaction[]): Promise<SealedTransaction[]> {
    const input = packSignatures(transactions);
    const results = await pool.run("verifySignatures", input, { transfer: [input.buffer] });
    const invalid = transactions.filter((_, i) => results[i] !== 1);
    refused.increment(invalid.length);
    return invalid;
  }

  /** Cuts what waits into tasks, and answers each call as soon as the tasks that hold its own are done. */
  function verifyWaiting(): void {
    const calls = waiting;
    waiting = [];
    const all = calls.flatMap(({ transactions }) => transactions);
    const share = Math.ceil(all.length / pool.size);
    const size = Math.min(Math.max(share, MIN_RECORDS_PER_TASK), MAX_RECORDS_PER_TASK);
    const tasks: Promise<SealedTransaction[]>[] = [];
    for (let from = 0; from < all.length; from += size) {
      const task = verify(all.slice(from, from + size));
      // Every call awaits its tasks one after the other; until then a rejection must not count as unhandled.
      task.catch(() => {});
      tasks.push(task);
    }
    let from = 0;
    for (const { transactions, remember, resolve, reject } of calls) {
      const until = from + transactions.length;
      const own = tasks.slice(Math.floor(from / size), Math.ceil(until / size));
      from = until;
      Promise.all(own).then((invalid) => {
        const bad = new Set(invalid.flat());
        if (remember) for (const one of transactions) if (!bad.has(one)) good.add(one.leaf);
        resolve(bad.size === 0 ? [] : transactions.filter((transaction) => bad.has(transaction)));
      }, reject);
    }
  }

  return {
    findInvalid(transactions, { remember = true } = {}) {
      const unknown = good.isEmpty() ? transactions : transactions.filter(({ leaf }) => !good.has(leaf));
      asked.worker.increment(unknown.length);
      asked.memory.increment(transactions.length - unknown.length);
      if (unknown.length === 0) return Promise.resolve([]);
      return new Promise((resolve, reject) => {
        waiting.push({ transactions: unknown, remember, resolve, reject });
        if (waiting.length === 1) void Promise.resolve().then(verifyWaiting);
      });
    },
  };
}
