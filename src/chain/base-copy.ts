import type { ForkTree, TreeBlock } from "../consensus/index.ts";
import type { KeyValueStore, Logger, Write } from "../ports/index.ts";
import type { BlockId } from "../primitives/index.ts";
import { problemOfBase } from "./base.ts";
import type { BlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import { accountRange, type Base, encodeAccountRow, keys, otherBases } from "./schema.ts";

/** Rows per batch: half a MiB, so whoever imports waits some milliseconds for one. */
const COPY_ROWS = 5_000;
/** Deletions per batch. */
const WIPE_ROWS = 10_000;

/** Runs with the state to itself; what fails in it stops the chain. */
export type Exclusively = <T>(holder: () => Promise<T>) => Promise<T>;

interface BaseCopyDeps {
  readonly store: KeyValueStore;
  readonly tree: ForkTree;
  readonly blocks: BlockStore;
  /** The published head, whose state the store has whenever nobody else is at work. */
  readonly head: () => TreeBlock;
  readonly exclusively: Exclusively;
  readonly logger: Logger;
}

/**
 * Copies the state after a block some way below the head: first the accounts of the head as they are, from a snapshot;
 * then over them what each block from the head down to the wanted one overwrote, by its undo data. In bounded batches,
 * between which others import. The copy is of no meaning to anybody until `base` names it, so it goes past the journal and
 * is not synced; at the end it is moved out of reach of an unclean stop, read again and held to the header's state root.
 * `undefined`: a reorg took the undo data away meanwhile, or the copy is not the state; it is to be made anew later.
 */
export async function copyBase(deps: BaseCopyDeps, target: TreeBlock): Promise<Base | undefined> {
  const { store, tree, blocks, exclusively } = deps;
  let writes: Write[] = [];
  async function flush(): Promise<void> {
    const batch = writes;
    writes = [];
    await exclusively(() => store.write(batch, { sync: false }));
  }

  const begun = await exclusively(async () => {
    const head = deps.head();
    // A reorg may have left it while we waited.
    if (tree.forkPoint(target.id, head.id).id !== target.id) return undefined;
    const above: BlockId[] = tree.path(target.id, head.id);
    const first = above[0] === undefined ? undefined : await undoOf(blocks, above[0]);
    if (first === undefined) return undefined;
    const totals = first.before;
    const rows = store.scan(accountRange(0, totals.accounts))[Symbol.asyncIterator]();
    // The snapshot is taken with the first row.
    return { above, totals, rows, next: await rows.next() };
  });
  if (begun === undefined) return undefined;
  const { above, totals, rows } = begun;
  const accountKey = (index: number): Uint8Array => keys.baseAccount(target.height, index);
  try {
    for (let { next } = begun; next.done !== true; next = await rows.next()) {
      const [key, value] = next.value;
      writes.push({ key: accountKey(new DataView(key.buffer, key.byteOffset + 1).getUint32(0)), value });
      if (writes.length >= COPY_ROWS) await flush();
    }
  } finally {
    await rows.return?.();
  }
  for (const id of above.reverse()) {
    const undo = await undoOf(blocks, id);
    if (undo === undefined) return undefined;
    for (const account of undo.restored)
      if (account.index < totals.accounts)
        writes.push({ key: accountKey(account.index), value: encodeAccountRow(account) });
    if (writes.length >= COPY_ROWS) await flush();
  }
  await flush();
  await store.compact([]);
  const base: Base = { block: target.id, height: target.height, totals };
  // Asked at each part, so that a chain that closes need not wait for the whole.
  const problem = await problemOfBase(store, base, () => exclusively(async () => {}));
  if (problem === undefined) return base;
  const advice = "nothing was pruned; if this comes again, stop the node and run: cumulo reindex";
  deps.logger.warn({ height: target.height, problem }, `a copy of the state came out wrong; ${advice}`);
  return undefined;
}

/** Undo data of a block of the best chain; `undefined` where a reorg that is not published yet has used it up. */
async function undoOf(blocks: BlockStore, id: BlockId) {
  return await blocks.undo(id).catch((error: unknown) => {
    if (error instanceof ChainError && error.code === "CHAIN_CORRUPT") return undefined;
    throw error;
  });
}

/** Rows of accounts whose room is given back at once: some 10 MB. */
export const PART_ROWS = 13 * WIPE_ROWS;

/** Deletes all copies but that of the base. Settles with every `PART_ROWS`th key that it has deleted, in their order. */
export async function wipeOtherBases(
  store: KeyValueStore,
  base: Base | undefined,
  exclusively: Exclusively,
): Promise<Uint8Array[]> {
  const every: Uint8Array[] = [];
  let count = 0;
  for (const range of otherBases(base?.height)) {
    let writes: Write[] = [];
    for await (const [key] of store.scan(range)) {
      writes.push({ key, value: undefined });
      count += 1;
      if (count % PART_ROWS === 0) every.push(key);
      if (writes.length < WIPE_ROWS) continue;
      const batch = writes;
      writes = [];
      await exclusively(() => store.write(batch, { sync: false }));
    }
    const rest = writes;
    if (rest.length > 0) await exclusively(() => store.write(rest, { sync: false }));
  }
  return every;
}
