import type { Clock, Timers } from "../../src/ports/index.ts";

export const realClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The real timers, for tests of things that talk over real sockets. They do not keep the process alive. */
export function createRealTimers(): Timers {
  const running = new Map<number, NodeJS.Timeout>();
  let nextId = 1;
  return {
    set(delayMs, callback) {
      const id = nextId++;
      const timeout = setTimeout(() => {
        running.delete(id);
        callback();
      }, delayMs);
      running.set(id, timeout.unref());
      return { id };
    },
    clear({ id }) {
      clearTimeout(running.get(id));
      running.delete(id);
    },
  };
}
