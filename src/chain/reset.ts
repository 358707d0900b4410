import { buildStateTree, type Genesis } from "../ledger/index.ts";
import type { KeyRange, KeyValueStore, Logger, Write } from "../ports/index.ts";
import { type BlockId, decodeBody, decodeOr, hexToBytes } from "../primitives/index.ts";
import { baseAccounts, encodePruned, problemOfBase, readBase, rebuildTree, WITHOUT_BASE } from "./base.ts";
import { ChainError } from "./errors.ts";
import { createJournal, type Journal, type JournalCheck } from "./journal.ts";
import { OBSOLETE } from "./migrations.ts";
import {
  type Base,
  DERIVED_TABLES,
  decodeStoredBlock,
  encodeStoredBlock,
  encodeTotals,
  keys,
  SCHEMA_VERSION,
  stateWrites,
  tableRange,
} from "./schema.ts";
import { readRows } from "./stored-rows.ts";

/** Rows per batch while a table is wiped, or gone through. */
const WIPE_BATCH = 10_000;

function numberBytes(value: number): Uint8Array {
  return new TextEncoder().encode(String(value));
}

/** A reset under way: to the base, or to genesis where nothing was pruned. */
interface Reset {
  readonly store: KeyValueStore;
  readonly genesis: Genesis;
  readonly base: Base | undefined;
  readonly journal: Journal;
  readonly logger: Logger;
  /** Where the state is going to stand. */
  readonly target: BlockId;
}

/**
 * Leaves the stored blocks, the state of the base, or of genesis, and a chain of batches that is whole again. Fails with
 * CHAIN_CORRUPT, and has changed nothing then, where the base is damaged.
 */
export async function resetState(
  store: KeyValueStore,
  genesis: Genesis,
  check: JournalCheck,
  logger: Logger,
): Promise<void> {
  const base = await readBase(store);
  const problem = base && (await problemOfBase(store, base));
  if (problem !== undefined)
    throw new ChainError("CHAIN_CORRUPT", `the base is damaged: ${problem}; ${WITHOUT_BASE}`);
  const journal = createJournal(store, check);
  const target = base?.block ?? genesis.block.header.id;
  const reset: Reset = { store, genesis, base, journal, logger, target };
  const strandedLinks = check.stranded.map((sequence) => ({ key: keys.batch(sequence), value: undefined }));
  const mark = { key: keys.meta("rebuild"), value: hexToBytes(genesis.block.header.id) };
  // From here until the mark is gone, every start begins the reset anew.
  await journal.commit([...identityWrites(genesis), ...strandedLinks, mark], target);
  for (const range of [...DERIVED_TABLES.map(tableRange), ...OBSOLETE])
    await wipe(store, journal, target, range);
  await removeLost(reset);
  await acquit(store, journal, target);
  const last = base === undefined ? genesisWrites(genesis) : await restoreBase(reset, base);
  await journal.commit(
    [...identityWrites(genesis), ...last, { key: keys.meta("rebuild"), value: undefined }],
    target,
  );
}

function identityWrites(genesis: Genesis): Write[] {
  return [
    { key: keys.meta("schema"), value: numberBytes(SCHEMA_VERSION) },
    { key: keys.meta("chain"), value: genesis.chainId },
  ];
}

/** Empties a range, or takes some rows out of it. It goes through the journal: a hole in a reset is a hole too. */
export async function wipe(
  store: KeyValueStore,
  journal: Journal,
  target: BlockId,
  range: KeyRange,
  isGone: (key: Uint8Array, value: Uint8Array) => boolean = () => true,
): Promise<void> {
  let writes: Write[] = [];
  for await (const [key, value] of store.scan(range)) {
    if (!isGone(key, value)) continue;
    writes.push({ key, value: undefined });
    if (writes.length < WIPE_BATCH) continue;
    await journal.commit(writes, target);
    writes = [];
  }
  if (writes.length > 0) await journal.commit(writes, target);
}

/**
 * A verdict on a block may come from a state that is thrown away, so every block is judged again when it is executed. The
 * rule that one broke goes, also from a row that says no more than that.
 */
export async function acquit(store: KeyValueStore, journal: Journal, target: BlockId): Promise<void> {
  let writes: Write[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const row = decodeOr(() => decodeStoredBlock(value));
    if (row === undefined || (row.status !== "invalid" && row.refusal === "")) continue;
    const status = row.status === "invalid" ? "stored" : row.status;
    writes.push({ key, value: encodeStoredBlock({ ...row, status, refusal: "" }) });
    if (writes.length < WIPE_BATCH) continue;
    await journal.commit(writes, target);
    writes = [];
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
    ...stateWrites(state.accounts, buildStateTree(state).drain()),
  ];
}

/** Writes the state of the base, all but what the last batch has: that nothing more is to be done. */
async function restoreBase({ store, journal, target }: Reset, base: Base): Promise<Write[]> {
  for await (const { accounts, pages } of rebuildTree(baseAccounts(store, base), base.totals))
    await journal.commit(stateWrites(accounts, pages), target);
  return [
    { key: keys.meta("totals"), value: encodeTotals(base.totals) },
    { key: keys.meta("pruned"), value: encodePruned(base.height + 1) },
  ];
}

/**
 * Removes blocks that lost their body, or an ancestor, in a hole or to damage; they come back from peers. Of blocks up to
 * the base only the headers on the way to it stay.
 */
async function removeLost({ store, genesis, base, journal, logger, target }: Reset): Promise<void> {
  const { rows, damaged } = await readRows(store);
  const parents = new Map(rows.map(({ block }) => [block.id, block.parent]));
  const pruned = new Set<BlockId>();
  for (let id = base?.block ?? genesis.block.header.id; id !== genesis.block.header.id; ) {
    pruned.add(id);
    const parent = parents.get(id);
    if (parent === undefined)
      throw new ChainError(
        "CHAIN_CORRUPT",
        `block ${id} on the way to the base is missing or damaged; ${WITHOUT_BASE}`,
      );
    id = parent;
  }
  const whole = new Set([target]);
  const lost = [...damaged];
  let writes: Write[] = [];
  const remove = async (...keysGone: Uint8Array[]): Promise<void> => {
    writes.push(...keysGone.map((key) => ({ key, value: undefined })));
    if (writes.length < WIPE_BATCH) return;
    await journal.commit(writes, target);
    writes = [];
  };
  for (const { block } of rows) {
    const { id, parent } = block;
    if (pruned.has(id)) {
      await remove(keys.body(id));
      continue;
    }
    const body = whole.has(parent) ? await store.get(keys.body(id)) : undefined;
    if (body !== undefined && decodeBody(body) !== undefined) whole.add(id);
    else lost.push(id);
  }
  for (const id of lost) await remove(keys.block(id), keys.body(id));
  if (writes.length > 0) await journal.commit(writes, target);
  if (lost.length > 0)
    logger.warn(
      { blocks: lost.length },
      "removed stored blocks without a whole way from where the replay begins",
    );
}
