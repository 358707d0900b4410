import {
  type AccountKey,
  type AccountRecord,
  type AccountView,
  accountRoots,
  createStateTree,
  type LedgerTotals,
  type PageNumber,
  type PendingState,
  pageIndex,
  pageLevel,
  type StateChange,
  type StateTree,
  TOP_PAGE,
  type Undo,
} from "../ledger/index.ts";
import type { KeyValueStore, Write } from "../ports/index.ts";
import { ChainError } from "./errors.ts";
import {
  accountRange,
  decodeAccountIndex,
  decodeAccountRow,
  encodeAccountIndex,
  encodeAccountRow,
  encodeTotals,
  keys,
} from "./schema.ts";

/** Accounts kept in memory from one call to the next; about 200 bytes each. One call may need more than these. */
const MAX_CACHED_ACCOUNTS = 100_000;
/** Keys asked of the store in one call. */
const READ_BATCH = 1_000;
/** Accounts below one page of the lowest level. */
const PAGE_ACCOUNTS = 16;

/**
 * The state at the writer's current block: accounts read through a cache over the store, and the tree of roots, of which
 * only the pages in use are in memory. Changes are applied in memory at once and handed out as writes by `drain`; until
 * those are durable nothing may be published.
 */
export interface LedgerState extends AccountView {
  readonly totals: LedgerTotals;
  readonly root: Uint8Array;
  /** Accounts that were asked for since it was opened, by where they were found. */
  readonly lookups: { readonly cache: number; readonly store: number };
  /** Makes `get` right for these keys, as far as the database is. */
  prefetch(accountKeys: ReadonlySet<AccountKey>): Promise<void>;
  /**
   * The same, and what is there is proven to be the state's: for whoever judges blocks by it. Fails with CHAIN_CORRUPT
   * where it is not, so that damage on the disk condemns no block. (That an account is absent cannot be proven.)
   */
  prefetchProven(accountKeys: ReadonlySet<AccountKey>): Promise<void>;
  /** The root after a change; `commit` takes the change over. Fails with CHAIN_CORRUPT where a stored page is damaged. */
  prepare(change: StateChange): Promise<PendingState>;
  /** An account with the hashes from its root to the state's; `undefined` where there is none. */
  prove(
    key: AccountKey,
  ): Promise<{ readonly record: AccountRecord; readonly siblings: Uint8Array[] } | undefined>;
  /** Puts back what a block overwrote. */
  revert(undo: Undo): Promise<void>;
  /** Writes for everything changed since the last call. */
  drain(): Write[];
}

/** Opens the state of a store. Fails with CHAIN_CORRUPT where its top page is missing. */
export async function openLedgerState(store: KeyValueStore, start: LedgerTotals): Promise<LedgerState> {
  const tree = createStateTree(start);
  if (start.accounts > 0) await loadPages(store, tree, [TOP_PAGE], start.accounts);
  return createLedgerState(store, tree, start);
}

const damaged = (page: PageNumber): ChainError =>
  new ChainError(
    "CHAIN_CORRUPT",
    `page ${pageIndex(page)} of level ${pageLevel(page)} of the state is missing or damaged in the database`,
  );

/** The roots of the accounts below a page of the lowest level; `undefined` where not all are there. */
async function readAccountRoots(
  store: KeyValueStore,
  index: number,
  accounts: number,
): Promise<Uint8Array | undefined> {
  const from = index * PAGE_ACCOUNTS;
  const until = Math.min(from + PAGE_ACCOUNTS, accounts);
  const records: AccountRecord[] = [];
  for await (const [key, value] of store.scan(accountRange(from, until)))
    records.push(decodeAccountRow(key, value));
  return records.length === until - from ? accountRoots(records) : undefined;
}

/** Reads pages, parents first, into the tree. */
async function loadPages(
  store: KeyValueStore,
  tree: StateTree,
  pages: readonly PageNumber[],
  accounts: number,
): Promise<void> {
  for (let from = 0; from < pages.length; from += READ_BATCH) {
    const part = pages.slice(from, from + READ_BATCH);
    const upper = part.filter((page) => pageLevel(page) > 0);
    const rows = await store.getMany(upper.map(keys.page));
    const leaves = await Promise.all(
      part
        .filter((page) => pageLevel(page) === 0)
        .map((page) => readAccountRoots(store, pageIndex(page), accounts)),
    );
    for (const [i, children] of [...rows, ...leaves].entries()) {
      const page = part[i] as PageNumber;
      if (children === undefined || !tree.supply(page, children)) throw damaged(page);
    }
  }
}

