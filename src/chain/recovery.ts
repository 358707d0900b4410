import { createForkTree, type ForkTree, type TreeBlock } from "../consensus/index.ts";
import {
  type AccountRecord,
  applyBlock,
  createStateTree,
  encodeUndo,
  type Genesis,
  type LedgerTotals,
  touchedKeys,
} from "../ledger/index.ts";
import type { KeyValueStore, Logger, Write } from "../ports/index.ts";
import { type BlockId, bytesToHex, equalBytes, HeaderSsz, hexToBytes, ZERO_32 } from "../primitives/index.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { checkJournal, createJournal, headOf, type Journal, type JournalCheck } from "./journal.ts";
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

/** Deletions per batch while a table is wiped. */
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
  const check = await checkJournal(store);
  const mark = await store.get(keys.meta("rebuild"));
  const isNew = mark === undefined && check.last === undefined && check.stranded.length === 0;
  if (mark === undefined && check.last !== undefined && check.stranded.length === 0) {
    const recovered = await load(store, genesis, logger);
    if (recovered !== undefined) return { ...recovered, journal: check, rebuilt: undefined };
  }
  if (!isNew) {
    const fields = { lostAfterBatch: check.last?.sequence ?? 0, strandedBatches: check.stranded.length };
    logger.warn(fields, "the database lost writes; rebuilding the state by replay");
  }
  const lastHead = check.last === undefined ? genesis.block.header.id : headOf(check.last.link);
  const target = mark === undefined ? lastHead : bytesToHex(mark);
  const journal = createJournal(store, check);
  await markRebuild(journal, genesis, target, check);
  const rebuilt = await rebuild(store, genesis, target, journal, logger);
  await removeLost(store, genesis, journal, rebuilt.head, logger);
  await journal.commit(
    [...identityWrites(genesis), { key: keys.meta("rebuild"), value: undefined }],
    rebuilt.head,
  );
  const recovered = await load(store, genesis, logger);
  if (recovered === undefined) {
    throw new ChainError("CHAIN_CORRUPT", "the state does not fit the head, not even after a rebuild");
  }
  return {
    ...recovered,
    journal: await checkJournal(store),
    rebuilt: isNew ? undefined : { lostBatches: mark === undefined, replayed: rebuilt.replayed },
  };
}

