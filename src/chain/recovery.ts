import type { TreeBlock } from "../consensus/index.ts";
import type { Genesis } from "../ledger/index.ts";
import { type KeyValueStore, type Logger, StoreError } from "../ports/index.ts";
import { bytesToHex, equalBytes } from "../primitives/index.ts";
import { readBase, readPruned } from "./base.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { checkJournal, createJournal, type JournalCheck } from "./journal.ts";
import { type LedgerState, openLedgerState } from "./ledger-state.ts";
import { migrate, OBSOLETE, schemaOf } from "./migrations.ts";
import { resetState, wipe } from "./reset.ts";
import { type Base, decodeTotals, keys, SCHEMA_VERSION } from "./schema.ts";
import { readTree, type StoredTree } from "./stored-rows.ts";

/** What the database holds, made whole. */
export interface RecoveredChain extends Omit<StoredTree, "lost"> {
  readonly head: TreeBlock;
  readonly state: LedgerState;
  readonly journal: JournalCheck;
  /** What blocks below were pruned from; `undefined`: none were. */
  readonly base: Base | undefined;
  /** Lowest height below the base whose data may not have been deleted yet. */
  readonly pruned: number;
  /** Batches were missing, so everything that follows from the blocks was thrown away and is executed again. */
  readonly reset: boolean;
  /** There was nothing in the store. */
  readonly isNew: boolean;
}

/**
 * Opens or creates the chain data in a store. Where batches are missing, the state is set back to the base of the
 * pruning, or to genesis; undo data may lie in the hole too, so going back from the head is no way. The blocks that are
 * there are then connected again like any others, in batches that each leave a valid head. Idempotent: a crash at any
 * point is mended by the next call.
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
  await resetState(store, genesis, check, logger);
  const recovered = await load(store, genesis, logger);
  if (recovered === undefined) {
    throw new ChainError("CHAIN_CORRUPT", "the state does not fit the head, not even where a replay begins");
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

/** Has the next start reset the state. Not through the journal: a mark that is lost does no harm. */
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
  const base = await readBase(store);
  const stored = await readTree(store, genesis, base);
  if (stored === undefined) return undefined;
  const { tree, nextArrival, lost, cut } = stored;
  const head = tree.get(header.id);
  if (lost.length > 0) logger.warn({ blocks: lost.length }, "stored blocks have no way to genesis");
  if (head === undefined || head.height < tree.floor.height || lost.length > 0) return undefined;
  return { tree, nextArrival, cut, base, pruned: await readPruned(store), head, state };
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
