import { hashNodes, hashPair, hexToBytes, ZERO_32 } from "../primitives/index.ts";
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
  writeUint64(chunk, 0, value);
  return chunk;
}

function writeUint64(bytes: Uint8Array, offset: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** Roots of many accounts: hash(hash(key, balance), hash(nonce, 0)) each, in two batches. */
function accountRoots(accounts: readonly AccountRecord[]): Uint8Array {
  const chunks = new Uint8Array(accounts.length * 128);
  accounts.forEach(({ key, balance, nonce }, i) => {
    chunks.set(hexToBytes(key), i * 128);
    writeUint64(chunks, i * 128 + 32, balance);
    writeUint64(chunks, i * 128 + 64, nonce);
  });
  const halves = new Uint8Array(accounts.length * 64);
  hashNodes(chunks, halves);
  const roots = new Uint8Array(accounts.length * 32);
  hashNodes(halves, roots);
  return roots;
}

/** A growing row of 32-byte nodes. */
class NodeRow {
  private bytes = new Uint8Array(32 * 16);

  get(index: number): Uint8Array {
    return this.bytes.subarray(index * 32, index * 32 + 32);
  }

  set(index: number, node: Uint8Array): void {
    const end = index * 32 + 32;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(node, index * 32);
  }
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

  /** Recomputes the rows above the changed leaves; returns the changed nodes of every row. */
  function rehash(leaves: Map<number, Uint8Array>, count: number): Map<number, Uint8Array>[] {
    const changed = [leaves];
    for (let height = 1; height <= DEPTH; height++) {
      const below = changed[height - 1] as Map<number, Uint8Array>;
      const length = rowLength(count, height - 1);
      const child = (index: number): Uint8Array =>
        index >= length
          ? (EMPTY[height - 1] as Uint8Array)
          : (below.get(index) ?? (rows[height - 1] as NodeRow).get(index));
      const parents = [...new Set([...below.keys()].map((index) => Math.floor(index / 2)))];
      const input = new Uint8Array(parents.length * 64);
      parents.forEach((parent, i) => {
        input.set(child(parent * 2), i * 64);
        input.set(child(parent * 2 + 1), i * 64 + 32);
      });
      const output = new Uint8Array(parents.length * 32);
      hashNodes(input, output);
      changed.push(new Map(parents.map((parent, i) => [parent, output.subarray(i * 32, i * 32 + 32)])));
    }
    return changed;
  }

  function prepare({ accounts, totals }: StateUpdate): PendingState {
    const count = totals.accounts;
    const roots = accountRoots(accounts);
    const leaves = new Map<number, Uint8Array>();
    accounts.forEach(({ index }, i) => {
      if (index >= count) throw new Error(`account ${index} lies beyond the ${count} that remain`);
      leaves.set(index, roots.subarray(i * 32, i * 32 + 32));
    });
    // The last account's path sees what was cut off to its right, so it is always hashed again.
    const last = count - 1;
    if (last >= 0 && !leaves.has(last)) leaves.set(last, (rows[0] as NodeRow).get(last).slice());
    const changed = rehash(leaves, count);
    const top = changed[DEPTH]?.get(0) ?? (EMPTY[DEPTH] as Uint8Array);
    const pendingRoot = vectorRoot(hashPair(top, uint64Chunk(count)), totals);
    return {
      root: pendingRoot,
      commit() {
        changed.forEach((nodes, height) => {
          for (const [index, node] of nodes) rows[height]?.set(index, node);
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
