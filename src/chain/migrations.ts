import { ContainerType } from "@chainsafe/ssz";
import { type AccountRecord, buildStateTree } from "../ledger/index.ts";
import type { KeyRange, KeyValueStore, Logger, Write } from "../ports/index.ts";
import { type BlockId, bytesToHex, equalBytes, Uint32, Uint64 } from "../primitives/index.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import type { Journal } from "./journal.ts";
import { decodeTotals, keys, SCHEMA_VERSION, stateWrites, tableRange } from "./schema.ts";

/** Writes of a migration per batch. */
const MIGRATION_BATCH = 10_000;

/** A database as it is before and after one step; the journal is whole, and the head stays where it is. */
interface Step {
  readonly store: KeyValueStore;
  readonly journal: Journal;
  readonly head: BlockId;
}

/**
 * What leads from each schema to the next. A step only adds: what it adds is of no meaning to the schema before, so one
 * that was interrupted begins anew. What it makes useless goes when the new schema stands: see `OBSOLETE`.
 */
const MIGRATIONS: Readonly<Record<number, (step: Step) => Promise<void>>> = {
  1: accountsByIndex,
  // A database of schema 3 may lack blocks that one of 2 never lacked; what is there is the same.
  2: async () => {},
};

/** Ranges of tables that an earlier schema had. */
export const OBSOLETE: readonly KeyRange[] = [
  // Schema 1: account key -> { index, balance, nonce }.
  { gte: Uint8Array.of("a".charCodeAt(0)), lt: Uint8Array.of("a".charCodeAt(0) + 1) },
];

/** The schema of a store; that of this program where the store is empty. Fails with CHAIN_CORRUPT where it is no number. */
export async function schemaOf(store: KeyValueStore): Promise<number> {
  const row = await store.get(keys.meta("schema"));
  if (row === undefined) return SCHEMA_VERSION;
  const text = new TextDecoder().decode(row);
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    const mend = "restore a backup, or move chain/ away and sync again";
    throw new ChainError("CHAIN_CORRUPT", `the database's schema version is damaged; ${mend}`);
  }
  return Number(text);
}

/** Brings a whole database to this program's schema. Fails with CHAIN_CORRUPT where its state is damaged. */
export async function migrate(step: Step, logger: Logger): Promise<void> {
  for (let version = await schemaOf(step.store); version < SCHEMA_VERSION; version++) {
    const next = version + 1;
    logger.info({ from: version, to: next }, "the database is brought to a newer schema");
    const migration = MIGRATIONS[version];
    if (migration === undefined) throw new ChainError("CHAIN_CORRUPT", `the database has schema ${version}`);
    await migration(step);
    await step.journal.commit(
      [{ key: keys.meta("schema"), value: new TextEncoder().encode(String(next)) }],
      step.head,
    );
  }
}

const OldAccountSsz = new ContainerType({ index: Uint32, balance: Uint64, nonce: Uint64 });

/** 1 to 2: accounts by index, their indices by key, and the state tree in pages. */
async function accountsByIndex({ store, journal, head }: Step): Promise<void> {
  const accounts: AccountRecord[] = [];
  for (const range of OBSOLETE)
    for await (const [key, value] of store.scan(range))
      accounts.push({ key: bytesToHex(key.subarray(1)), ...OldAccountSsz.deserialize(value) });
  accounts.sort((a, b) => a.index - b.index);
  const [totalsRow, header] = [
    await store.get(keys.meta("totals")),
    await createBlockStore(store).header(head),
  ];
  const totals = totalsRow && decodeTotals(totalsRow);
  const isWhole = accounts.every(({ index }, i) => index === i) && accounts.length === totals?.accounts;
  const tree = totals && isWhole ? buildStateTree({ accounts, totals }) : undefined;
  if (tree === undefined || header === undefined || !equalBytes(tree.root, header.header.core.stateRoot))
    throw new ChainError("CHAIN_CORRUPT", "the accounts in the database are not the state of its head");
  // An attempt before may have been interrupted, and the earlier version have gone on from there.
  const left: Write[] = [];
  for (const table of ["accounts", "accountIndices", "pages"] as const)
    for await (const [key] of store.scan(tableRange(table))) left.push({ key, value: undefined });
  const writes: Write[] = [...left, ...stateWrites(accounts, tree.drain())];
  for (let from = 0; from < writes.length; from += MIGRATION_BATCH)
    await journal.commit(writes.slice(from, from + MIGRATION_BATCH), head);
}
