import {
  type AccountKey,
  type AccountRecord,
  type AccountView,
  createStateTree,
  type LedgerTotals,
  type StateChange,
  type StateTree,
  type Undo,
} from "../ledger/index.ts";
import type { KeyValueStore, Write } from "../ports/index.ts";
import { bytesToHex } from "../primitives/index.ts";
import { decodeAccountRow, encodeAccountRow, encodeTotals, keys, tableRange } from "./schema.ts";

/** Accounts kept in memory from one call to the next; about 200 bytes each. One call may need more than these. */
const MAX_CACHED_ACCOUNTS = 100_000;
/** Keys asked of the store in one call. */
const READ_BATCH = 1_000;

/**
 * The state at the writer's current block: accounts read through a cache over the store, and the tree of roots.
 * Changes are applied in memory at once and handed out as writes by `drain`; until those are durable nothing may be
 * published.
 */
export interface LedgerState extends AccountView {
  readonly totals: LedgerTotals;
  readonly tree: StateTree;
  /** Makes `get` right for these keys. */
  prefetch(accountKeys: Iterable<AccountKey>): Promise<void>;
  /** Takes over a change whose root was already committed to the tree. */
  apply(change: StateChange): void;
  /** Puts back what a block overwrote, in the tree too. */
  revert(undo: Undo): void;
  /** Writes for everything changed since the last call. */
  drain(): Write[];
}

export function createLedgerState(
  store: KeyValueStore,
  initial: { readonly accounts: readonly AccountRecord[]; readonly totals: LedgerTotals },
): LedgerState {
  const tree = createStateTree(initial);
  // What the store will say once `drain`ed writes are in it; `undefined` for an account that vanished.
  const dirty = new Map<AccountKey, { readonly record: AccountRecord | undefined }>();
  // What the store says; absent accounts are remembered too, as most look-ups of new recipients come twice.
  // In two halves: when the young one is full, the old one is forgotten whole, and what is asked for comes back to the
  // young one. (Moving each key within one map rebuilds that map again and again.)
  let young = new Map<AccountKey, AccountRecord | undefined>();
  let old: typeof young = new Map();
  let totals = initial.totals;

  /** Only before anything is fetched: what one call asks for must all be there when it is used. */
  function evict(): void {
    if (young.size < MAX_CACHED_ACCOUNTS / 2) return;
    old = young;
    young = new Map();
  }

  function get(key: AccountKey): AccountRecord | undefined {
    const changed = dirty.get(key);
    if (changed !== undefined) return changed.record;
    const record = young.get(key);
    if (record === undefined && !young.has(key))
      throw new Error(`account ${key} was not fetched before it was used`);
    return record;
  }

  return {
    get totals() {
      return totals;
    },
    tree,
    get,
    async prefetch(accountKeys) {
      evict();
      const missing: AccountKey[] = [];
      for (const key of new Set(accountKeys)) {
        if (dirty.has(key) || young.has(key)) continue;
        if (old.has(key)) young.set(key, old.get(key));
        else missing.push(key);
      }
      for (let from = 0; from < missing.length; from += READ_BATCH) {
        const part = missing.slice(from, from + READ_BATCH);
        const rows = await store.getMany(part.map(keys.account));
        part.forEach((key, i) => {
          const row = rows[i];
          young.set(key, row === undefined ? undefined : decodeAccountRow(key, row));
        });
      }
    },
    apply({ accounts, totals: after }) {
      for (const record of accounts) dirty.set(record.key, { record });
      totals = after;
    },
    revert(undo) {
      tree.prepare({ accounts: undo.restored, totals: undo.before }).commit();
      for (const record of undo.restored) dirty.set(record.key, { record });
      for (const key of undo.created) dirty.set(key, { record: undefined });
      totals = undo.before;
    },
    drain() {
      const writes: Write[] = [];
      for (const [key, change] of dirty) {
        young.set(key, change.record);
        const value = change.record === undefined ? undefined : encodeAccountRow(change.record);
        writes.push({ key: keys.account(key), value });
      }
      if (dirty.size > 0) writes.push({ key: keys.meta("totals"), value: encodeTotals(totals) });
      dirty.clear();
      return writes;
    },
  };
}

/** Reads all accounts in index order, to build the tree at start. */
export async function readAccounts(store: KeyValueStore): Promise<AccountRecord[]> {
  const accounts: AccountRecord[] = [];
  for await (const [row, value] of store.scan(tableRange("accounts"))) {
    accounts.push(decodeAccountRow(bytesToHex(row.subarray(1)), value));
  }
  return accounts.sort((a, b) => a.index - b.index);
}
