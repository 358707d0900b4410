import type { Status } from "../api/index.ts";
import type { ClusterClient, NodeSnapshot } from "./client.ts";
import { ClusterError, hint } from "./errors.ts";
import { formatGroups, groupsOf } from "./groups.ts";
import { createConvergenceJudge, isTied } from "./heads.ts";
import { sleep } from "./processes.ts";

export interface Convergence {
  readonly head: Status["head"];
  /** From the call to the snapshot that showed it. */
  readonly timeMs: number;
  /** From the last heal to the convergence after it; null where nothing was healed yet. */
  readonly sinceHealMs: number | null;
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
 * Waits until the cluster has converged. Fails with `CLUSTER_TIED` as soon as that can never happen by itself, and
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
  const isConverged = createConvergenceJudge(intervalMs);
  let tiedLooks = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const nodes = await cluster.snapshot();
    options.onLook?.(nodes);
    const nowMs = performance.now();
    const [best] = nodes
      .flatMap(({ status }) => (status === undefined ? [] : [status.head]))
      .sort((a, b) => b.height - a.height);
    if (isConverged(nodes, nowMs) && best !== undefined) {
      const last = (await cluster.info()).healings.at(-1);
      const sinceHealMs = last === undefined ? null : (last.timeMs ?? Date.now() - last.healedMs);
      return { head: best, timeMs: nowMs - startMs, sinceHealMs, nodes };
    }
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
