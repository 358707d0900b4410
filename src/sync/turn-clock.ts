import type { Moment } from "./types.ts";

/**
 * How long one peer may show headers, or one chain's blocks may come more slowly than our chain takes them, while a peer
 * with something else waits: whoever answers each time, and just in time, would keep us from all others. Twice as long
 * after each that was cut short, or over a slow link nothing would come to its end.
 */
const FIRST_TURN_MS = 60_000;
const LONGEST_TURN_MS = 16 * FIRST_TURN_MS;

/** How long the present turn has lasted, and how long it may. */
export interface TurnClock {
  begin(now: Moment): void;
  isOver(now: Moment): boolean;
  /** It was cut short: the next ones may last longer. */
  lengthen(): void;
  /** Something came to its end. */
  reset(): void;
}

export function createTurnClock(): TurnClock {
  let sinceMs = 0;
  let longestMs = FIRST_TURN_MS;
  return {
    begin({ monotonicMs }) {
      sinceMs = monotonicMs;
    },
    isOver: ({ monotonicMs }) => monotonicMs - sinceMs >= longestMs,
    lengthen() {
      longestMs = Math.min(LONGEST_TURN_MS, 2 * longestMs);
    },
    reset() {
      longestMs = FIRST_TURN_MS;
    },
  };
}
