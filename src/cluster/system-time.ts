import type { Clock, Timers } from "../ports/index.ts";

/** The supervisor's own: those of `node/` would bring a whole node with them. */
export const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export function createTimers(): Timers {
  const waiting = new Map<number, NodeJS.Timeout>();
  let lastId = 0;
  return {
    set(delayMs, callback) {
      const id = ++lastId;
      const fire = (): void => {
        waiting.delete(id);
        callback();
      };
      waiting.set(id, setTimeout(fire, Math.ceil(delayMs)));
      return { id };
    },
    clear({ id }) {
      clearTimeout(waiting.get(id));
      waiting.delete(id);
    },
  };
}
