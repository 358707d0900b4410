import type { Clock } from "../../ports/index.ts";

/** How much may be noted of a kind that others can cause for nothing: so much at once, and so much a second after. */
export interface Budget {
  /** False where it is used up for now. */
  take(): boolean;
}

export function createBudget(
  clock: Clock,
  { most, perSecond }: { readonly most: number; readonly perSecond: number },
): Budget {
  let left = most;
  let sinceMs = clock.monotonicMs();
  return {
    take() {
      const nowMs = clock.monotonicMs();
      left = Math.min(most, left + ((nowMs - sinceMs) * perSecond) / 1_000);
      sinceMs = nowMs;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}
