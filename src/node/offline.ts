import { availableParallelism } from "node:os";
import {
  type CheckReport,
  checkChain,
  createSignatureVerifier,
  markForReindex,
  openChain,
} from "../chain/index.ts";
import type { VerifyTasks } from "../keys/index.ts";
import { createGenesis, type Genesis } from "../ledger/index.ts";
import { type KeyValueStore, StoreError, silentLogger } from "../ports/index.ts";
import { createSystemClock } from "./adapters/system-clock.ts";
import { createThreadWorkerPool } from "./adapters/thread-worker-pool.ts";
import { damagedStore, openStoredChain } from "./data-directory.ts";

/** Work on the directory of a node that does not run; the lock of its store keeps one from starting meanwhile. */
interface OfflineOptions {
  readonly dataDir: string;
  readonly onProgress?: (height: number, of: number) => void;
}

export interface ReindexResult {
  readonly head: string;
  readonly height: number;
  /** Lowest height that was executed; 0 where it began at genesis. */
  readonly firstHeight: number;
  /** Whether an earlier one was interrupted and this one went on with it. */
  readonly wentOn: boolean;
}

/** Runs with the store of a stopped node's chain, which is closed again whatever happens. */
async function withStore<T>(
  dataDir: string,
  work: (store: KeyValueStore, genesis: Genesis) => Promise<T>,
): Promise<T> {
  const { store, spec } = await openStoredChain(dataDir);
  try {
    return await work(store, createGenesis(spec));
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_CORRUPT") throw damagedStore(dataDir, error);
    throw error;
  } finally {
    await store.close();
  }
}

/** Runs with a verifier on worker threads, which end with it. */
export async function withVerifier<T>(
  work: (signatures: ReturnType<typeof createSignatureVerifier>) => Promise<T>,
) {
  const pool = createThreadWorkerPool<VerifyTasks>({
    module: new URL("../keys/verify-tasks.ts", import.meta.url),
    size: availableParallelism(),
  });
  try {
    return await work(createSignatureVerifier(pool));
  } finally {
    await pool.close();
  }
}

/** Executes all stored blocks again; interrupted at any point, the next call or the next start goes on. */
export async function reindexData({ dataDir, onProgress }: OfflineOptions): Promise<ReindexResult> {
  return await withStore(dataDir, async (store, genesis) => {
    const wentOn = (await markForReindex(store)) === "goes on";
    return await withVerifier(async (signatures) => {
      const chain = await openChain({
        store,
        genesis,
        clock: createSystemClock(),
        logger: silentLogger,
        signatures,
        node: "reindex",
        settle: async () => [],
        ...(onProgress && { onReplay: onProgress }),
      });
      const { id, height } = chain.head;
      const { firstHeight } = chain;
      await chain.close();
      return { head: id, height, firstHeight, wentOn };
    });
  });
}

/** Reads a stopped node's whole chain and says what is wrong with it; changes nothing. */
export async function checkData({
  dataDir,
  onProgress,
  withSignatures,
}: OfflineOptions & { readonly withSignatures: boolean }): Promise<CheckReport> {
  const check = (options: Parameters<typeof checkChain>[2]) =>
    withStore(dataDir, (store, genesis) =>
      checkChain(store, genesis, { ...options, ...(onProgress && { onProgress }) }),
    );
  return withSignatures ? await withVerifier((signatures) => check({ signatures })) : await check({});
}
