import {
  type ChainSpec,
  genesisDifficulty,
  type HeaderCore,
  MAX_DIFFICULTY,
} from "../../primitives/index.ts";

/** What the rule looks at of a block; a `HeaderCore` is one. */
export type DifficultyAncestor = Pick<HeaderCore, "height" | "timestampMs" | "difficulty">;

// One late block may lengthen the measured interval by so many target intervals at most, so that a single timestamp
// cannot throw the difficulty down.
const MAX_INTERVALS = 6;

/**
 * The difficulty that a child of `parent` must declare.
 *
 * `fixed`: the genesis difficulty. `adjusting`: WTEMA, next = floor(d * N*T / (N*T + t - T)) in integers, where d is the
 * parent's difficulty, T the interval, N the smoothing, and t the parent's timestamp minus the grandparent's, clamped to
 * [1 ms, 6T]; never below the genesis difficulty. Block 1 has the genesis difficulty; under `vote` every block has 1. (J. Toomim and others' comparison
 * of difficulty algorithms for Bitcoin Cash, 2020, describes WTEMA.)
 */
export function nextDifficulty(
  spec: ChainSpec,
  parent: DifficultyAncestor,
  grandparent: DifficultyAncestor | undefined,
): bigint {
  const minimum = genesisDifficulty(spec);
  if (spec.engine === "vote" || spec.difficultyMode === "fixed" || grandparent === undefined) return minimum;
  const tookMs = Math.min(
    Math.max(parent.timestampMs - grandparent.timestampMs, 1),
    MAX_INTERVALS * spec.intervalMs,
  );
  const interval = BigInt(spec.intervalMs);
  const span = BigInt(spec.smoothing) * interval;
  const next = (parent.difficulty * span) / (span + BigInt(tookMs) - interval);
  if (next < minimum) return minimum;
  return next > MAX_DIFFICULTY ? MAX_DIFFICULTY : next;
}
