import { join } from "node:path";
import { createBlockStore } from "../../src/chain/block-store.ts";
import { checkJournal, createJournal } from "../../src/chain/journal.ts";
import { openLedgerState } from "../../src/chain/ledger-state.ts";
import { encodePlace, encodeStoredBlock, keys } from "../../src/chain/schema.ts";
import { packSignatures } from "../../src/keys/index.ts";
import { verifyPacked } from "../../src/keys/verify-tasks.ts";
import { applyBlock, encodeUndo, type Genesis, type StateChange } from "../../src/ledger/index.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import type { Write } from "../../src/ports/index.ts";
import {
  assembleBlock,
  type Block,
  type BlockBody,
  decodeBody,
  equalBytes,
  type SealedHeader,
  transactionsRoot,
} from "../../src/primitives/index.ts";
import { type BuiltChain, buildChain, openBuilt } from "../support/built-chain.ts";
import { createLab } from "../support/daemon.ts";

const BLOCKS = 800;
const TRANSFERS_PER_BLOCK = 50;
/** As many as a sync's batch has. */
const BLOCKS_PER_BATCH = 64;

/** What one transfer costs while syncing, by kind of work: microseconds of CPU, on all threads, one per run. */
export interface Budget {
  /** Taking the bytes of a body apart, with the id of each transaction. */
  readonly decode: readonly number[];
  /** The leaf of each transaction, and the root over a block's leaves. */
  readonly leaf: readonly number[];
  readonly signature: readonly number[];
  /** Executing transfers and writing down what undoes them. */
  readonly state: readonly number[];
  /** The state root after each block. */
  readonly root: readonly number[];
  /** Rows, batches of 64 blocks, synced writes. */
  readonly store: readonly number[];
}

type Kind = keyof Budget;

/** Runs a node's own steps one after the other over the same blocks, each alone, so that each is charged for its own garbage. */
export async function measureBudget(runs: number): Promise<Budget> {
  const lab = createLab();
  try {
    const dataDir = await lab.directory();
    const transfersAt = (): number => TRANSFERS_PER_BLOCK;
    const built = await buildChain({ dataDir, blocks: BLOCKS, transfersAt });
    const stored = await readBodies(built, join(dataDir, "chain"));
    const budget = { decode: [], leaf: [], signature: [], state: [], root: [], store: [] } as Record<
      Kind,
      number[]
    >;
    // The first run warms the code up and is not counted.
    for (let run = 0; run <= runs; run++) {
      const spent = await spend(built, stored, join(await lab.directory(), "chain"));
      if (run === 0) continue;
      for (const kind of Object.keys(budget) as Kind[]) budget[kind].push(spent[kind] / built.transfers);
    }
    return budget;
  } finally {
    await lab.close();
  }
}

interface StoredBody {
  readonly header: SealedHeader;
  readonly bytes: Uint8Array;
}

interface Executed {
  readonly change: StateChange;
  readonly undo: Uint8Array;
}

function bodyOf(bytes: Uint8Array): BlockBody {
  const body = decodeBody(bytes);
  if (body === undefined) throw new Error("a stored body does not decode");
  return body;
}

async function readBodies({ genesis, head }: BuiltChain, directory: string): Promise<StoredBody[]> {
  const store = await createLevelStore({ directory });
  try {
    const blocks = createBlockStore(store);
    const stored: StoredBody[] = [];
    for (let id = head.id; id !== genesis.block.header.id; ) {
      const [header, bytes] = [await blocks.header(id), await blocks.bodyBytes(id)];
      if (header === undefined || bytes === undefined) throw new Error(`block ${id} is missing`);
      stored.unshift({ header, bytes });
      id = header.parent;
    }
    return stored;
  } finally {
    await store.close();
  }
}

/** CPU time of all this process's threads, microseconds. */
async function charge<T>(work: () => T | Promise<T>): Promise<{ readonly value: T; readonly spent: number }> {
  const before = process.cpuUsage();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return { value, spent: user + system };
}

