import { createForkTree, type ForkTree, type TreeBlock } from "../consensus/index.ts";
import { buildStateTree, type Genesis } from "../ledger/index.ts";
import { type KeyRange, type KeyValueStore, type Logger, StoreError, type Write } from "../ports/index.ts";
import {
  type BlockId,
  bytesToHex,
  decodeBody,
  decodeOr,
  equalBytes,
  HeaderSsz,
  hexToBytes,
} from "../primitives/index.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { checkJournal, createJournal, type Journal, type JournalCheck } from "./journal.ts";
import { type LedgerState, openLedgerState } from "./ledger-state.ts";
import { migrate, OBSOLETE, schemaOf } from "./migrations.ts";
import {
  DERIVED_TABLES,
  decodeStoredBlock,
  decodeTotals,
  encodeStoredBlock,
  encodeTotals,
  keys,
  SCHEMA_VERSION,
  stateWrites,
  tableRange,
} from "./schema.ts";

/** What the database holds, made whole. */
export interface RecoveredChain {
  readonly tree: ForkTree;
  readonly head: TreeBlock;
  readonly state: LedgerState;
  readonly journal: JournalCheck;
  /** Lowest arrival number not used yet. */
  readonly nextArrival: number;
  /** Batches were missing, so everything that follows from the blocks was thrown away and is executed again. */
  readonly reset: boolean;
  /** There was nothing in the store. */
  readonly isNew: boolean;
}

/** Deletions per batch while a table is wiped. */
const WIPE_BATCH = 10_000;
function numberBytes(value: number): Uint8Array {
  return new TextEncoder().encode(String(value));
}

/**
 * Opens or creates the chain data in a store. Where batches are missing, the state is set back to genesis; undo data may
 * lie in the hole too, so going back from the head is no way. The blocks that are there are then connected again like
 * any others, in batches that each leave a valid head. Idempotent: a crash at any point is mended by the next call.
 */
export async function recover(
  store: KeyValueStore,
  genesis: Genesis,
  logger: Logger,
): Promise<RecoveredChain> {
  await checkIdentity(store, genesis);
  const check = await checkJournal(store);
  const isMarked = (await store.get(keys.meta("rebuild"))) !== undefined;
  const isNew = !isMarked && check.last === undefined && check.stranded.length === 0;
  if (!isMarked && check.last !== undefined && check.stranded.length === 0) {
    const recovered = await upgradeAndLoad(store, genesis, check, logger).catch((error: unknown) => {
      if (error instanceof StoreError) throw error;
      // A row that does not decode: damage like any other.
      logger.warn({ error: String(error) }, "the database holds rows that cannot be read");
    });
    if (recovered !== undefined)
      return { ...recovered, journal: await checkJournal(store), reset: false, isNew };
  }
  if (!isNew) {
    const fields = { lostAfterBatch: check.last?.sequence ?? 0, strandedBatches: check.stranded.length };
    if (isMarked)
      logger.info(fields, "an earlier start did not finish setting up the state; it is done anew");
    else logger.warn(fields, "the database lost writes or is damaged; rebuilding the state by replay");
  }
  await resetToGenesis(store, genesis, check, logger);
  const recovered = await load(store, genesis, logger);
  if (recovered === undefined) {
    throw new ChainError("CHAIN_CORRUPT", "the state does not fit the head, not even at genesis");
  }
  return { ...recovered, journal: await checkJournal(store), reset: !isNew, isNew };
}

/** Whether data that should be there is not, or cannot be read. */
export function isDamage(error: unknown): boolean {
  return error instanceof ChainError && error.code === "CHAIN_CORRUPT";
}

/** Has the next start execute all stored blocks again, and the starts after it go on where that was interrupted. */
export async function markForReindex(store: KeyValueStore): Promise<"begun" | "goes on"> {
  if ((await store.get(keys.meta("reindex"))) !== undefined) return "goes on";
  const names = ["reindex", "rebuild"] as const;
  await store.write(
    names.map((name) => ({ key: keys.meta(name), value: Uint8Array.of(1) })),
    { sync: true },
  );
  return "begun";
}

