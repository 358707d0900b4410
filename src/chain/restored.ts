import type { ForkTree, TreeBlock } from "../consensus/index.ts";
import type { Genesis } from "../ledger/index.ts";
import { type KeyRange, type KeyValueStore, silentLogger } from "../ports/index.ts";
import { type BlockId, bytesToHex, decodeOr } from "../primitives/index.ts";
import { BackupError, type BackupHeader } from "./backup-format.ts";
import { encodePruned } from "./base.ts";
import { type CheckOptions, checkChain } from "./check.ts";
import { ChainError } from "./errors.ts";
import { createJournal, type Journal } from "./journal.ts";
import { recover } from "./recovery.ts";
import { acquit, wipe } from "./reset.ts";
import {
  type Base,
  decodePlace,
  keys,
  META_NAMES,
  type MetaName,
  otherBases,
  TABLES,
  type Table,
  tableRange,
} from "./schema.ts";

/** Batches that a node can ever write, generously; their numbers go on from the highest. */
const MAX_BATCHES = 2 ** 48;

const NONE = new Uint8Array(0);

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
  try {
    // Opening brings an older one to our schema, and resets what cannot be opened.
    const { reset, journal: links, head, tree, base } = await recover(store, genesis, silentLogger);
    if (reset || head.id !== header.head.id) throw refused("its blocks and its state do not fit together");
    if ((links.last?.sequence ?? 0) > MAX_BATCHES)
      throw refused(`its last batch has the number ${links.last?.sequence}, which is no count of batches`);
    const journal = createJournal(store, links);
    await removeStrays(store, journal, tree, head, base);
    const { findings } = await checkChain(store, genesis, options);
    const [first] = findings;
    if (first !== undefined)
      throw refused(
        `${first.detail} (${first.code}${findings.length > 1 ? `, and ${findings.length - 1} more` : ""})`,
      );
    return await leaveOut(store, journal, head.id);
  } catch (error) {
    if (error instanceof ChainError) throw refused(error.message);
    throw error;
  }
}

/**
 * Removes what belongs to no block that is here whole, blocks without a place in the tree, and tables and names that this
 * version does not know: no check would meet it, and a place in the index, or a later version, could be led astray. An
 * interrupted pruning is finished so.
 */
async function removeStrays(
  store: KeyValueStore,
  journal: Journal,
  tree: ForkTree,
  head: TreeBlock,
  base: Base | undefined,
): Promise<void> {
  const isWhole = (id: BlockId): boolean => {
    const block = tree.get(id);
    return block !== undefined && (block.height === 0 || block.height > (base?.height ?? 0));
  };
  const idOf = (key: Uint8Array): BlockId => bytesToHex(key.subarray(1));
  const names = new Set(META_NAMES.map((name) => bytesToHex(keys.meta(name))));
  const placedIn = (value: Uint8Array): BlockId => decodeOr(() => decodePlace(value))?.block ?? "";
  const strays: readonly (readonly [Table, (key: Uint8Array, value: Uint8Array) => boolean])[] = [
    ["meta", (key) => !names.has(bytesToHex(key))],
    ["blocks", (key) => tree.get(idOf(key)) === undefined],
    ["bodies", (key) => !isWhole(idOf(key))],
    ["undo", (key) => !isWhole(idOf(key))],
    ["transactions", (_, value) => !isWhole(placedIn(value))],
  ];
  for (const [table, isStray] of strays) await wipe(store, journal, head.id, tableRange(table), isStray);
  for (const range of [...unknownTables(), ...otherBases(base?.height)])
    await wipe(store, journal, head.id, range);
  const pruned = base && encodePruned(base.height + 1);
  const stored = await store.get(keys.meta("pruned"));
  if (bytesToHex(stored ?? NONE) !== bytesToHex(pruned ?? NONE))
    await journal.commit([{ key: keys.meta("pruned"), value: pruned }], head.id);
}

/** What lies between the tables of this schema. */
function unknownTables(): KeyRange[] {
  const edges = (Object.keys(TABLES) as Table[])
    .map(tableRange)
    .sort((a, b) => (a.gte[0] ?? 0) - (b.gte[0] ?? 0));
  const from = [Uint8Array.of(0), ...edges.map(({ lt }) => lt)];
  const to = [...edges.map(({ gte }) => gte), Uint8Array.of(0xff)];
  return from.flatMap((gte, i) => ({ gte, lt: to[i] ?? gte }));
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
  const names = ["reindex", "published"] as const;
  const [reindex, published] = await store.getMany(names.map(keys.meta));
  const gone: MetaName[] = [];
  if (reindex !== undefined) gone.push("reindex");
  if (published !== undefined && bytesToHex(published) !== head) gone.push("published");
  const writes = gone.map((name) => ({ key: keys.meta(name), value: undefined }));
  if (writes.length > 0) await journal.commit(writes, head);
  return left;
}