async function spend(
  { genesis }: BuiltChain,
  stored: readonly StoredBody[],
  directory: string,
): Promise<Record<Kind, number>> {
  const taken = await charge(() => stored.map(({ header, bytes }) => assembleBlock(header, bodyOf(bytes))));
  const blocks = taken.value;
  // The leaves are hashed here.
  const rooted = await charge(() => blocks.map(({ transactions }) => transactionsRoot(transactions)));
  const verified = await charge(() =>
    blocks.every(({ transactions }) => !verifyPacked(packSignatures(transactions)).includes(0)),
  );
  if (!verified.value) throw new Error("a signature was refused");
  const executed = await charge(() => execute(genesis, blocks));
  const { root, store } = await write(genesis, blocks, executed.value, directory);
  return {
    decode: taken.spent,
    leaf: rooted.spent,
    signature: verified.spent,
    state: executed.spent,
    root,
    store,
  };
}

/** Executes all blocks over accounts in memory. */
function execute({ spec, state }: Genesis, blocks: readonly Block[]): Executed[] {
  const accounts = new Map(state.accounts.map((account) => [account.key, account]));
  let { totals } = state;
  return blocks.map((block) => {
    const execution = applyBlock(spec, accounts, totals, block);
    if (!execution.ok) throw new Error(execution.detail);
    const { change } = execution;
    for (const account of change.accounts) accounts.set(account.key, account);
    totals = change.totals;
    return { change, undo: encodeUndo(change.undo) };
  });
}

/** Brings the changes into the state tree, and batch by batch into a database of its own. */
async function write(
  genesis: Genesis,
  blocks: readonly Block[],
  executed: readonly Executed[],
  directory: string,
): Promise<{ root: number; store: number }> {
  // Opening writes the state of genesis.
  await (await openBuilt(genesis, directory)).close();
  const level = await createLevelStore({ directory });
  try {
    const state = await openLedgerState(level, genesis.state.totals);
    await state.prefetchProven(new Set(genesis.state.accounts.map(({ key }) => key)));
    const journal = createJournal(level, await checkJournal(level));
    let [root, store] = [0, 0];
    for (let from = 0; from < blocks.length; from += BLOCKS_PER_BATCH) {
      const batch = blocks.slice(from, from + BLOCKS_PER_BATCH);
      const rooted = await charge(async () => {
        for (const [i, { header }] of batch.entries()) {
          const pending = await state.prepare((executed[from + i] as Executed).change);
          if (!equalBytes(pending.root, header.header.core.stateRoot)) throw new Error("another state root");
          pending.commit();
        }
      });
      root += rooted.spent;
      const written = await charge(async () => {
        const rows = batch.flatMap((block, i) => rowsOf(block, (executed[from + i] as Executed).undo));
        await journal.commit([...rows, ...state.drain()], (batch.at(-1) as Block).header.id);
      });
      store += written.spent;
    }
    return { root, store };
  } finally {
    await level.close();
  }
}

/** What the chain writes of a block that it connects. */
function rowsOf({ header, bodyBytes, transactions }: Block, undo: Uint8Array): Write[] {
  const row = {
    header: header.bytes,
    arrival: header.header.core.height,
    status: "valid",
    transactions: transactions.length,
    bodyBytes: bodyBytes.length,
    receivedMs: header.header.core.timestampMs,
    source: "12D3KooWGRUaLBBNiDNFnAFw8PVpXvmXrUZ8XyYbmYfMTtMbBFQd",
    refusal: "",
  } as const;
  return [
    { key: keys.block(header.id), value: encodeStoredBlock(row) },
    { key: keys.body(header.id), value: bodyBytes },
    { key: keys.undo(header.id), value: undo },
    ...transactions.map(({ txid }, index) => ({
      key: keys.transaction(txid),
      value: encodePlace(header.idBytes, index),
    })),
  ];
}
