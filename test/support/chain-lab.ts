import {
  type BlockSource,
  type Chain,
  type ChainDeps,
  createSignatureVerifier,
  type ImportResult,
  openChain,
} from "../../src/chain/index.ts";
import { tasks } from "../../src/keys/verify-tasks.ts";
import type { Genesis } from "../../src/ledger/index.ts";
import {
  createInlineWorkerPool,
  createManualClock,
  createMemoryStore,
  type KeyValueStore,
  type ManualClock,
  silentLogger,
} from "../../src/ports/index.ts";
import type { Block } from "../../src/primitives/index.ts";

export const fromPeer = (peer = "peer"): BlockSource => ({ peer, message: "sync", receivedMs: 0 });

export interface OpenOptions {
  readonly store?: KeyValueStore;
  readonly clock?: ManualClock;
  readonly settle?: ChainDeps["settle"];
}

/** A chain over real code with an in-memory store and a clock far ahead of the test blocks' timestamps. */
export async function openTestChain(genesis: Genesis, options: OpenOptions = {}): Promise<Chain> {
  return await openChain({
    store: options.store ?? createMemoryStore(),
    genesis,
    clock: options.clock ?? createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000),
    logger: silentLogger,
    signatures: createSignatureVerifier(createInlineWorkerPool(tasks)),
    node: "test",
    settle: options.settle ?? (async () => []),
  });
}

/** Imports one after the other, as they would come from a slow peer. */
export async function importAll(chain: Chain, blocks: readonly Block[]): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  for (const block of blocks) results.push(await chain.import(block, fromPeer()));
  return results;
}
