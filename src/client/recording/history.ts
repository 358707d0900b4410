/**
 * What something was, from each time on: asked at any time by binary search. Times that go back (a clock was set) count
 * as the last one told, so that the order in which things were told is the order in which they hold.
 */
export interface History<Value> {
  readonly length: number;
  readonly times: readonly number[];
  readonly values: readonly Value[];
  /** From `timeMs` on it is `value`. */
  push(timeMs: number, value: Value): void;
  /** The same among what was told before, by its time; after those of the same time. */
  insert(timeMs: number, value: Value): void;
  /** What held at a time, the last of those told for it; undefined before the first. */
  at(timeMs: number): Value | undefined;
  /** How many entries had been told at a time. */
  countAt(timeMs: number): number;
}

export function createHistory<Value>(): History<Value> {
  const times: number[] = [];
  const values: Value[] = [];
  function countAt(timeMs: number): number {
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (times[middle]! <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  return {
    get length() {
      return times.length;
    },
    times,
    values,
    push(timeMs, value) {
      times.push(Math.max(timeMs, times.at(-1) ?? timeMs));
      values.push(value);
    },
    insert(timeMs, value) {
      const at = times.at(-1)! > timeMs ? countAt(timeMs) : times.length;
      times.splice(at, 0, timeMs);
      values.splice(at, 0, value);
    },
    at: (timeMs) => values[countAt(timeMs) - 1],
    countAt,
  };
}
