import assert from "node:assert/strict";
import { baseAccounts, readBase } from "../../src/chain/base.ts";
import {
  type BlockSource,
  type Chain,
  type ChainDeps,
  createSignatureVerifier,
  type ImportResult,
  openChain,
  type SignatureVerifier,
} from "../../src/chain/index.ts";
import type { Base } from "../../src/chain/schema.ts";
import { tasks } from "../../src/keys/verify-tasks.ts";
import { type AccountRecord, applyBlock, type Genesis } from "../../src/ledger/index.ts";
import {
  createInlineWorkerPool,
  createManualClock,
  createManualTimers,
  createMemoryStore,
  type KeyValueStore,
  type Logger,
  type ManualClock,
  silentLogger,
  type Timers,
} from "../../src/ports/index.ts";
import type { Block } from "../../src/primitives/index.ts";
import { referenceStateRoot } from "./block-builder.ts";

export const fromPeer = (peer = "peer"): BlockSource => ({ peer, message: "sync", receivedMs: 0 });

export interface OpenOptions {
  readonly store?: KeyValueStore;
  readonly clock?: ManualClock;
  readonly settle?: ChainDeps["settle"];
  readonly signatures?: SignatureVerifier;
  readonly logger?: Logger;
  readonly pruneDepth?: number;
  /** Default: nobody reads the blocks for an index. */
  readonly usedUpTo?: () => number;
  /** Default: those of the clock. */
  readonly timers?: Timers;
}

/** A chain over real code with an in-memory store and a clock far ahead of the test blocks' timestamps. */
export async function openTestChain(genesis: Genesis, options: OpenOptions = {}): Promise<Chain> {
  const clock = options.clock ?? createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const { usedUpTo = () => Number.MAX_SAFE_INTEGER, timers = createManualTimers(clock) } = options;
  return await openChain({
    store: options.store ?? createMemoryStore(),
    genesis,
    clock,
    logger: options.logger ?? silentLogger,
    signatures: options.signatures ?? createSignatureVerifier(createInlineWorkerPool(tasks)),
    node: "test",
    settle: options.settle ?? (async () => []),
    ...(options.pruneDepth !== undefined && {
      pruning: { depth: options.pruneDepth, usedUpTo, timers },
    }),
  });
}

/** Imports one after the other, as they would come from a slow peer. */
export async function importAll(chain: Chain, blocks: readonly Block[]): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  for (const block of blocks) results.push(await chain.import(block, fromPeer()));
  return results;
}

/** A signature verifier that counts what it was asked, over the real one. */
export function createCountingVerifier(): SignatureVerifier & { asked: number } {
  const real = createSignatureVerifier(createInlineWorkerPool(tasks));
  const counting = {
    asked: 0,
    async findInvalid(...[transactions, options]: Parameters<SignatureVerifier["findInvalid"]>) {
      counting.asked += 1;
      return await real.findInvalid(transactions, options);
    },
  };
  return counting;
}

/** How an import went, in one word: a status, or the rule that refused. */
export const outcome = (result: ImportResult): string =>
  result.status === "refused"
    ? `${result.verdict.code} ${result.verdict.mutated === true ? "mutated" : result.verdict.permanence}`
    : result.status;

/** Imports one block and says how it went. */
export async function importOne(
  chain: Chain,
  block: Block,
  source: BlockSource = fromPeer(),
): Promise<string> {
  return outcome(await chain.import(block, source));
}

/**
 * The outcome of a replay of the best chain, with nothing of the database but the blocks, and where some were pruned, from
 * the base in `store`, whose own state root is held to its block's header.
 */
export async function replayedRoot(chain: Chain, store?: KeyValueStore): Promise<Uint8Array> {
  const base = store && (await readBase(store));
  const start = store && base ? await accountsOf(store, base) : chain.genesis.state.accounts;
  let totals = base?.totals ?? chain.genesis.state.totals;
  if (base !== undefined) {
    const header = await chain.blocks.header(base.block);
    assert.equal(chain.idAt(base.height), base.block);
    assert.deepEqual(referenceStateRoot(start, totals), header?.header.core.stateRoot);
  }
  const accounts = new Map(start.map((account) => [account.key, account]));
  for (let height = (base?.height ?? 0) + 1; height <= chain.head.height; height++) {
    const block = await chain.blocks.block(chain.idAt(height) ?? "");
    if (block === undefined) throw new Error(`the block at height ${height} is missing`);
    const execution = applyBlock(chain.genesis.spec, accounts, totals, block);
    if (!execution.ok) throw new Error(`height ${height}: ${execution.detail}`);
    for (const account of execution.change.accounts) accounts.set(account.key, account);
    totals = execution.change.totals;
  }
  return referenceStateRoot(
    [...accounts.values()].sort((a, b) => a.index - b.index),
    totals,
  );
}

async function accountsOf(store: KeyValueStore, base: Base): Promise<AccountRecord[]> {
  const accounts: AccountRecord[] = [];
  for await (const batch of baseAccounts(store, base)) accounts.push(...batch);
  return accounts;
}

/** The state root that the head's header names. */
export async function headStateRoot(chain: Chain): Promise<Uint8Array> {
  const header = await chain.blocks.header(chain.head.id);
  if (header === undefined) throw new Error("the head is not stored");
  return header.header.core.stateRoot;
}
