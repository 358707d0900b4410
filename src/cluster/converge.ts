import type { Status } from "../api/index.ts";
import type { ClusterClient, NodeSnapshot } from "./client.ts";
import { ClusterError, hint } from "./errors.ts";
import { formatGroups, groupsOf } from "./groups.ts";
import { sleep } from "./processes.ts";

/** How the heads of one snapshot stand to each other. */
export type HeadRelation = "equal" | "adjacent" | "apart" | "unknown";

/**
 * `equal`: one head. `adjacent`: on one branch within one block of each other. `unknown`: somebody did not answer.
 */
export function relateHeads(nodes: readonly NodeSnapshot[]): HeadRelation {
  const heads = nodes.map(({ status }) => status?.head);
  if (heads.some((head) => head === undefined)) return "unknown";
  const distinct = new Map(heads.map((head) => [head?.id, head]));
  if (distinct.size <= 1) return "equal";
  if (distinct.size > 2) return "apart";
  const [a, b] = [...distinct.values()];
  return a?.parent === b?.id || b?.parent === a?.id ? "adjacent" : "apart";
}

/**
 * True where nothing will ever decide between the heads: every node knows the others' as exactly as good as its own,
 * and none mines.
 */
export function isTied(nodes: readonly NodeSnapshot[]): boolean {
  const statuses = nodes
    .map(({ status }) => status)
    .filter((status): status is Status => status !== undefined);
  if (statuses.length !== nodes.length || statuses.some(({ mining }) => mining.on)) return false;
  const ids = new Set(statuses.map(({ head }) => head.id));
  if (ids.size < 2) return false;
  return statuses.every(({ head, tied }) =>
    [...ids].every((id) => id === head.id || tied.some((tip) => tip.id === id)),
  );
}

export interface Convergence {
  readonly head: Status["head"];
  /** From the call to the snapshot that showed it. */
  readonly timeMs: number;
  readonly nodes: readonly NodeSnapshot[];
}

const POLL_MS = 100;
/** Looks in a row that must show a tie before it is called one: a block may be on its way. */
const TIE_LOOKS = 10;

function describe(nodes: readonly NodeSnapshot[], directory: string): string {
  const groups = groupsOf(nodes);
  const heads = nodes.map(
    ({ n, status }) => `${n} at ${status?.head.height ?? "?"} ${status?.head.id.slice(0, 8) ?? "no answer"}`,
  );
  const split =
    groups.length > 1
      ? `; the cluster is split ${formatGroups(groups)}: heal it first with ${hint("heal", directory)}`
      : "";
  const idle = nodes.flatMap(({ n, state }) => {
    if (state === "paused")
      return `; node ${n} is paused: let it go on with ${hint(`resume ${n}`, directory)}`;
    return state === "ended" ? `; node ${n} has ended: start it with ${hint(`restart ${n}`, directory)}` : [];
  });
  return `nodes ${heads.join(", ")}${split}${idle.join("")}`;
}

/**
 * Waits until the cluster has *converged*: in one snapshot all heads are equal, or they lie on one branch within one
 * block of each other for three intervals. Fails with `CLUSTER_TIED` as soon as that can never happen by itself, and
 * with `CLUSTER_TIMEOUT`.
 */
export async function waitConverged(
  cluster: ClusterClient,
  options: {
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
    readonly onLook?: (nodes: readonly NodeSnapshot[]) => void;
  },
): Promise<Convergence> {
  const startMs = performance.now();
  const first = (await cluster.info()).nodes.find(({ state }) => state === "running");
  if (first === undefined) {
    const message = `no node of the cluster runs; ${hint("status", cluster.directory)} tells why`;
    throw new ClusterError("CLUSTER_NOT_RUNNING", message);
  }
  const intervalMs = Number((await cluster.node(first.n).genesis())["intervalMs"]);
  let adjacentSinceMs: number | undefined;
  let tiedLooks = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const nodes = await cluster.snapshot();
    options.onLook?.(nodes);
    const nowMs = performance.now();
    const relation = relateHeads(nodes);
    adjacentSinceMs = relation === "adjacent" ? (adjacentSinceMs ?? nowMs) : undefined;
    const settled = adjacentSinceMs !== undefined && nowMs - adjacentSinceMs >= 3 * intervalMs;
    const [best] = nodes
      .flatMap(({ status }) => (status === undefined ? [] : [status.head]))
      .sort((a, b) => b.height - a.height);
    if ((relation === "equal" || settled) && best !== undefined)
      return { head: best, timeMs: nowMs - startMs, nodes };
    tiedLooks = isTied(nodes) ? tiedLooks + 1 : 0;
    const details = { heads: nodes.map(({ n, status }) => ({ node: n, head: status?.head ?? null })) };
    if (tiedLooks >= TIE_LOOKS) throw new ClusterError("CLUSTER_TIED", "tied: mine one block", { details });
    if (nowMs - startMs > options.timeoutMs) {
      throw new ClusterError(
        "CLUSTER_TIMEOUT",
        `not converged within ${options.timeoutMs} ms: ${describe(nodes, cluster.directory)}`,
        { details },
      );
    }
    await sleep(POLL_MS);
  }
}
