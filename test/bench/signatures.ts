import { availableParallelism } from "node:os";
import { keyFromSeed, packSignatures, signTransaction, type VerifyTasks } from "../../src/keys/index.ts";
import { createThreadWorkerPool } from "../../src/node/adapters/thread-worker-pool.ts";
import { ZERO_32 } from "../../src/primitives/index.ts";

const TRANSACTIONS = 40_000;
/** As many as one task of the daemon's own verifier takes at most. */
const PER_TASK = 512;

/** Signatures a second over distinct messages, on all cores, through the daemon's own worker threads: what nothing beats. */
export async function measureSignatures(runs: number): Promise<number[]> {
  const keys = Array.from({ length: 100 }, (_, i) => keyFromSeed(new Uint8Array(32).fill(i + 1)));
  const packed: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < TRANSACTIONS; from += PER_TASK) {
    const part = Array.from({ length: Math.min(PER_TASK, TRANSACTIONS - from) }, (_, i) => {
      const key = keys[(from + i) % keys.length] as (typeof keys)[number];
      const value = { to: ZERO_32, amount: 1, memo: new Uint8Array() };
      const action = { selector: 0 as const, value };
      const body = { chain: ZERO_32, sender: key.publicKey, nonce: from + i, fee: 1_000, expiry: 1, action };
      return signTransaction(body, key);
    });
    packed.push(packSignatures(part));
  }
  const pool = createThreadWorkerPool<VerifyTasks>({
    module: new URL("../../src/keys/verify-tasks.ts", import.meta.url),
    size: availableParallelism(),
  });
  const verifyAll = async (): Promise<void> => {
    const results = await Promise.all(packed.map((input) => pool.run("verifySignatures", input)));
    if (!results.every((flags) => flags.every((flag) => flag === 1)))
      throw new Error("a signature was refused");
  };
  try {
    // The threads start with the first tasks.
    await verifyAll();
    const perSecond: number[] = [];
    for (let run = 0; run < runs; run++) {
      const startMs = performance.now();
      await verifyAll();
      perSecond.push((TRANSACTIONS * 1_000) / (performance.now() - startMs));
    }
    return perSecond;
  } finally {
    await pool.close();
  }
}
