import type { Leaf } from "../primitives/index.ts";
import { createHeap, NO_SLOT } from "./heap.ts";
import type { PendingEntry } from "./types.ts";

/** Pending transactions in one order or another, kept as they come and go: nobody sorts or searches all of them. */

/** Leaves in bytewise order. They are hashes, so the lists stay short; whoever searches for some that meet fills one list. */
export interface LeafIndex {
  add(leaf: Leaf): void;
  remove(leaf: Leaf): void;
  /** The first `limit` ones greater than `after`, ascending. */
  after(after: Leaf, limit: number): Leaf[];
}

/** Hex digits that choose the list. */
const LIST_DIGITS = 3;

export function createLeafIndex(): LeafIndex {
  const lists: Leaf[][] = Array.from({ length: 16 ** LIST_DIGITS }, () => []);
  const listAt = (leaf: Leaf): number => Number.parseInt(leaf.slice(0, LIST_DIGITS), 16);

  /** Of the first in the list that is not below the leaf. */
  function placeIn(list: readonly Leaf[], leaf: Leaf): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle] ?? "") < leaf) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    add(leaf) {
      const list = lists[listAt(leaf)];
      list?.splice(placeIn(list, leaf), 0, leaf);
    },
    remove(leaf) {
      const list = lists[listAt(leaf)];
      if (list === undefined) return;
      const place = placeIn(list, leaf);
      if (list[place] === leaf) list.splice(place, 1);
    },
    after(after, limit) {
      const found: Leaf[] = [];
      const first = listAt(after);
      for (let i = first; i < lists.length && found.length < limit; i++) {
        const list = lists[i] ?? [];
        let from = 0;
        if (i === first) {
          from = placeIn(list, after);
          if (list[from] === after) from++;
        }
        for (const leaf of list.slice(from, from + limit - found.length)) found.push(leaf);
      }
      return found;
    },
  };
}

/** Entries in order of arrival, from any of them on. */
export interface ArrivalIndex {
  add(entry: PendingEntry): void;
  removed(): void;
  /** The first `limit` that arrived after the one with this `order`. */
  after(order: number, limit: number): PendingEntry[];
}

/** Those that have left stay in the list until they are the greater part. */
export function createArrivalIndex(isPending: (entry: PendingEntry) => boolean): ArrivalIndex {
  let arrived: PendingEntry[] = [];
  let gone = 0;

  /** Of the first that arrived after the one with this `order`. */
  function placeAfter(order: number): number {
    if ((arrived.at(-1)?.order ?? -1) <= order) return arrived.length;
    let low = 0;
    let high = arrived.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((arrived[middle]?.order ?? 0) <= order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    add(entry) {
      const place = placeAfter(entry.order);
      // One that was taken out to make way, and is put back, may still be where it was.
      if (arrived[place - 1] === entry) gone--;
      else arrived.splice(place, 0, entry);
    },
    removed() {
      gone++;
      if (gone <= arrived.length / 2) return;
      arrived = arrived.filter(isPending);
      gone = 0;
    },
    after(order, limit) {
      const found: PendingEntry[] = [];
      for (let i = placeAfter(order); i < arrived.length && found.length < limit; i++) {
        const entry = arrived[i];
        if (entry !== undefined && isPending(entry)) found.push(entry);
      }
      return found;
    },
  };
}

/** Entries by the height up to which they may stand in a block. */
export interface ExpiryIndex {
  add(entry: PendingEntry): void;
  remove(entry: PendingEntry): void;
  /** Takes those that may not stand above the height, at most `limit`, in order of arrival. */
  takeUpTo(height: number, limit: number): PendingEntry[];
}

interface Expiring {
  readonly height: number;
  readonly entries: Set<PendingEntry>;
  slot: number;
}

export function createExpiryIndex(): ExpiryIndex {
  const byHeight = new Map<number, Expiring>();
  const next = createHeap<"slot", Expiring>("slot", (a, b) => a.height < b.height);
  const expiryOf = ({ transaction }: PendingEntry): number => transaction.expiry;

  function drop(expiring: Expiring): void {
    byHeight.delete(expiring.height);
    next.remove(expiring);
  }

  return {
    add(entry) {
      const height = expiryOf(entry);
      const known = byHeight.get(height);
      if (known !== undefined) return void known.entries.add(entry);
      const expiring = { height, entries: new Set([entry]), slot: NO_SLOT };
      byHeight.set(height, expiring);
      next.place(expiring);
    },
    remove(entry) {
      const expiring = byHeight.get(expiryOf(entry));
      expiring?.entries.delete(entry);
      if (expiring?.entries.size === 0) drop(expiring);
    },
    takeUpTo(height, limit) {
      const due: PendingEntry[] = [];
      for (
        let { first } = next;
        first !== undefined && first.height <= height && due.length < limit;
        { first } = next
      ) {
        for (const entry of first.entries) {
          if (due.length >= limit) break;
          first.entries.delete(entry);
          due.push(entry);
        }
        if (first.entries.size === 0) drop(first);
      }
      return due.sort((a, b) => a.order - b.order);
    },
  };
}
