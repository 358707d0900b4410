import type { Clock } from "../../ports/index.ts";

/** The operating system's clocks. */
export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
  };
}
