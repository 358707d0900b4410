import { hashNodes, hashPair, hexToBytes, setUint64, ZERO_32 } from "../primitives/index.ts";
import type { AccountRecord, LedgerTotals } from "./accounts.ts";

/** Depth of `List[Account, 2^32]`. */
const DEPTH = 32;
/** Root of an empty subtree of each height. */
const EMPTY: Uint8Array[] = [ZERO_32];
for (let height = 1; height <= DEPTH; height++) {
  const below = EMPTY[height - 1] as Uint8Array;
  EMPTY.push(hashPair(below, below));
}

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

/**
 * The Merkle tree over the state, kept incrementally: an update hashes only the paths it touches, a level at a time, in
 * native batches. All accounts' nodes are in memory (64 bytes each in all).
 */
export interface StateTree {
  readonly root: Uint8Array;
  /** Accounts at `totals.accounts` and beyond are dropped; those below it that are new must be in `accounts`. */
  prepare(update: StateUpdate): PendingState;
}

function uint64Chunk(value: number): Uint8Array {
  const chunk = new Uint8Array(32);
  setUint64(new DataView(chunk.buffer), 0, value);
  return chunk;
}

/** Roots of many accounts: hash(hash(key, balance), hash(nonce, 0)) each, in two batches. */
function accountRoots(accounts: readonly AccountRecord[]): Uint8Array {
  const chunks = new Uint8Array(accounts.length * 128);
  const view = new DataView(chunks.buffer);
  accounts.forEach(({ key, balance, nonce }, i) => {
    chunks.set(hexToBytes(key), i * 128);
    setUint64(view, i * 128 + 32, balance);
    setUint64(view, i * 128 + 64, nonce);
  });
  const halves = new Uint8Array(accounts.length * 64);
  hashNodes(chunks, halves);
  const roots = new Uint8Array(accounts.length * 32);
  hashNodes(halves, roots);
  return roots;
}

/** Copies one node of 32 bytes; `at` counts nodes. For so few bytes a loop is faster than views and `set`. */
function copyNode(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  const start = fromAt * 32;
  const target = toAt * 32;
  for (let i = 0; i < 32; i++) to[target + i] = from[start + i] as number;
}

/** A growing row of 32-byte nodes. */
class NodeRow {
  bytes = new Uint8Array(32 * 16);

  set(index: number, from: Uint8Array, fromAt: number): void {
    const end = index * 32 + 32;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    copyNode(from, fromAt, this.bytes, index);
  }
}

/** Some nodes of one row: `nodes` holds 32 bytes for each of `indices`, which ascend. */
interface SomeNodes {
  readonly indices: readonly number[];
  readonly nodes: Uint8Array;
}

/** Nodes in a row at `height` above `count` leaves. */
const rowLength = (count: number, height: number): number => Math.ceil(count / 2 ** height);

/** The root of the 16-slot state vector: accounts, issued, burned; the other slots are zero until they are used. */
function vectorRoot(accountsRoot: Uint8Array, totals: LedgerTotals): Uint8Array {
  const left = hashPair(accountsRoot, uint64Chunk(totals.issued));
  const right = hashPair(uint64Chunk(totals.burned), ZERO_32);
  const four = hashPair(left, right);
  const eight = hashPair(four, EMPTY[2] as Uint8Array);
  return hashPair(eight, EMPTY[3] as Uint8Array);
}

export function createStateTree(initial: StateUpdate): StateTree {
  const rows = Array.from({ length: DEPTH + 1 }, () => new NodeRow());
  let root = ZERO_32;

  /** The leaves to begin with: those of `accounts`, and the last one, whose path sees what was cut off to its right. */
  function changedLeaves(accounts: readonly AccountRecord[], count: number): SomeNodes {
    const ordered = [...accounts].sort((a, b) => a.index - b.index);
    const indices = ordered.map(({ index }) => index);
    const greatest = indices.at(-1) ?? -1;
    if (greatest >= count) throw new Error(`account ${greatest} lies beyond the ${count} that remain`);
    const roots = accountRoots(ordered);
    if (greatest === count - 1) return { indices, nodes: roots };
    const nodes = new Uint8Array(roots.length + 32);
    nodes.set(roots);
    copyNode((rows[0] as NodeRow).bytes, count - 1, nodes, indices.length);
    return { indices: [...indices, count - 1], nodes };
  }

  /** The changed nodes of the row above `below`, whose own row is at `height` and has `length` nodes. */
  function rehash(below: SomeNodes, height: number, length: number): SomeNodes {
    const { indices, nodes } = below;
    const row = rows[height] as NodeRow;
    const empty = EMPTY[height] as Uint8Array;
    const parents: number[] = [];
    const input = new Uint8Array(indices.length * 64);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number;
      const isLeft = index % 2 === 0;
      const pair = parents.length * 2;
      parents.push(Math.floor(index / 2));
      copyNode(nodes, i, input, isLeft ? pair : pair + 1);
      if (!isLeft) copyNode(row.bytes, index - 1, input, pair);
      else if (index + 1 >= length) copyNode(empty, 0, input, pair + 1);
      else if (indices[i + 1] === index + 1) copyNode(nodes, ++i, input, pair + 1);
      else copyNode(row.bytes, index + 1, input, pair + 1);
    }
    const output = new Uint8Array(parents.length * 32);
    hashNodes(input.subarray(0, parents.length * 64), output);
    return { indices: parents, nodes: output };
  }

  function prepare({ accounts, totals }: StateUpdate): PendingState {
    const count = totals.accounts;
    const changed = [changedLeaves(accounts, count)];
    for (let height = 0; height < DEPTH; height++) {
      changed.push(rehash(changed[height] as SomeNodes, height, rowLength(count, height)));
    }
    const top = count === 0 ? (EMPTY[DEPTH] as Uint8Array) : (changed[DEPTH] as SomeNodes).nodes;
    const pendingRoot = vectorRoot(hashPair(top, uint64Chunk(count)), totals);
    return {
      root: pendingRoot,
      commit() {
        changed.forEach(({ indices, nodes }, height) => {
          const row = rows[height] as NodeRow;
          for (const [i, index] of indices.entries()) row.set(index, nodes, i);
        });
        root = pendingRoot;
      },
    };
  }

  prepare(initial).commit();
  return {
    get root() {
      return root;
    },
    prepare,
  };
}
