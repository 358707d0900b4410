import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Chain, createSignatureVerifier, openChain } from "../../src/chain/index.ts";
import { tasks } from "../../src/keys/verify-tasks.ts";
import type { Genesis } from "../../src/ledger/index.ts";
import { searchNonce } from "../../src/miner/search-tasks.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createSystemClock } from "../../src/node/adapters/system-clock.ts";
import { createSystemTimers } from "../../src/node/adapters/system-timers.ts";
import { createInlineWorkerPool, silentLogger } from "../../src/ports/index.ts";
import {
  assembleBlock,
  type GenesisJson,
  headerCoreRoot,
  type SealedHeader,
  type SealedTransaction,
  sealHeader,
  specToJson,
} from "../../src/primitives/index.ts";
import { keyOf, testGenesis, transfer } from "./block-builder.ts";

const COIN = 100_000_000;

export interface BuiltChainOptions {
  /** A data directory that `cumulo node start` takes; made here. */
  readonly dataDir: string;
  readonly blocks: number;
  /** How many transfers the block at a height holds. */
  readonly transfersAt: (height: number) => number;
  /** Accounts that pay each other in turn, all with coins at genesis. */
  readonly senders?: number;
  readonly genesis?: Partial<GenesisJson>;
}

export interface BuiltChain {
  readonly genesis: Genesis;
  readonly genesisFile: string;
  readonly head: { readonly id: string; readonly height: number; readonly work: bigint };
  /** Ascending from height 1. */
  readonly headers: readonly SealedHeader[];
  readonly transfers: number;
}

/** Opens the chain in a directory without a node around it. */
export async function openBuilt(genesis: Genesis, directory: string, pruneDepth?: number): Promise<Chain> {
  return await openChain({
    store: await createLevelStore({ directory }),
    genesis,
    clock: createSystemClock(),
    logger: silentLogger,
    signatures: createSignatureVerifier(createInlineWorkerPool(tasks)),
    node: "builder",
    settle: async () => [],
    ...(pruneDepth !== undefined && {
      pruning: { depth: pruneDepth, usedUpTo: () => Number.MAX_SAFE_INTEGER, timers: createSystemTimers() },
    }),
  });
}

/** Mines a chain into a data directory, through the same code that validates it but without any network. */
export async function buildChain(options: BuiltChainOptions): Promise<BuiltChain> {
  const { dataDir, blocks, transfersAt, senders = 100 } = options;
  const names = Array.from({ length: senders }, (_, i) => `sender ${i}`);
  const allocations = names.map((name) => ({ address: keyOf(name).address, amount: 10_000 * COIN }));
  const genesis = testGenesis({ difficultyBits: 4, allocations, ...options.genesis });
  const genesisFile = join(dataDir, "genesis.json");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const chain = await openBuilt(genesis, join(dataDir, "chain"));
  const proposer = keyOf("builder").publicKey;
  const headers: SealedHeader[] = [];
  let transfers = 0;
  const nextTransfer = (): SealedTransaction => {
    const i = transfers++;
    const from = names[i % senders] ?? "";
    const to = names[(i * 7 + 1) % senders] ?? "";
    return transfer(genesis, { from, to, amount: 1 + (i % 1_000), nonce: Math.floor(i / senders) });
  };
  try {
    for (let height = 1; height <= blocks; height++) {
      const candidates = Array.from({ length: transfersAt(height) }, nextTransfer);
      const { core, body, target } = await chain.buildTemplate({ proposer, candidates: () => candidates });
      const coreRoot = headerCoreRoot(core);
      const { nonce } = searchNonce({ coreRoot, target, startNonce: 0, count: 2 ** 32 });
      if (nonce === undefined) throw new Error("no nonce was found");
      const block = assembleBlock(sealHeader({ core, nonce }), body);
      headers.push(block.header);
      const source = { peer: "local", message: "mined" as const, receivedMs: core.timestampMs };
      const { status } = await chain.import(block, source);
      if (status !== "connected" || body.transactions.length !== candidates.length)
        throw new Error(`block ${height} is ${status} with ${body.transactions.length} transactions`);
    }
    const { id, height, work } = chain.head;
    return { genesis, genesisFile, head: { id, height, work }, headers, transfers };
  } finally {
    await chain.close();
  }
}