function createLedgerState(store: KeyValueStore, tree: StateTree, start: LedgerTotals): LedgerState {
  // What the store will say once `drain`ed writes are in it; `undefined` for an account that vanished.
  const dirty = new Map<AccountKey, { readonly index: number; readonly record: AccountRecord | undefined }>();
  /** Indices that a reorg has vacated: whoever had one may come back under another. */
  const vacated = new Set<number>();
  // What the store says; absent accounts are remembered too, as most look-ups of new recipients come twice.
  // In two halves: when the young one is full, the old one is forgotten whole, and what is asked for comes back to the
  // young one. (Moving each key within one map rebuilds that map again and again.)
  let young = new Map<AccountKey, AccountRecord | undefined>();
  let old: typeof young = new Map();
  /** Those of them that were read and not compared with the tree yet. */
  const unproven = new Set<AccountKey>();
  let totals = start;
  const lookups = { cache: 0, store: 0 };

  /** Only before anything is fetched: what one call asks for must all be there when it is used. */
  function evict(): void {
    tree.trim();
    if (young.size < MAX_CACHED_ACCOUNTS / 2) return;
    old = young;
    young = new Map();
    for (const key of unproven) if (!old.has(key)) unproven.delete(key);
  }

  function get(key: AccountKey): AccountRecord | undefined {
    const changed = dirty.get(key);
    if (changed !== undefined) return changed.record;
    const record = young.get(key);
    if (record === undefined && !young.has(key))
      throw new Error(`account ${key} was not fetched before it was used`);
    return record;
  }

  async function read(accountKeys: readonly AccountKey[]): Promise<void> {
    const rows = await store.getMany(accountKeys.map(keys.accountIndex));
    const found: { readonly key: AccountKey; readonly rowKey: Uint8Array }[] = [];
    accountKeys.forEach((key, i) => {
      const row = rows[i];
      if (row === undefined) young.set(key, undefined);
      else found.push({ key, rowKey: keys.account(decodeAccountIndex(row)) });
    });
    const records = await store.getMany(found.map(({ rowKey }) => rowKey));
    found.forEach(({ key, rowKey }, i) => {
      const row = records[i];
      const record = row === undefined ? undefined : decodeAccountRow(rowKey, row);
      if (record?.key !== key)
        throw new ChainError("CHAIN_CORRUPT", `account ${key} is missing or damaged in the database`);
      young.set(key, record);
      unproven.add(key);
    });
  }

  async function prefetch(accountKeys: ReadonlySet<AccountKey>): Promise<void> {
    evict();
    const missing: AccountKey[] = [];
    for (const key of accountKeys) {
      if (dirty.has(key) || young.has(key)) continue;
      if (old.has(key)) young.set(key, old.get(key));
      else missing.push(key);
    }
    lookups.store += missing.length;
    lookups.cache += accountKeys.size - missing.length;
    for (let from = 0; from < missing.length; from += READ_BATCH)
      await read(missing.slice(from, from + READ_BATCH));
  }

  async function loadFor(update: Parameters<StateTree["missing"]>[0]): Promise<void> {
    const missing = tree.missing(update);
    if (missing.length > 0) await loadPages(store, tree, missing, totals.accounts);
  }

  async function prefetchProven(accountKeys: ReadonlySet<AccountKey>): Promise<void> {
    await prefetch(accountKeys);
    if (unproven.size === 0) return;
    const accounts = [...accountKeys].flatMap((key) =>
      unproven.has(key) && !dirty.has(key) ? (young.get(key) ?? []) : [],
    );
    await loadFor({ accounts, totals });
    if (!tree.holds(accounts))
      throw new ChainError("CHAIN_CORRUPT", "an account in the database is not the state's");
    for (const { key } of accounts) unproven.delete(key);
  }

  return {
    get totals() {
      return totals;
    },
    get root() {
      return tree.root;
    },
    lookups,
    get,
    prefetch,
    prefetchProven,
    async prove(key) {
      await prefetchProven(new Set([key]));
      const record = get(key);
      if (record === undefined) return undefined;
      await loadFor({ accounts: [record], totals });
      return { record, siblings: tree.prove(record.index) };
    },
    async prepare(change) {
      await loadFor(change);
      const pending = tree.prepare(change);
      return {
        root: pending.root,
        commit() {
          pending.commit();
          for (const record of change.accounts) dirty.set(record.key, { index: record.index, record });
          totals = change.totals;
        },
      };
    },
    async revert(undo) {
      const update = { accounts: undo.restored, totals: undo.before };
      await loadFor(update);
      tree.prepare(update).commit();
      for (const record of undo.restored) dirty.set(record.key, { index: record.index, record });
      undo.created.forEach((key, i) => {
        const index = undo.before.accounts + i;
        vacated.add(index);
        dirty.set(key, { index, record: undefined });
      });
      totals = undo.before;
    },
    drain() {
      const removed: Write[] = [];
      const writes: Write[] = [];
      for (const [key, { index, record }] of dirty) {
        const stored = young.get(key);
        young.set(key, record);
        if (record === undefined) {
          removed.push({ key: keys.accountIndex(key), value: undefined });
          continue;
        }
        writes.push({ key: keys.account(index), value: encodeAccountRow(record) });
        if (stored?.index !== index)
          writes.push({ key: keys.accountIndex(key), value: encodeAccountIndex(index) });
      }
      for (const index of vacated) removed.push({ key: keys.account(index), value: undefined });
      vacated.clear();
      for (const { page, children } of tree.drain()) writes.push({ key: keys.page(page), value: children });
      if (dirty.size > 0) writes.push({ key: keys.meta("totals"), value: encodeTotals(totals) });
      dirty.clear();
      // After a reorg another account may have the index of one that vanished: its row must be written last.
      return [...removed, ...writes];
    },
  };
}
