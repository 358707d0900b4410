import {
  EMPTY_ROOTS,
  equalBytes,
  hashNodes,
  hashPair,
  setHex,
  setUint64,
  uint64Chunk,
  ZERO_32,
} from "../primitives/index.ts";
import type { AccountRecord, LedgerTotals } from "./accounts.ts";

/** Depth of `List[Account, 2^32]`. */
const DEPTH = 32;

/** Heights that one page covers, so it has 16 children. */
const PAGE_HEIGHT = 4;
const PAGE_CHILDREN = 2 ** PAGE_HEIGHT;
export const PAGE_BYTES: number = PAGE_CHILDREN * 32;
/** Pages on the way from an account to the root of the list. */
export const PAGE_LEVELS: number = DEPTH / PAGE_HEIGHT;
/** Above the greatest index of a page. */
const LEVEL_STRIDE = 2 ** (DEPTH - PAGE_HEIGHT);

/**
 * A page of the tree by number: level x 2^28 + index. Page i of level n has the nodes 16 i to 16 i + 15 at height 4 n as
 * its children; those of level 0 are the accounts' roots.
 */
export type PageNumber = number;
export const pageNumber = (level: number, index: number): PageNumber => level * LEVEL_STRIDE + index;
export const pageLevel = (page: PageNumber): number => Math.floor(page / LEVEL_STRIDE);
export const pageIndex = (page: PageNumber): number => page % LEVEL_STRIDE;
/** The page over everything. */
export const TOP_PAGE: PageNumber = pageNumber(PAGE_LEVELS - 1, 0);
/** Children of a page without any, by level. */
const EMPTY_PAGES: Uint8Array[] = Array.from({ length: PAGE_LEVELS }, (_, level) => {
  const page = new Uint8Array(PAGE_BYTES);
  for (let i = 0; i < PAGE_CHILDREN; i++) page.set(EMPTY_ROOTS[level * PAGE_HEIGHT] as Uint8Array, i * 32);
  return page;
});

/** Clean pages kept in memory from one call to the next: some 20 MB. One call may need more than these. */
const MAX_CLEAN_PAGES = 32_768;

/** A state root that was computed but not made the tree's own yet. */
export interface PendingState {
  readonly root: Uint8Array;
  /** Makes it the tree's state. Only valid while the tree has not changed since. */
  commit(): void;
}

/** What of the state changes: records by index, and the sums after it. */
export interface StateUpdate {
  readonly accounts: readonly AccountRecord[];
  readonly totals: LedgerTotals;
}

/** A page as the store is to have it; without children where it is gone. */
export interface ChangedPage {
  readonly page: PageNumber;
  /** 32 bytes for each child up to the last that is not empty. */
  readonly children: Uint8Array | undefined;
}

/**
 * The Merkle tree over the state, in pages of which only some are in memory: its size does not grow with the number of
 * accounts. An update reads and hashes the pages on its accounts' paths, a level at a time, in native batches.
 *
 * Pages come from outside, as the ledger does no I/O: `missing` says which are needed, `supply` takes them, and checks
 * each against its parent, so a damaged page, or account, is never hashed into a root.
 */
export interface StateTree {
  readonly root: Uint8Array;
  /** Pages that this update or the proof of these accounts needs and that are not in memory, parents first. */
  missing(update: {
    readonly accounts: readonly { readonly index: number }[];
    readonly totals: LedgerTotals;
  }): PageNumber[];
  /**
   * Takes a page with the children it was drained with, or with the roots of the accounts below it (`accountRoots`).
   * False where it is not the tree's: its parent, which must be in memory, says otherwise.
   */
  supply(page: PageNumber, children: Uint8Array): boolean;
  /** Whether these are accounts of the state; their pages must be in memory. */
  holds(accounts: readonly AccountRecord[]): boolean;
  /** Accounts at `totals.accounts` and beyond are dropped; those below it that are new must be in `accounts`. */
  prepare(update: StateUpdate): PendingState;
  /** Siblings on the way from an account's root to the root of the state, from below: 37 of 32 bytes. */
  prove(index: number): Uint8Array[];
  /** Pages that changed since the last call; level 0 is left out, as it follows from the accounts. */
  drain(): ChangedPage[];
  /** Forgets pages that were not used lately, where there are too many. Not between `missing` and `prepare`. */
  trim(): void;
}

