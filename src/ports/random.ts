/** Unpredictable numbers. Consensus never uses them; salts, jitter and peer choice do. */
export interface Random {
  /** `length` fresh bytes that the caller owns. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}

/**
 * A reproducible stream for simulations and tests: the same seed gives the same numbers. Not for secrets.
 * Mulberry32 (T. Ettinger, public domain): 32 bits of state, passes gjrand's small tests, enough to vary a schedule.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    fraction: () => next() / 2 ** 32,
  };
}
