import { type AccountRecord, type ChangedPage, createStateTree, type LedgerTotals } from "../ledger/index.ts";
import type { KeyValueStore } from "../ports/index.ts";
import { bytesToHex, decodeOr, equalBytes } from "../primitives/index.ts";
import { createBlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import {
  accountRange,
  type Base,
  baseRange,
  decodeAccountRow,
  decodeBase,
  decodeBaseRow,
  keys,
} from "./schema.ts";

/** Accounts at a time: some 100 KB of rows and hashes. */
const BATCH_ACCOUNTS = 1_000;
const NO_ACCOUNTS: LedgerTotals = { accounts: 0, issued: 0, burned: 0 };

/** What to do where the base cannot be used: nothing on this disk can replace it. */
export const WITHOUT_BASE =
  "the blocks below it were pruned here, so restore a backup, or move chain/ away and sync again";

/** The base of a store; `undefined` where it is genesis. Fails with CHAIN_CORRUPT where the row cannot be read. */
export async function readBase(store: KeyValueStore): Promise<Base | undefined> {
  const row = await store.get(keys.meta("base"));
  if (row === undefined) return undefined;
  const base = decodeOr(() => decodeBase(row));
  if (base === undefined)
    throw new ChainError("CHAIN_CORRUPT", `the row of the base is damaged; ${WITHOUT_BASE}`);
  return base;
}

/** Lowest height whose block's data may still lie there though it is below the base. */
export async function readPruned(store: KeyValueStore): Promise<number> {
  const row = await store.get(keys.meta("pruned"));
  return row === undefined ? 1 : Number(new TextDecoder().decode(row));
}

export function encodePruned(height: number): Uint8Array {
  return new TextEncoder().encode(String(height));
}

type Rows = AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;

async function* batches(
  rows: Rows,
  decode: (key: Uint8Array, value: Uint8Array) => AccountRecord,
): AsyncGenerator<AccountRecord[]> {
  let batch: AccountRecord[] = [];
  for await (const [key, value] of rows) {
    const account = decodeOr(() => decode(key, value));
    if (account === undefined)
      throw new ChainError("CHAIN_CORRUPT", `the account in row ${bytesToHex(key)} cannot be read`);
    if (batch.push(account) < BATCH_ACCOUNTS) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

/** Accounts of a base by index, some at a time. */
export const baseAccounts = (store: KeyValueStore, { height }: Base): AsyncGenerator<AccountRecord[]> =>
  batches(store.scan(baseRange(height)), decodeBaseRow);

/** Accounts of the state by index, some at a time. */
export const stateAccounts = (store: KeyValueStore): AsyncGenerator<AccountRecord[]> =>
  batches(store.scan(accountRange(0, 2 ** 32)), decodeAccountRow);

/** Accounts that came into a tree, and the pages that stand for them from now on. */
export interface RebuiltPart {
  readonly accounts: readonly AccountRecord[];
  readonly pages: readonly ChangedPage[];
}

/**
 * Builds the tree of a state from all its accounts, and ends with its root: `undefined` where they are not as many as the
 * totals say, or not one after the other. Memory does not grow with their number.
 */
export async function* rebuildTree(
  accounts: AsyncIterable<AccountRecord[]>,
  totals: LedgerTotals,
): AsyncGenerator<RebuiltPart, Uint8Array | undefined> {
  const tree = createStateTree(NO_ACCOUNTS);
  let count = 0;
  for await (const batch of accounts) {
    if (batch.some(({ index }, i) => index !== count + i)) return undefined;
    count += batch.length;
    if (count > totals.accounts) return undefined;
    tree.prepare({ accounts: batch, totals: { ...totals, accounts: count } }).commit();
    yield { accounts: batch, pages: tree.drain() };
    tree.trim();
  }
  return count === totals.accounts ? tree.root : undefined;
}

/** The root of a state whose accounts are given; `undefined` where they are not all there, or cannot be read. */
export async function rootOf(
  accounts: AsyncIterable<AccountRecord[]>,
  totals: LedgerTotals,
  onPart: () => Promise<void> = async () => {},
): Promise<Uint8Array | undefined> {
  const parts = rebuildTree(accounts, totals);
  try {
    for (;;) {
      const part = await parts.next();
      if (part.done === true) return part.value;
      await onPart();
    }
  } catch (error) {
    if (error instanceof ChainError && error.code === "CHAIN_CORRUPT") return undefined;
    throw error;
  } finally {
    await parts.return(undefined);
  }
}

/** What is wrong with a base, in words: its accounts must have the state root that its block's header names. */
export async function problemOfBase(
  store: KeyValueStore,
  base: Base,
  onPart?: () => Promise<void>,
): Promise<string | undefined> {
  const header = await createBlockStore(store)
    .header(base.block)
    .catch(() => undefined);
  if (header === undefined) return `the header of its block ${base.block} is missing or damaged`;
  const { height, stateRoot } = header.header.core;
  if (height !== base.height) return `its block ${base.block} is not of height ${base.height}`;
  const root = await rootOf(baseAccounts(store, base), base.totals, onPart);
  if (root === undefined) return `its ${base.totals.accounts} accounts are not all there, or cannot be read`;
  return equalBytes(root, stateRoot)
    ? undefined
    : `its accounts have the state root ${bytesToHex(root)}, and its block ${base.block} names another`;
}