/** Roots of many accounts: hash(hash(key, balance), hash(nonce, 0)) each, in two batches. */
export function accountRoots(accounts: readonly AccountRecord[]): Uint8Array {
  const chunks = new Uint8Array(accounts.length * 128);
  for (const [i, { key, balance, nonce }] of accounts.entries()) {
    setHex(chunks, i * 128, key);
    setUint64(chunks, i * 128 + 32, balance);
    setUint64(chunks, i * 128 + 64, nonce);
  }
  const halves = new Uint8Array(accounts.length * 64);
  hashNodes(chunks, halves);
  const roots = new Uint8Array(accounts.length * 32);
  hashNodes(halves, roots);
  return roots;
}

/** Roots of whole pages of a level that stand one after the other: 512 bytes in, 32 out, for each. */
function pageRoots(pages: Uint8Array, level: number, used = PAGE_CHILDREN): Uint8Array {
  // Of a young state most levels have one child: its way up is four hashes, not fifteen in four calls.
  if (used === 1) {
    let node: Uint8Array = pages.slice(0, 32);
    for (let height = 0; height < PAGE_HEIGHT; height++)
      node = hashPair(node, EMPTY_ROOTS[level * PAGE_HEIGHT + height] as Uint8Array);
    return node;
  }
  let nodes = pages;
  for (let height = 0; height < PAGE_HEIGHT; height++) {
    const parents = new Uint8Array(nodes.length / 2);
    hashNodes(nodes, parents);
    nodes = parents;
  }
  return nodes;
}

/** Nodes of the row at a level's children, above so many accounts. */
const childrenAt = (level: number, accounts: number): number => Math.ceil(accounts / PAGE_CHILDREN ** level);
const pagesAt = (level: number, accounts: number): number => childrenAt(level + 1, accounts);

/** The 16-slot state vector above the list of accounts: issued, burned; the other slots are zero until they are used. */
function vectorNodes(totals: LedgerTotals) {
  const issued = uint64Chunk(totals.issued);
  const right = hashPair(uint64Chunk(totals.burned), ZERO_32);
  return { issued, siblings: [issued, right, EMPTY_ROOTS[2] as Uint8Array, EMPTY_ROOTS[3] as Uint8Array] };
}

/** Root of the state: the list's root gets its length, then the vector's other slots. */
function stateRoot(accountsTop: Uint8Array, totals: LedgerTotals): Uint8Array {
  let node = hashPair(accountsTop, uint64Chunk(totals.accounts));
  for (const sibling of vectorNodes(totals).siblings) node = hashPair(node, sibling);
  return node;
}

/** Changed pages of one level: those of `indices`, ascending, one after the other. */
interface LevelChange {
  readonly indices: readonly number[];
  readonly pages: Uint8Array;
}

/** The tree of a state that lies in the store: its top page is to be supplied first. */
export function createStateTree(totals: LedgerTotals): StateTree {
  return new PagedTree(totals);
}

/** The tree of accounts that are all given, wholly in memory. */
export function buildStateTree(state: StateUpdate): StateTree {
  const tree = new PagedTree({ accounts: 0, issued: 0, burned: 0 });
  tree.prepare(state).commit();
  return tree;
}

class PagedTree implements StateTree {
  root: Uint8Array;
  #totals: LedgerTotals;
  /** Pages that the store does not have yet; undefined: that are gone. */
  readonly #changed = new Map<PageNumber, Uint8Array | undefined>();
  // In two halves: when the young one is full, the old one is forgotten whole.
  #young = new Map<PageNumber, Uint8Array>();
  #old = new Map<PageNumber, Uint8Array>();

  constructor(totals: LedgerTotals) {
    this.#totals = totals;
    this.root = totals.accounts === 0 ? stateRoot(EMPTY_ROOTS[DEPTH] as Uint8Array, totals) : ZERO_32;
  }

