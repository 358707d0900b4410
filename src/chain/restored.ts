import type { Genesis } from "../ledger/index.ts";
import { type KeyValueStore, silentLogger } from "../ports/index.ts";
import { bytesToHex } from "../primitives/index.ts";
import { BackupError, type BackupHeader } from "./backup-format.ts";
import { type CheckOptions, checkChain } from "./check.ts";
import { createJournal, type Journal } from "./journal.ts";
import { recover } from "./recovery.ts";
import { acquit, wipe } from "./reset.ts";
import { keys, type MetaName, type Table, tableRange } from "./schema.ts";

const HEIGHT = /^[0-9]{1,15}$/;

/** What was left out of a restored database as it can be held to nothing. */
export interface LeftOut {
  readonly reorgs: number;
  /** Blocks that the operator of the node had set aside. */
  readonly marks: number;
}

/**
 * Judges a database that came from elsewhere as blocks from peers are judged, and leaves in it only what can be: blocks
 * and the state that follows from them. What somebody said of blocks (invalid, set aside, part of a reorg) goes. Fails
 * with a `BackupError` where anything breaks a rule, and with the signal's reason.
 */
export async function judgeRestored(
  store: KeyValueStore,
  genesis: Genesis,
  header: BackupHeader,
  options: CheckOptions & Required<Pick<CheckOptions, "signatures" | "nowMs">>,
): Promise<LeftOut> {
  // Opening brings an older one to our schema, and resets what cannot be opened.
  const { reset, journal, head } = await recover(store, genesis, silentLogger);
  if (reset || head.id !== header.head.id) throw refused("its blocks and its state do not fit together");
  const { findings } = await checkChain(store, genesis, options);
  const [first] = findings;
  if (first !== undefined)
    throw refused(
      `${first.detail} (${first.code}${findings.length > 1 ? `, and ${findings.length - 1} more` : ""})`,
    );
  return await leaveOut(store, createJournal(store, journal), head.id);
}

function refused(problem: string): BackupError {
  const message = `the backup does not keep to the rules: ${problem}; use another one, or, where it is your own, add --trust and mend it with "cumulo reindex"`;
  return new BackupError("BACKUP_DAMAGED", message);
}

async function leaveOut(store: KeyValueStore, journal: Journal, head: string): Promise<LeftOut> {
  const count = async (table: Table): Promise<number> => {
    let rows = 0;
    for await (const _ of store.scan(tableRange(table))) rows++;
    return rows;
  };
  const left = { reorgs: await count("reorgs"), marks: await count("marks") };
  for (const table of ["reorgs", "marks"] as const) await wipe(store, journal, head, tableRange(table));
  await acquit(store, journal, head);
  const names = ["reindex", "published", "pruned"] as const;
  const [reindex, published, pruned] = await store.getMany(names.map(keys.meta));
  const gone: MetaName[] = [];
  if (reindex !== undefined) gone.push("reindex");
  if (published !== undefined && bytesToHex(published) !== head) gone.push("published");
  if (pruned !== undefined && !HEIGHT.test(new TextDecoder().decode(pruned))) gone.push("pruned");
  const writes = gone.map((name) => ({ key: keys.meta(name), value: undefined }));
  if (writes.length > 0) await journal.commit(writes, head);
  return left;
}
