/**
 * A binary heap whose items know where they are, so that one can be moved or taken out, all in O(log n). What an item is
 * compared by may change only right before `place` is called with it.
 */
export interface Heap<T> {
  readonly first: T | undefined;
  /** Puts an item in, or where it belongs after what it is compared by has changed. */
  place(item: T): void;
  /** No effect where it is not in. */
  remove(item: T): void;
  /** The item in a slot, from 0: those in 2 i + 1 and 2 i + 2 do not come before that in i. */
  at(slot: number): T | undefined;
}

/** In the items' own field for it: they are in no heap yet. */
export const NO_SLOT = -1;

/** `field` is where the items keep their slot in this heap, `NO_SLOT` to begin with; nobody else writes it. */
export function createHeap<Field extends string, T extends Record<Field, number>>(
  field: Field,
  comesBefore: (a: T, b: T) => boolean,
): Heap<T> {
  const items: T[] = [];

  function put(item: T, slot: number): void {
    items[slot] = item;
    (item as Record<Field, number>)[field] = slot;
  }

  function rise(item: T, from: number): number {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >>> 1;
      const other = items[above] as T;
      if (!comesBefore(item, other)) break;
      put(other, slot);
      slot = above;
    }
    return slot;
  }

  function sink(item: T, from: number): number {
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= items.length) return slot;
      if (below + 1 < items.length && comesBefore(items[below + 1] as T, items[below] as T)) below++;
      const other = items[below] as T;
      if (!comesBefore(other, item)) return slot;
      put(other, slot);
      slot = below;
    }
  }

  const settle = (item: T, slot: number): void => put(item, sink(item, rise(item, slot)));

  return {
    get first() {
      return items[0];
    },
    place(item) {
      settle(item, item[field] === NO_SLOT ? items.push(item) - 1 : item[field]);
    },
    remove(item) {
      const slot = item[field];
      if (slot === NO_SLOT) return;
      (item as Record<Field, number>)[field] = NO_SLOT;
      const last = items.pop() as T;
      if (last !== item) settle(last, slot);
    },
    at: (slot) => items[slot],
  };
}
