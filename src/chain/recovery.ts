import { createForkTree, type ForkTree, type TreeBlock } from "../consensus/index.ts";
import {
  type AccountRecord,
  applyBlock,
  encodeUndo,
  type Genesis,
  type LedgerTotals,
  touchedKeys,
} from "../ledger/index.ts";
import type { KeyValueStore, Logger, Write } from "../ports/index.ts";
import { type BlockId, bytesToHex, equalBytes, HeaderSsz, hexToBytes, ZERO_32 } from "../primitives/index.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { checkJournal, createJournal, headOf, type JournalCheck } from "./journal.ts";
import { createLedgerState, readAccounts } from "./ledger-state.ts";
import {
  DERIVED_TABLES,
  decodeStoredBlock,
  decodeTotals,
  encodePlace,
  encodeStoredBlock,
  encodeTotals,
  keys,
  SCHEMA_VERSION,
  tableRange,
} from "./schema.ts";

/** What the database holds, made whole. */
export interface RecoveredChain {
  readonly tree: ForkTree;
  readonly head: TreeBlock;
  readonly accounts: readonly AccountRecord[];
  readonly totals: LedgerTotals;
  readonly journal: JournalCheck;
  /** Lowest arrival number not used yet. */
  readonly nextArrival: number;
  /** Set where batches were missing and the state was rebuilt by replay. */
  readonly rebuilt: { readonly lostBatches: boolean; readonly replayed: number } | undefined;
}

/** Deletions per unsynced batch while a table is wiped. */
const WIPE_BATCH = 10_000;
/** Bytes of state, undo and index per batch during a replay. */
const REPLAY_BATCH_BYTES = 8 * 1024 * 1024;

function numberBytes(value: number): Uint8Array {
  return new TextEncoder().encode(String(value));
}

/** Opens or creates the chain data in a store. Idempotent: a crash at any point is mended by the next call. */
export async function recover(
  store: KeyValueStore,
  genesis: Genesis,
  logger: Logger,
): Promise<RecoveredChain> {
  await checkIdentity(store, genesis);
  let journal = await checkJournal(store);
  const mark = await store.get(keys.meta("rebuild"));
  let rebuilt: RecoveredChain["rebuilt"];
  if (mark !== undefined || journal.stranded.length > 0 || journal.last === undefined) {
    const isNew = mark === undefined && journal.last === undefined && journal.stranded.length === 0;
    const target =
      mark === undefined
        ? journal.last === undefined
          ? undefined
          : headOf(journal.last.link)
        : bytesToHex(mark);
    if (!isNew) {
      const fields = {
        lostAfterBatch: journal.last?.sequence ?? 0,
        strandedBatches: journal.stranded.length,
      };
      logger.warn(fields, "the database lost writes; rebuilding the state by replay");
    }
    await markRebuild(store, genesis, target ?? genesis.block.header.id, journal);
    journal = await checkJournal(store);
    const replayed = await rebuild(store, genesis, target ?? genesis.block.header.id, journal, logger);
    journal = await checkJournal(store);
    if (!isNew) rebuilt = { lostBatches: mark === undefined, replayed };
  }
  const { tree, nextArrival } = await loadTree(store, genesis, logger, rebuilt !== undefined);
  const headId = await store.get(keys.meta("head"));
  const head = headId === undefined ? undefined : tree.get(bytesToHex(headId));
  const totals = await store.get(keys.meta("totals"));
  if (head === undefined || totals === undefined) {
    throw new ChainError("CHAIN_CORRUPT", "the database names a head that it does not hold");
  }
  return {
    tree,
    head,
    accounts: await readAccounts(store),
    totals: decodeTotals(totals),
    journal,
    nextArrival,
    rebuilt,
  };
}

async function checkIdentity(store: KeyValueStore, genesis: Genesis): Promise<void> {
  const [schema, chain] = await store.getMany([keys.meta("schema"), keys.meta("chain")]);
  const version = schema === undefined ? SCHEMA_VERSION : Number(new TextDecoder().decode(schema));
  if (version > SCHEMA_VERSION) {
    throw new ChainError(
      "CHAIN_SCHEMA_NEWER",
      `the database has schema ${version}; this version knows ${SCHEMA_VERSION}. Use a newer cumulo, or another --data directory`,
    );
  }
  if (chain !== undefined && !equalBytes(chain, genesis.chainId)) {
    throw new ChainError(
      "CHAIN_OTHER_NETWORK",
      `the database belongs to chain ${bytesToHex(chain)}, not ${genesis.block.header.id}. Use its genesis file, or another --data directory`,
    );
  }
}

/** One synced batch that makes the rebuild restartable, and ends the old chain of batches at its last whole one. */
async function markRebuild(
  store: KeyValueStore,
  genesis: Genesis,
  target: BlockId,
  journal: JournalCheck,
): Promise<void> {
  const writes: Write[] = [
    { key: keys.meta("schema"), value: numberBytes(SCHEMA_VERSION) },
    { key: keys.meta("chain"), value: genesis.chainId },
    { key: keys.meta("rebuild"), value: hexToBytes(target) },
    ...journal.stranded.map((sequence) => ({ key: keys.batch(sequence), value: undefined })),
  ];
  await store.write(writes, { sync: true });
}

async function wipe(store: KeyValueStore): Promise<void> {
  for (const table of DERIVED_TABLES) {
    let writes: Write[] = [];
    for await (const [key] of store.scan(tableRange(table))) {
      writes.push({ key, value: undefined });
      if (writes.length < WIPE_BATCH) continue;
      await store.write(writes, { sync: false });
      writes = [];
    }
    await store.write(writes, { sync: false });
  }
}

