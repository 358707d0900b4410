import { type Clock, delay, type Logger, type Timers } from "../ports/index.ts";
import { createConvergenceJudge, type HeadLook } from "./heads.ts";

/** What came of a heal: of a split, or of links that became whole. */
export interface Healing {
  readonly healedMs: number;
  /** Null until the nodes that run have converged, and for ever where something else came between. */
  readonly convergedMs: number | null;
  /** From the heal to the convergence, by a clock that is not set. */
  readonly timeMs: number | null;
}

/** Measures the time from each heal to the convergence after it. */
export interface Healings {
  /** The last of them, oldest first. */
  list(): readonly Healing[];
  /** Something was healed just now: measures from here. One that is still measured ends without a time. */
  healed(): void;
  /** Something was cut: what is still measured cannot converge any more. */
  cut(): void;
  stop(): void;
}

export interface HealingsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** All nodes that run, asked at the same time. */
  look(): Promise<readonly HeadLook[]>;
  intervalMs(): Promise<number>;
}

const MAX_HEALINGS = 32;
/** A look at all nodes so often, and at longer waits at times that are known to two hundredths. */
const MIN_LOOK_MS = 50;
const MAX_LOOK_MS = 1_000;
const LOOKS_PER_TIME = 50;
/** Whoever has not converged by then is tied, or cut off by something else. */
const LONGEST_MS = 600_000;

export function createHealings(deps: HealingsDeps): Healings {
  const healings: Healing[] = [];
  let measuring: AbortController | undefined;

  function stop(): void {
    measuring?.abort();
    measuring = undefined;
  }

  async function measure(healing: Healing, startMs: number, signal: AbortSignal): Promise<void> {
    const isConverged = createConvergenceJudge(await deps.intervalMs());
    while (!signal.aborted) {
      const nodes = await deps.look();
      const timeMs = deps.clock.monotonicMs() - startMs;
      if (signal.aborted || timeMs > LONGEST_MS) return;
      if (nodes.length > 0 && isConverged(nodes, timeMs)) {
        const place = healings.indexOf(healing);
        const roundMs = Math.round(timeMs);
        const convergedMs = healing.healedMs + roundMs;
        if (place >= 0) healings[place] = { ...healing, convergedMs, timeMs: roundMs };
        deps.logger.info({ timeMs: roundMs }, "the nodes have converged after a heal");
        return;
      }
      const waitMs = Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, timeMs / LOOKS_PER_TIME));
      // Whoever is stopped meanwhile ends by the loop's condition.
      await delay(deps.timers, waitMs, signal).catch(() => {});
    }
  }

  return {
    list: () => [...healings],
    healed() {
      stop();
      const controller = new AbortController();
      measuring = controller;
      const healing: Healing = { healedMs: deps.clock.nowMs(), convergedMs: null, timeMs: null };
      healings.push(healing);
      if (healings.length > MAX_HEALINGS) healings.shift();
      measure(healing, deps.clock.monotonicMs(), controller.signal).catch((error: unknown) =>
        deps.logger.warn({ error: String(error) }, "the convergence after a heal could not be measured"),
      );
    },
    cut: stop,
    stop,
  };
}
