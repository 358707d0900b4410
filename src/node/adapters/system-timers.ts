import type { Timers } from "../../ports/index.ts";

/** setTimeout silently turns anything longer into 1 ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Node's timers. A waiting timer keeps the process alive, so whoever sets one clears it on the way out. Delays beyond
 * 24 days fire after 24 days.
 */
export function createSystemTimers(): Timers {
  const waiting = new Map<number, NodeJS.Timeout>();
  let nextId = 1;
  return {
    set(delayMs, callback) {
      if (!(delayMs >= 0)) throw new RangeError(`a timer's delay is 0 or more, not ${delayMs}`);
      const id = nextId++;
      // Rounded up, because setTimeout truncates and would fire early.
      const handle = setTimeout(
        () => {
          waiting.delete(id);
          callback();
        },
        Math.min(Math.ceil(delayMs), MAX_DELAY_MS),
      );
      waiting.set(id, handle);
      return { id };
    },
    clear(timer) {
      clearTimeout(waiting.get(timer.id));
      waiting.delete(timer.id);
    },
  };
}
