import type { Finding, Severity } from "../api/index.ts";
import { type ClusterClient, createClusterClient, type NodeSnapshot } from "./client.ts";
import { ClusterError, hint } from "./errors.ts";
import { formatSplit } from "./groups.ts";
import { isTied, relateHeads } from "./heads.ts";
import { sleep } from "./processes.ts";

/** What only the whole of a cluster shows. */
export const CLUSTER_FINDINGS = [
  "CLUSTER_NOT_RUNNING",
  "CLUSTER_SPLIT",
  "CLUSTER_APART",
  "NODE_ENDED",
  "NODE_PAUSED",
  "NODE_STARTING",
  "NODE_SILENT",
] as const;

/** A finding with the node that it is about; null: the whole. */
export interface ClusterFinding extends Finding {
  readonly node: number | null;
}

export interface ClusterDiagnosis {
  readonly findings: readonly ClusterFinding[];
  readonly checked: readonly string[];
}

/** Heads that are apart for so long are not apart by a block under way. */
const APART_MS = 2_000;
const SEVERITIES: readonly Severity[] = ["problem", "warning", "note"];

const bySeverity = (a: ClusterFinding, b: ClusterFinding): number =>
  SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || (a.node ?? 0) - (b.node ?? 0);

const found = (
  node: number | null,
  code: (typeof CLUSTER_FINDINGS)[number],
  severity: Severity,
  summary: string,
  advice: string,
  details: Record<string, unknown> = {},
): ClusterFinding => ({ node, code, severity, summary, advice, details });

/** Of a node that cannot be asked. */
function ofSilent({ n, state, why }: NodeSnapshot, directory: string): ClusterFinding {
  if (state === "ended")
    return found(
      n,
      "NODE_ENDED",
      "problem",
      `node ${n} has ended${why === null ? "" : `: ${why}`}`,
      `start it again with ${hint(`restart ${n}`, directory)}; its last words: ${hint(`logs ${n}`, directory)}`,
      { why },
    );
  if (state === "paused")
    return found(
      n,
      "NODE_PAUSED",
      "warning",
      `node ${n} is paused: its connections stand, and it answers nothing`,
      `let it go on with ${hint(`resume ${n}`, directory)}`,
    );
  if (state === "starting")
    return found(n, "NODE_STARTING", "note", `node ${n} is being started`, "ask again in a moment");
  return found(
    n,
    "NODE_SILENT",
    "problem",
    `node ${n} runs and does not answer`,
    `it may be busy; else see ${hint(`logs ${n}`, directory)}, and start it again with ${hint(`restart ${n}`, directory)}`,
  );
}

async function ofNode(
  cluster: ClusterClient,
  node: NodeSnapshot,
  isSplit: boolean,
): Promise<ClusterFinding[]> {
  if (node.state !== "running") return [ofSilent(node, cluster.directory)];
  try {
    const { findings } = await cluster.node(node.n).doctor();
    return (
      findings
        // What the whole is told of once need not come from every node.
        .filter(({ code }) => !(isSplit && code === "LINKS_REFUSED"))
        .map((one) => ({ node: node.n, ...one }))
    );
  } catch {
    return [ofSilent(node, cluster.directory)];
  }
}

async function ofHeads(cluster: ClusterClient, nodes: readonly NodeSnapshot[]): Promise<ClusterFinding[]> {
  // What an attacker keeps to itself is apart on purpose.
  const isHonest = ({ attack }: NodeSnapshot): boolean => attack === null;
  if (relateHeads(nodes.filter(isHonest)) !== "apart") return [];
  await sleep(APART_MS);
  const later = (await cluster.snapshot()).filter(isHonest);
  if (relateHeads(later) !== "apart") return [];
  const heads = later.flatMap(({ n, status }) =>
    status === undefined ? [] : [{ node: n, id: status.head.id, height: status.head.height }],
  );
  const tied = isTied(later);
  return [
    found(
      null,
      "CLUSTER_APART",
      tied ? "warning" : "problem",
      tied
        ? "nodes stand on different blocks of the same work, and nobody mines"
        : `nodes stand on different branches: heights ${heads.map(({ height }) => height).join(", ")}`,
      tied
        ? "mine one block on any node: cumulo mine 1 --api URL"
        : "each node's findings say why; without any, wait a moment and ask again",
      { heads },
    ),
  ];
}

async function diagnose(cluster: ClusterClient): Promise<ClusterFinding[]> {
  const [{ split }, nodes] = await Promise.all([cluster.info(), cluster.snapshot()]);
  const findings: ClusterFinding[] = [];
  if (split !== null)
    findings.push(
      found(
        null,
        "CLUSTER_SPLIT",
        "warning",
        `the cluster is split: ${formatSplit(split, " / ")}`,
        `join it again with ${hint("heal", cluster.directory)}`,
        { ...split },
      ),
    );
  else findings.push(...(await ofHeads(cluster, nodes)));
  const own = await Promise.all(nodes.map((node) => ofNode(cluster, node, split !== null)));
  return [...findings, ...own.flat()].sort(bySeverity);
}

/** All nodes of a cluster, and what only the whole shows. A cluster that does not run is a finding too. */
export async function diagnoseCluster(directory: string): Promise<ClusterDiagnosis> {
  const checked = [...CLUSTER_FINDINGS];
  try {
    return { findings: await diagnose(await createClusterClient(directory)), checked };
  } catch (error) {
    if (!(error instanceof ClusterError && error.code === "CLUSTER_NOT_RUNNING")) throw error;
    const [summary = "", ...advice] = error.message.split("; ");
    const what = advice.join("; ") || "wait for it, and ask again";
    return { findings: [found(null, "CLUSTER_NOT_RUNNING", "problem", summary, what)], checked };
  }
}
