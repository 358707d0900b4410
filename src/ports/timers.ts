import type { ManualClock } from "./clock.ts";

/** What `Timers.set` hands out; only `Timers.clear` looks inside. */
export interface Timer {
  readonly id: number;
}

/** Calls back later, once. Everything that waits in this project waits through this port. */
export interface Timers {
  /**
   * Calls `callback` once, at least `delayMs` (>= 0) from now. Callbacks due at the same moment run in the order they
   * were set. Never calls back synchronously.
   */
  set(delayMs: number, callback: () => void): Timer;
  /** Forgets the timer; harmless if it already fired or was cleared. */
  clear(timer: Timer): void;
}

/** Timers that fire when their manual clock is moved through them. */
export interface ManualTimers extends Timers {
  /** How many timers are waiting; 0 shows that nothing leaked. */
  readonly pending: number;
  /** Moves the clock forward by `deltaMs`, stopping at each timer on the way to fire it. */
  advance(deltaMs: number): void;
}

export function createManualTimers(clock: ManualClock): ManualTimers {
  const waiting = new Map<number, { dueMs: number; callback: () => void }>();
  let nextId = 1;

  function earliest(untilMs: number): number | undefined {
    let found: number | undefined;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const [id, timer] of waiting) {
      if (timer.dueMs <= untilMs && timer.dueMs < dueMs) {
        found = id;
        dueMs = timer.dueMs;
      }
    }
    return found;
  }

  return {
    get pending() {
      return waiting.size;
    },
    set(delayMs, callback) {
      if (!(delayMs >= 0)) throw new RangeError(`a timer's delay is 0 or more, not ${delayMs}`);
      const id = nextId++;
      waiting.set(id, { dueMs: clock.monotonicMs() + delayMs, callback });
      return { id };
    },
    clear(timer) {
      waiting.delete(timer.id);
    },
    advance(deltaMs) {
      const endMs = clock.monotonicMs() + deltaMs;
      for (let id = earliest(endMs); id !== undefined; id = earliest(endMs)) {
        const timer = waiting.get(id);
        waiting.delete(id);
        if (timer === undefined) continue;
        clock.advance(Math.max(0, timer.dueMs - clock.monotonicMs()));
        timer.callback();
      }
      clock.advance(endMs - clock.monotonicMs());
    },
  };
}

/** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
export function delay(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timers.clear(timer);
      reject(signal?.reason);
    };
    const timer = timers.set(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