/** Has the next start reset to genesis. Not through the journal: a mark that is lost does no harm. */
export async function markForRebuild(store: KeyValueStore): Promise<void> {
  await store.write([{ key: keys.meta("rebuild"), value: Uint8Array.of(1) }], { sync: true });
}

/** Brings the database to our schema first, where it has an earlier one. */
async function upgradeAndLoad(store: KeyValueStore, genesis: Genesis, check: JournalCheck, logger: Logger) {
  const journal = createJournal(store, check);
  const headId = await store.get(keys.meta("head"));
  if (headId === undefined) return undefined;
  const head = bytesToHex(headId);
  await migrate({ store, journal, head }, logger);
  for (const range of OBSOLETE) await wipe(store, journal, head, range);
  return await load(store, genesis, logger);
}

/** Reads everything; `undefined` where the head is not there or the state is not the head's. */
async function load(
  store: KeyValueStore,
  genesis: Genesis,
  logger: Logger,
): Promise<Omit<RecoveredChain, "journal" | "reset" | "isNew"> | undefined> {
  const [headId, totalsRow] = await store.getMany([keys.meta("head"), keys.meta("totals")]);
  if (headId === undefined || totalsRow === undefined) return undefined;
  const state = await openLedgerState(store, decodeTotals(totalsRow));
  const header = await createBlockStore(store).header(bytesToHex(headId));
  // Holes older than the checked window, and whatever else a disk does to a state: the header knows what it must be. Below
  // the top, every page and account is checked against its parent when it is read.
  if (header === undefined || !equalBytes(state.root, header.header.core.stateRoot)) return undefined;
  const { tree, nextArrival, lost } = await readTree(store, genesis);
  const head = tree.get(header.id);
  if (lost.length > 0) logger.warn({ blocks: lost.length }, "stored blocks have no way to genesis");
  return head === undefined || lost.length > 0 ? undefined : { tree, head, state, nextArrival };
}

/**
 * Fails where the store is of another network or of a newer schema; with `only`, also where it is empty or of an older
 * one, for those who cannot bring it to ours.
 */
export async function checkIdentity(
  store: KeyValueStore,
  genesis: Genesis,
  { only }: { readonly only?: typeof SCHEMA_VERSION } = {},
): Promise<void> {
  const chain = await store.get(keys.meta("chain"));
  const version = await schemaOf(store);
  if (only !== undefined && chain === undefined)
    throw new ChainError("CHAIN_EMPTY", "there is no chain in this directory yet; start the node once");
  if (only !== undefined && version < only) {
    const message = `the database has schema ${version}, and this version works on ${only}; start the node once, which brings it over`;
    throw new ChainError("CHAIN_SCHEMA_OLDER", message);
  }
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

/** Leaves the stored blocks, the state of genesis, and a chain of batches that is whole again. */
async function resetToGenesis(
  store: KeyValueStore,
  genesis: Genesis,
  check: JournalCheck,
  logger: Logger,
): Promise<void> {
  const journal = createJournal(store, check);
  const { id } = genesis.block.header;
  const strandedLinks = check.stranded.map((sequence) => ({ key: keys.batch(sequence), value: undefined }));
  const mark = { key: keys.meta("rebuild"), value: hexToBytes(id) };
  // From here until the mark is gone, every start begins the reset anew.
  await journal.commit([...identityWrites(genesis), ...strandedLinks, mark], id);
  for (const range of [...DERIVED_TABLES.map(tableRange), ...OBSOLETE]) await wipe(store, journal, id, range);
  await removeLost(store, genesis, journal, logger);
  await acquit(store, journal, id);
  await journal.commit(
    [...identityWrites(genesis), ...genesisWrites(genesis), { key: keys.meta("rebuild"), value: undefined }],
    id,
  );
}

/** Empties a range. It goes through the journal: a hole in a reset is a hole too. */
async function wipe(store: KeyValueStore, journal: Journal, target: BlockId, range: KeyRange): Promise<void> {
  let writes: Write[] = [];
  for await (const [key] of store.scan(range)) {
    writes.push({ key, value: undefined });
    if (writes.length < WIPE_BATCH) continue;
    await journal.commit(writes, target);
    writes = [];
  }
  if (writes.length > 0) await journal.commit(writes, target);
}

/** A verdict on a block may come from the state that is thrown away, so every block is judged again when it is executed. */
async function acquit(store: KeyValueStore, journal: Journal, target: BlockId): Promise<void> {
  const writes: Write[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const row = decodeOr(() => decodeStoredBlock(value));
    if (row?.status === "invalid")
      writes.push({ key, value: encodeStoredBlock({ ...row, status: "stored", refusal: "" }) });
  }
  if (writes.length > 0) await journal.commit(writes, target);
}

/** The genesis block and its state, as rows. */
function genesisWrites({ block, state }: Genesis): Write[] {
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
    { key: keys.meta("totals"), value: encodeTotals(state.totals) },
    ...stateWrites(state.accounts, buildStateTree(state)),
  ];
}

