import type { Status } from "../api/index.ts";

/** What one look shows of a node; undefined where it did not answer. */
export interface HeadLook {
  readonly status: Status | undefined;
}

/** How the heads of one snapshot stand to each other. */
export type HeadRelation = "equal" | "adjacent" | "apart" | "unknown";

/**
 * `equal`: one head. `adjacent`: on one branch within one block of each other. `unknown`: somebody did not answer.
 */
export function relateHeads(nodes: readonly HeadLook[]): HeadRelation {
  const heads = nodes.map(({ status }) => status?.head);
  if (heads.some((head) => head === undefined)) return "unknown";
  const distinct = new Map(heads.map((head) => [head?.id, head]));
  if (distinct.size <= 1) return "equal";
  if (distinct.size > 2) return "apart";
  const [a, b] = [...distinct.values()];
  return a?.parent === b?.id || b?.parent === a?.id ? "adjacent" : "apart";
}

/**
 * True where nothing will ever decide between the heads: they have the same work, each is known to some node that stands
 * on another, so it is not merely on its way, and none mines.
 */
export function isTied(nodes: readonly HeadLook[]): boolean {
  const statuses = nodes
    .map(({ status }) => status)
    .filter((status): status is Status => status !== undefined);
  if (statuses.length !== nodes.length || statuses.some(({ mining }) => mining.on)) return false;
  const ids = new Set(statuses.map(({ head }) => head.id));
  if (ids.size < 2 || new Set(statuses.map(({ head }) => head.work)).size > 1) return false;
  const tied = new Set(statuses.flatMap((status) => status.tied.map(({ id }) => id)));
  return [...ids].every((id) => tied.has(id));
}

/**
 * Judges one look at the nodes after the other: *converged* are they when all heads are equal in one look, or lie on one
 * branch within one block of each other for three intervals.
 */
export function createConvergenceJudge(
  intervalMs: number,
): (nodes: readonly HeadLook[], nowMs: number) => boolean {
  let adjacentSinceMs: number | undefined;
  return (nodes, nowMs) => {
    const relation = relateHeads(nodes);
    adjacentSinceMs = relation === "adjacent" ? (adjacentSinceMs ?? nowMs) : undefined;
    const isSettled = adjacentSinceMs !== undefined && nowMs - adjacentSinceMs >= 3 * intervalMs;
    return relation === "equal" || isSettled;
  };
}
