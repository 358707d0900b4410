import type { BodyWindow } from "./body-windows.ts";
import type { Moment } from "./types.ts";

/**
 * A window that everything waits for is given to another peer after the first of these, then after twice as long, up to
 * the last; less by and by while answers come. With a short wait alone, nothing would ever come over a slow link of ours.
 */
const FIRST_STALL_MS = 2_000;
const MAX_STALL_MS = 8_000;
const DECAY = 0.85;

/** How long everything has waited for one window, and how long it may. */
export interface StallClock {
  /** The window that is waited for. */
  readonly window: BodyWindow | undefined;
  /** When its time is over, by the monotonic clock. */
  readonly dueMs: number | undefined;
  /** Everything waits for this window, or for none. */
  watch(window: BodyWindow | undefined, now: Moment): void;
  /** An answer came. */
  answered(): void;
  /** The window was taken from its peer: the next one gets more time. */
  expired(): void;
}

export function createStallClock(): StallClock {
  let timeoutMs = FIRST_STALL_MS;
  let waiting: { readonly window: BodyWindow; readonly sinceMs: number } | undefined;
  return {
    get window() {
      return waiting?.window;
    },
    get dueMs() {
      return waiting === undefined ? undefined : waiting.sinceMs + timeoutMs;
    },
    watch(window, now) {
      if (window?.request === waiting?.window.request) return;
      waiting = window === undefined ? undefined : { window, sinceMs: now.monotonicMs };
    },
    answered() {
      timeoutMs = Math.max(FIRST_STALL_MS, timeoutMs * DECAY);
    },
    expired() {
      timeoutMs = Math.min(MAX_STALL_MS, 2 * timeoutMs);
    },
  };
}