interface StoredRow {
  readonly block: Parameters<ForkTree["insert"]>[0];
  readonly status: TreeBlock["status"];
}

interface StoredRows {
  /** Every stored block but genesis, parents before children. */
  readonly rows: readonly StoredRow[];
  /** Ids of rows that cannot be read. */
  readonly damaged: readonly BlockId[];
}

async function readRows(store: KeyValueStore): Promise<StoredRows> {
  const rows: StoredRow[] = [];
  const damaged: BlockId[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const id = bytesToHex(key.subarray(1));
    const row = decodeOr(() => decodeStoredBlock(value));
    // Without its id, which costs ten times as much: this is done for every block at every start.
    const core = row && decodeOr(() => HeaderSsz.deserialize(row.header).core);
    if (row === undefined || core === undefined) {
      damaged.push(id);
      continue;
    }
    const { height, timestampMs, difficulty } = core;
    if (height === 0) continue;
    const { arrival, status } = row;
    rows.push({
      block: { id, parent: bytesToHex(core.parent), height, timestampMs, difficulty, arrival },
      status,
    });
  }
  rows.sort((a, b) => a.block.height - b.block.height || a.block.arrival - b.block.arrival);
  return { rows, damaged };
}

async function readTree(
  store: KeyValueStore,
  genesis: Genesis,
): Promise<{ tree: ForkTree; nextArrival: number; lost: BlockId[] }> {
  const { id, parent, header } = genesis.block.header;
  const { timestampMs, difficulty } = header.core;
  const marks: BlockId[] = [];
  for await (const [key] of store.scan(tableRange("marks"))) marks.push(bytesToHex(key.subarray(1)));
  const tree = createForkTree({ id, parent, height: 0, timestampMs, difficulty, arrival: 0 }, marks);
  const { rows, damaged } = await readRows(store);
  const lost = [...damaged];
  let nextArrival = 1;
  for (const { block, status } of rows) {
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

/** Removes blocks that lost their body, or an ancestor, in a hole or to damage; they come back from peers. */
async function removeLost(
  store: KeyValueStore,
  genesis: Genesis,
  journal: Journal,
  logger: Logger,
): Promise<void> {
  const whole = new Set([genesis.block.header.id]);
  const { rows, damaged } = await readRows(store);
  const lost = [...damaged];
  for (const { block } of rows) {
    const { id, parent } = block;
    const body = whole.has(parent) ? await store.get(keys.body(id)) : undefined;
    if (body !== undefined && decodeBody(body) !== undefined) whole.add(id);
    else lost.push(id);
  }
  const writes: Write[] = lost.flatMap((id) => [
    { key: keys.block(id), value: undefined },
    { key: keys.body(id), value: undefined },
  ]);
  if (writes.length === 0) return;
  logger.warn({ blocks: writes.length / 2 }, "removed stored blocks whose data or ancestors were lost");
  await journal.commit(writes, genesis.block.header.id);
}
