import type { BlockId } from "../primitives/index.ts";

/**
 * Blocks asked for, or here and not imported yet, at most, counted from the lowest that is not: how far the others may run
 * ahead of a window that holds them all up.
 */
const MAX_BLOCKS_AHEAD = 1_024;

/** Part of a header chain whose bodies one peer was asked for. */
export interface BodyWindow {
  readonly request: number;
  readonly peer: string;
  /** Places in the header chain, ascending. */
  readonly indexes: readonly number[];
}

/**
 * Which bodies of a header chain nobody was asked for yet, and which ones of whom: each place is in one window at most.
 */
export interface BodyWindows {
  readonly open: ReadonlyMap<number, BodyWindow>;
  openOf(peer: string): number;
  /** The window that a place is in. */
  holding(index: number): BodyWindow | undefined;
  /** The first place that is to be asked for, below the bound counted from `lowest`. */
  firstFree(lowest: number): number | undefined;
  /** Opens a window of at most `max` of those places, none above `reach`. */
  openFor(peer: string, request: number, max: number, lowest: number, reach: number): BodyWindow | undefined;
  /** Ends a window. What it did not bring is given back by its user. */
  close(request: number): BodyWindow | undefined;
  /** These are to be asked for (again). */
  giveBack(indexes: Iterable<number>): void;
}

/** `isHere` tells which blocks came another way. */
export function createBodyWindows(
  ids: { readonly length: number; at(index: number): BlockId | undefined },
  isHere: (id: BlockId) => boolean,
): BodyWindows {
  const open = new Map<number, BodyWindow>();
  /** Nobody was ever asked for it or what comes after it. */
  let next = 0;
  /** Asked for in vain; ascending. Of the blocks ahead, so no more than their bound. */
  let returned: number[] = [];

  const isMissing = (index: number): boolean => {
    const id = ids.at(index);
    return id !== undefined && !isHere(id);
  };

  function firstFree(lowest: number): number | undefined {
    while (returned[0] !== undefined && !isMissing(returned[0])) returned.shift();
    if (returned[0] !== undefined) return returned[0];
    while (next < ids.length && !isMissing(next)) next++;
    return next < Math.min(ids.length, lowest + MAX_BLOCKS_AHEAD) ? next : undefined;
  }

  return {
    open,
    openOf(peer) {
      let count = 0;
      for (const window of open.values()) if (window.peer === peer) count++;
      return count;
    },
    holding(index) {
      for (const window of open.values()) if (window.indexes.includes(index)) return window;
      return undefined;
    },
    firstFree,
    openFor(peer, request, max, lowest, reach) {
      const indexes: number[] = [];
      for (let first = firstFree(lowest); first !== undefined && first <= reach; first = firstFree(lowest)) {
        indexes.push(first);
        if (first === returned[0]) returned.shift();
        else next = first + 1;
        if (indexes.length >= max) break;
      }
      if (indexes.length === 0) return undefined;
      const window = { request, peer, indexes };
      open.set(request, window);
      return window;
    },
    close(request) {
      const window = open.get(request);
      open.delete(request);
      return window;
    },
    giveBack(indexes) {
      returned = [...new Set([...returned, ...indexes])].sort((a, b) => a - b);
    },
  };
}