/** Reads everything; `undefined` where the head is not there or the state is not the head's. */
async function load(
  store: KeyValueStore,
  genesis: Genesis,
  logger: Logger,
): Promise<Omit<RecoveredChain, "journal" | "rebuilt"> | undefined> {
  const [headId, totalsRow] = await store.getMany([keys.meta("head"), keys.meta("totals")]);
  if (headId === undefined || totalsRow === undefined) return undefined;
  const totals = decodeTotals(totalsRow);
  const accounts = await readAccounts(store);
  const header = await createBlockStore(store).header(bytesToHex(headId));
  // Holes older than the checked window, and whatever else a disk does to a state: the header knows what it must be.
  if (header === undefined || accounts.some(({ index }, i) => index !== i)) return undefined;
  if (accounts.length !== totals.accounts) return undefined;
  if (!equalBytes(createStateTree({ accounts, totals }).root, header.header.core.stateRoot)) return undefined;
  const { tree, nextArrival, lost } = await readTree(store, genesis);
  const head = tree.get(header.id);
  if (lost.length > 0) logger.warn({ blocks: lost.length }, "stored blocks have no way to genesis");
  return head === undefined || lost.length > 0 ? undefined : { tree, head, accounts, totals, nextArrival };
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

function identityWrites(genesis: Genesis): Write[] {
  return [
    { key: keys.meta("schema"), value: numberBytes(SCHEMA_VERSION) },
    { key: keys.meta("chain"), value: genesis.chainId },
  ];
}

/** One batch that makes the rebuild restartable, and ends the old chain of batches at its last whole one. */
async function markRebuild(
  journal: Journal,
  genesis: Genesis,
  target: BlockId,
  { stranded }: JournalCheck,
): Promise<void> {
  const writes: Write[] = [
    ...identityWrites(genesis),
    { key: keys.meta("rebuild"), value: hexToBytes(target) },
    ...stranded.map((sequence) => ({ key: keys.batch(sequence), value: undefined })),
  ];
  await journal.commit(writes, target);
}

/** Empties the derived tables. Like the replay it goes through the journal: a hole in a rebuild is a hole too. */
async function wipe(store: KeyValueStore, journal: Journal, target: BlockId): Promise<void> {
  for (const table of DERIVED_TABLES) {
    let writes: Write[] = [];
    for await (const [key] of store.scan(tableRange(table))) {
      writes.push({ key, value: undefined });
      if (writes.length < WIPE_BATCH) continue;
      await journal.commit(writes, target);
      writes = [];
    }
    if (writes.length > 0) await journal.commit(writes, target);
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
  journal: Journal,
  logger: Logger,
): Promise<{ readonly head: BlockId; readonly replayed: number }> {
  await wipe(store, journal, target);
  const blocks = createBlockStore(store);
  const path = await pathTo(store, genesis, target);
  const state = createLedgerState(store, { accounts: [], totals: { accounts: 0, issued: 0, burned: 0 } });
  state.tree.prepare(genesis.state).commit();
  const nothing = { accounts: 0, issued: 0, burned: 0 };
  state.apply({ ...genesis.state, undo: { before: nothing, restored: [], created: [] } });

  let head = genesis.block.header.id;
  let writes: Write[] = genesisWrites(genesis);
  let pendingBytes = 0;
  let replayed = 0;
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
    replayed += 1;
    pendingBytes += undo.length + block.bodyBytes.length;
    if (pendingBytes > REPLAY_BATCH_BYTES) {
      await journal.commit([...writes, ...state.drain()], head);
      logger.info({ height: core.height }, "rebuilding the state");
      writes = [];
      pendingBytes = 0;
    }
  }
  // Also where there is no account at all, and so nothing to drain.
  const totals = { key: keys.meta("totals"), value: encodeTotals(state.totals) };
  await journal.commit([...writes, ...state.drain(), totals], head);
  return { head, replayed };
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

interface StoredRow {
  readonly block: Parameters<ForkTree["insert"]>[0];
  readonly status: TreeBlock["status"];
}

/** Every stored block but genesis, parents before children. */
async function readRows(store: KeyValueStore): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const { header, arrival, status } = decodeStoredBlock(value);
    const { height, parent, timestampMs, difficulty } = HeaderSsz.deserialize(header).core;
    if (height === 0) continue;
    const id = bytesToHex(key.subarray(1));
    rows.push({
      block: { id, parent: bytesToHex(parent), height, timestampMs, difficulty, arrival },
      status,
    });
  }
  return rows.sort((a, b) => a.block.height - b.block.height || a.block.arrival - b.block.arrival);
}

async function readTree(
  store: KeyValueStore,
  genesis: Genesis,
): Promise<{ tree: ForkTree; nextArrival: number; lost: BlockId[] }> {
  const { core } = genesis.block.header.header;
  const tree = createForkTree({
    id: genesis.block.header.id,
    parent: bytesToHex(ZERO_32),
    height: 0,
    timestampMs: core.timestampMs,
    difficulty: core.difficulty,
    arrival: 0,
  });
  const lost: BlockId[] = [];
  let nextArrival = 1;
  for (const { block, status } of await readRows(store)) {
    nextArrival = Math.max(nextArrival, block.arrival + 1);
    if (tree.get(block.parent) === undefined) {
      lost.push(block.id);
      continue;
    }
    tree.insert(block, status === "valid" ? "valid" : "stored");
    if (status === "invalid") tree.markInvalid(block.id);
  }
  return { tree, nextArrival, lost };
}

/** Removes blocks that lost their body, or an ancestor, in a hole; they come back from peers. */
async function removeLost(
  store: KeyValueStore,
  genesis: Genesis,
  journal: Journal,
  head: BlockId,
  logger: Logger,
): Promise<void> {
  const whole = new Set([genesis.block.header.id]);
  const writes: Write[] = [];
  for (const { block } of await readRows(store)) {
    const { id, parent } = block;
    if (whole.has(parent) && (await store.get(keys.body(id))) !== undefined) {
      whole.add(id);
      continue;
    }
    writes.push({ key: keys.block(id), value: undefined }, { key: keys.body(id), value: undefined });
  }
  if (writes.length === 0) return;
  logger.warn({ blocks: writes.length / 2 }, "removed stored blocks whose data or ancestors were lost");
  await journal.commit(writes, head);
}