/** The blocks from the child of genesis up to `target`, or to the last below it whose data is all there. */
async function pathTo(store: KeyValueStore, genesis: Genesis, target: BlockId): Promise<BlockId[]> {
  const blocks = createBlockStore(store);
  let descending: BlockId[] = [];
  for (let id = target; id !== genesis.block.header.id; ) {
    const header = await blocks.header(id);
    // Without a header there is no way further down: start over from genesis and let peers send the rest.
    if (header === undefined) return [];
    if ((await blocks.bodyBytes(id)) === undefined) descending = [];
    else descending.push(id);
    id = header.parent;
  }
  return descending.reverse();
}

/**
 * Executes the stored blocks from genesis to `target` again. Undo data may lie in the hole too, so going back from the
 * head is no way. Signatures were verified before these blocks were stored.
 */
async function rebuild(
  store: KeyValueStore,
  genesis: Genesis,
  target: BlockId,
  check: JournalCheck,
  logger: Logger,
): Promise<number> {
  await wipe(store);
  const blocks = createBlockStore(store);
  const path = await pathTo(store, genesis, target);
  const journal = createJournal(store, check);
  const state = createLedgerState(store, { accounts: [], totals: { accounts: 0, issued: 0, burned: 0 } });
  state.tree.prepare(genesis.state).commit();
  const nothing = { accounts: 0, issued: 0, burned: 0 };
  state.apply({ ...genesis.state, undo: { before: nothing, restored: [], created: [] } });

  let head = genesis.block.header.id;
  let writes: Write[] = genesisWrites(genesis);
  let pendingBytes = 0;
  for (const id of path) {
    const block = await blocks.block(id);
    if (block === undefined) break;
    const { core } = block.header.header;
    await state.prefetch(touchedKeys(block.transactions, core.proposer));
    const execution = applyBlock(genesis.spec, state, state.totals, block);
    const pending = execution.ok ? state.tree.prepare(execution.change) : undefined;
    if (!execution.ok || pending === undefined || !equalBytes(pending.root, core.stateRoot)) break;
    pending.commit();
    state.apply(execution.change);
    const undo = encodeUndo(execution.change.undo);
    writes.push({ key: keys.undo(id), value: undo });
    block.transactions.forEach(({ txidBytes }, index) => {
      writes.push({ key: keys.transaction(txidBytes), value: encodePlace(block.header.idBytes, index) });
    });
    head = id;
    pendingBytes += undo.length + block.bodyBytes.length;
    if (pendingBytes > REPLAY_BATCH_BYTES) {
      // Not through the journal: until the mark is gone these batches only have to be there at the end.
      await store.write([...writes, ...state.drain()], { sync: false });
      logger.info({ height: core.height }, "rebuilding the state");
      writes = [];
      pendingBytes = 0;
    }
  }
  const totals = { key: keys.meta("totals"), value: encodeTotals(state.totals) };
  await journal.commit(
    [...writes, ...state.drain(), totals, { key: keys.meta("rebuild"), value: undefined }],
    head,
  );
  return path.length;
}

function genesisWrites({ block }: Genesis): Write[] {
  const stored = {
    header: block.header.bytes,
    arrival: 0,
    status: "valid" as const,
    transactions: 0,
    bodyBytes: block.bodyBytes.length,
    receivedMs: block.header.header.core.timestampMs,
    source: "genesis",
    refusal: "",
  };
  return [
    { key: keys.block(block.header.id), value: encodeStoredBlock(stored) },
    { key: keys.body(block.header.id), value: block.bodyBytes },
  ];
}

async function loadTree(
  store: KeyValueStore,
  genesis: Genesis,
  logger: Logger,
  bodiesMayBeLost: boolean,
): Promise<{ tree: ForkTree; nextArrival: number }> {
  const { core } = genesis.block.header.header;
  const tree = createForkTree({
    id: genesis.block.header.id,
    parent: bytesToHex(ZERO_32),
    height: 0,
    timestampMs: core.timestampMs,
    difficulty: core.difficulty,
    arrival: 0,
  });
  const rows: (Parameters<ForkTree["insert"]>[0] & { status: TreeBlock["status"] })[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const stored = decodeStoredBlock(value);
    const header = HeaderSsz.deserialize(stored.header).core;
    if (header.height === 0) continue;
    const { height, timestampMs, difficulty } = header;
    const id = bytesToHex(key.subarray(1));
    rows.push({
      id,
      parent: bytesToHex(header.parent),
      height,
      timestampMs,
      difficulty,
      arrival: stored.arrival,
      status: stored.status,
    });
  }
  rows.sort((a, b) => a.height - b.height || a.arrival - b.arrival);
  const lost = new Set<BlockId>();
  if (bodiesMayBeLost) {
    for (const { id } of rows) if ((await store.get(keys.body(id))) === undefined) lost.add(id);
  }
  const orphaned: Write[] = [];
  let nextArrival = 1;
  for (const { status, ...row } of rows) {
    nextArrival = Math.max(nextArrival, row.arrival + 1);
    if (tree.get(row.parent) === undefined || lost.has(row.id)) {
      // It, or its parent, was lost with a hole in the log; it comes back from peers.
      orphaned.push(
        { key: keys.block(row.id), value: undefined },
        { key: keys.body(row.id), value: undefined },
      );
      continue;
    }
    tree.insert(row, status === "valid" ? "valid" : "stored");
    if (status === "invalid") tree.markInvalid(row.id);
  }
  if (orphaned.length > 0) {
    logger.warn({ blocks: orphaned.length / 2 }, "removed stored blocks whose ancestors were lost");
    await store.write(orphaned, { sync: true });
  }
  return { tree, nextArrival };
}
