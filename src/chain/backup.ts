import type { Genesis } from "../ledger/index.ts";
import { type KeyValueStore, StoreError } from "../ports/index.ts";
import { bytesToHex } from "../primitives/index.ts";
import { BackupError, type BackupHeader, type BackupPart, gatherRows } from "./backup-format.ts";
import { problemOfBase, readBase } from "./base.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { checkJournal } from "./journal.ts";
import { schemaOf } from "./migrations.ts";
import { checkIdentity } from "./recovery.ts";
import { keys, SCHEMA_VERSION } from "./schema.ts";

/** Every key there can be: a table is an ASCII letter. */
const EVERYTHING = { gte: Uint8Array.of(0), lt: Uint8Array.of(0x80) };

/** Where the state of a store stands; fails with a `ChainError` where its batches are not whole. */
async function wholeHead(store: KeyValueStore, genesis: Genesis): Promise<BackupHeader["head"]> {
  await checkIdentity(store, genesis);
  const [head, rebuild] = await store.getMany([keys.meta("head"), keys.meta("rebuild")]);
  if (head === undefined)
    throw new ChainError("CHAIN_EMPTY", "there is no chain in this directory yet; start the node once");
  const journal = await checkJournal(store);
  if (rebuild !== undefined || journal.last === undefined || journal.stranded.length > 0)
    throw new ChainError("CHAIN_CORRUPT", "the database lost writes; start the node once, which mends it");
  const id = bytesToHex(head);
  const header = await createBlockStore(store).header(id);
  if (header === undefined) throw new ChainError("CHAIN_CORRUPT", `block ${id} is missing in the database`);
  return { id, height: header.header.core.height };
}

async function firstHeightOf(store: KeyValueStore): Promise<number> {
  const base = await readBase(store);
  return base === undefined ? 0 : base.height + 1;
}

/**
 * The parts of a backup of a whole store, as it is when this settles: nobody may write before, anybody after. The reader
 * must take them all or say that it is done, as the snapshot keeps old data on the disk.
 */
export async function snapshotChain(
  store: KeyValueStore,
  genesis: Genesis,
  createdMs: number,
): Promise<AsyncGenerator<BackupPart>> {
  const header: BackupHeader = {
    chain: genesis.block.header.id,
    network: genesis.spec.name,
    schema: await schemaOf(store),
    head: await wholeHead(store, genesis),
    firstHeight: await firstHeightOf(store),
    createdMs,
  };
  const rows = store.scan(EVERYTHING)[Symbol.asyncIterator]();
  // The snapshot is taken with the first row.
  const first = await rows.next();
  async function* all() {
    for (let next = first; next.done !== true; next = await rows.next()) yield next.value;
  }
  async function* parts(): AsyncGenerator<BackupPart> {
    try {
      yield { kind: "header", header };
      yield* gatherRows(all());
    } finally {
      await rows.return?.();
    }
  }
  return parts();
}

/** Refuses a backup that this version could not open. */
export function checkBackupHeader({ schema }: BackupHeader): void {
  if (schema <= SCHEMA_VERSION) return;
  const message = `the backup is of a database with schema ${schema}, and this version knows ${SCHEMA_VERSION}; use a newer cumulo`;
  throw new BackupError("BACKUP_NEWER", message);
}

/** Fails with a `BackupError` where a store is not what the backup that filled it says. */
export async function checkRestored(
  store: KeyValueStore,
  genesis: Genesis,
  header: BackupHeader,
): Promise<void> {
  async function problemOf(): Promise<string | undefined> {
    const { id, height } = await wholeHead(store, genesis);
    const schema = await store.get(keys.meta("schema"));
    // Not `schemaOf`: a store that does not say has ours of today, and would have that of each later version.
    if (schema === undefined || new TextDecoder().decode(schema) !== String(header.schema))
      return "its schema is not the one that it says";
    const { head, firstHeight } = header;
    const isSame = id === head.id && height === head.height && (await firstHeightOf(store)) === firstHeight;
    const { block, spec } = genesis;
    if (!isSame || block.header.id !== header.chain || spec.name !== header.network)
      return "its parts do not fit together";
    const base = await readBase(store);
    return base && (await problemOfBase(store, base));
  }
  const problem = await problemOf().catch((error: unknown) => {
    if (error instanceof StoreError) throw error;
    return error instanceof ChainError ? error.message : "it holds rows that cannot be read";
  });
  if (problem !== undefined)
    throw new BackupError("BACKUP_DAMAGED", `the backup is damaged: ${problem}; use another one`);
}