  missing({ accounts, totals }: Parameters<StateTree["missing"]>[0]): PageNumber[] {
    const before = this.#totals.accounts;
    let indices = new Set<number>();
    for (const { index } of accounts) indices.add(Math.floor(index / PAGE_CHILDREN));
    if (totals.accounts > 0) indices.add(Math.floor((totals.accounts - 1) / PAGE_CHILDREN));
    const levels: PageNumber[][] = [];
    for (let level = 0; level < PAGE_LEVELS; level++) {
      const stored = pagesAt(level, before);
      const missing: PageNumber[] = [];
      const above = new Set<number>();
      for (const index of indices) {
        above.add(Math.floor(index / PAGE_CHILDREN));
        const page = pageNumber(level, index);
        if (index < stored && this.#page(page) === undefined) missing.push(page);
      }
      levels.unshift(missing);
      indices = above;
    }
    return levels.flat();
  }

  supply(page: PageNumber, children: Uint8Array): boolean {
    const level = pageLevel(page);
    const whole = (EMPTY_PAGES[level] as Uint8Array).slice();
    if (children.length > PAGE_BYTES) return false;
    whole.set(children);
    const root = pageRoots(whole, level);
    if (page === TOP_PAGE) this.root = stateRoot(root, this.#totals);
    else {
      const parent = this.#page(pageNumber(level + 1, Math.floor(pageIndex(page) / PAGE_CHILDREN)));
      const at = (pageIndex(page) % PAGE_CHILDREN) * 32;
      if (parent === undefined || !equalBytes(parent.subarray(at, at + 32), root)) return false;
    }
    this.#young.set(page, whole);
    return true;
  }

  prepare({ accounts, totals }: StateUpdate): PendingState {
    const count = totals.accounts;
    const ordered = [...accounts].sort((a, b) => a.index - b.index);
    const greatest = ordered.at(-1)?.index ?? -1;
    if (greatest >= count) throw new Error(`account ${greatest} lies beyond the ${count} that remain`);
    const levels: LevelChange[] = [];
    let indices: readonly number[] = ordered.map(({ index }) => index);
    let nodes = accountRoots(ordered);
    for (let level = 0; level < PAGE_LEVELS && count > 0; level++) {
      const change = this.#changeLevel(level, indices, nodes, count);
      levels.push(change);
      indices = change.indices;
      nodes = pageRoots(change.pages, level, childrenAt(level, count));
    }
    const root = stateRoot(count === 0 ? (EMPTY_ROOTS[DEPTH] as Uint8Array) : nodes, totals);
    return {
      root,
      commit: () => {
        this.#dropBeyond(count);
        levels.forEach(({ indices: changed, pages }, level) => {
          changed.forEach((index, i) => {
            this.#change(pageNumber(level, index), pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
          });
        });
        this.#totals = totals;
        this.root = root;
      },
    };
  }

  holds(accounts: readonly AccountRecord[]): boolean {
    const roots = accountRoots(accounts);
    return accounts.every(({ index }, i) => {
      if (index >= this.#totals.accounts) return false;
      const page = this.#needed(pageNumber(0, Math.floor(index / PAGE_CHILDREN)));
      const at = (index % PAGE_CHILDREN) * 32;
      return equalBytes(page.subarray(at, at + 32), roots.subarray(i * 32, i * 32 + 32));
    });
  }

  prove(index: number): Uint8Array[] {
    const { accounts } = this.#totals;
    if (!(index < accounts)) throw new Error(`account ${index} lies beyond the ${accounts} that are there`);
    const siblings: Uint8Array[] = [];
    let child = index;
    for (let level = 0; level < PAGE_LEVELS; level++) {
      let nodes = this.#needed(pageNumber(level, Math.floor(child / PAGE_CHILDREN)));
      let at = child % PAGE_CHILDREN;
      for (let height = 0; height < PAGE_HEIGHT; height++) {
        const sibling = (at ^ 1) * 32;
        siblings.push(nodes.slice(sibling, sibling + 32));
        const parents = new Uint8Array(nodes.length / 2);
        hashNodes(nodes, parents);
        nodes = parents;
        at >>= 1;
      }
      child = Math.floor(child / PAGE_CHILDREN);
    }
    return [...siblings, uint64Chunk(accounts), ...vectorNodes(this.#totals).siblings];
  }

  drain(): ChangedPage[] {
    const drained: ChangedPage[] = [];
    for (const [page, children] of this.#changed) {
      if (children === undefined) this.#forget(page);
      else this.#young.set(page, children);
      if (pageLevel(page) > 0) drained.push({ page, children: children && withoutEmptyEnd(page, children) });
    }
    this.#changed.clear();
    return drained;
  }

  trim(): void {
    if (this.#young.size < MAX_CLEAN_PAGES / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  #page(page: PageNumber): Uint8Array | undefined {
    if (this.#changed.has(page)) return this.#changed.get(page);
    const young = this.#young.get(page);
    if (young !== undefined) return young;
    const old = this.#old.get(page);
    if (old !== undefined) this.#young.set(page, old);
    return old;
  }

  #change(page: PageNumber, children: Uint8Array): void {
    // What was not drained yet is nobody else's, so a page that changes in every block is one piece of memory, not many.
    const own = this.#changed.get(page);
    if (own === undefined) this.#changed.set(page, children.slice());
    else own.set(children);
  }

  #needed(page: PageNumber): Uint8Array {
    const children = this.#page(page);
    if (children === undefined) throw new Error(`page ${page} was not supplied before it was used`);
    return children;
  }

  #forget(page: PageNumber): void {
    this.#young.delete(page);
    this.#old.delete(page);
  }

  /** The level's pages after some of their children changed, and what lies beyond the last account was cut off. */
  #changeLevel(level: number, children: readonly number[], nodes: Uint8Array, count: number): LevelChange {
    const length = childrenAt(level, count);
    const lastPage = Math.floor((length - 1) / PAGE_CHILDREN);
    const indices: number[] = [];
    for (const child of children) {
      const index = Math.floor(child / PAGE_CHILDREN);
      if (indices.at(-1) !== index) indices.push(index);
    }
    if (indices.at(-1) !== lastPage) indices.push(lastPage);
    const pages = new Uint8Array(indices.length * PAGE_BYTES);
    const storedPages = pagesAt(level, this.#totals.accounts);
    const empty = EMPTY_PAGES[level] as Uint8Array;
    indices.forEach((index, i) => {
      pages.set(index < storedPages ? this.#needed(pageNumber(level, index)) : empty, i * PAGE_BYTES);
    });
    let slot = 0;
    children.forEach((child, i) => {
      while (indices[slot] !== Math.floor(child / PAGE_CHILDREN)) slot++;
      copyNode(nodes, i, pages, slot * PAGE_CHILDREN + (child % PAGE_CHILDREN));
    });
    const used = length - lastPage * PAGE_CHILDREN;
    pages.set(empty.subarray(used * 32), (indices.length - 1) * PAGE_BYTES + used * 32);
    return { indices, pages };
  }

  /** Pages that no account is below any more. */
  #dropBeyond(count: number): void {
    for (let level = 0; level < PAGE_LEVELS; level++) {
      const until = pagesAt(level, this.#totals.accounts);
      for (let index = pagesAt(level, count); index < until; index++)
        this.#changed.set(pageNumber(level, index), undefined);
    }
  }
}

function withoutEmptyEnd(page: PageNumber, children: Uint8Array): Uint8Array {
  const empty = EMPTY_ROOTS[pageLevel(page) * PAGE_HEIGHT] as Uint8Array;
  let end = children.length;
  while (end > 32 && equalBytes(children.subarray(end - 32, end), empty)) end -= 32;
  return children.subarray(0, end);
}

/** Copies one node of 32 bytes; `at` counts nodes. For so few bytes a loop is faster than views and `set`. */
function copyNode(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  const start = fromAt * 32;
  const target = toAt * 32;
  for (let i = 0; i < 32; i++) to[target + i] = from[start + i] as number;
}
