/** The time of day. Consensus compares it with timestamps, so it is wall-clock time, not monotonic. */
export interface Clock {
  /** Unix time in milliseconds; may jump when the operating system's clock is set. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For durations and rates. */
  monotonicMs(): number;
}

/** A clock that stands still until it is told to move. Drives simulations and tests. */
export interface ManualClock extends Clock {
  /** Moves both readings forward by `deltaMs` (>= 0). */
  advance(deltaMs: number): void;
  /** Sets the wall clock only, as an operator or NTP would; may go back. */
  setWallMs(unixMs: number): void;
}

export function createManualClock(startUnixMs = 1_767_225_600_000): ManualClock {
  let wallMs = startUnixMs;
  let monotonicMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    advance(deltaMs) {
      if (!(deltaMs >= 0)) throw new RangeError(`a clock advances by 0 or more, not ${deltaMs}`);
      wallMs += deltaMs;
      monotonicMs += deltaMs;
    },
    setWallMs(unixMs) {
      wallMs = unixMs;
    },
  };
}
