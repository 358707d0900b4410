import type { Clock } from "../ports/index.ts";

const BUCKET_MS = 1_000;
const BUCKETS = 10;

/** Tries a second over the last `BUCKETS` seconds, or since the first of them if that is less. */
export interface RateMeter {
  add(tries: number): void;
  perSecond(): number;
}

export function createRateMeter(clock: Clock): RateMeter {
  let buckets: { readonly startMs: number; tries: number }[] = [];
  const forget = (nowMs: number): void => {
    buckets = buckets.filter(({ startMs }) => nowMs - startMs < BUCKETS * BUCKET_MS);
  };
  return {
    add(tries) {
      const nowMs = clock.monotonicMs();
      forget(nowMs);
      const last = buckets.at(-1);
      if (last !== undefined && nowMs - last.startMs < BUCKET_MS) last.tries += tries;
      else buckets.push({ startMs: nowMs, tries });
    },
    perSecond() {
      const nowMs = clock.monotonicMs();
      forget(nowMs);
      const [first] = buckets;
      if (first === undefined) return 0;
      // At least one bucket's time, or the first slice after a start would read as an absurd rate.
      const spanMs = Math.max(BUCKET_MS, nowMs - first.startMs);
      return (buckets.reduce((sum, { tries }) => sum + tries, 0) * 1_000) / spanMs;
    },
  };
}
