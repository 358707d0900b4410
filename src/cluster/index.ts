/**
 * Cluster: several nodes on one machine, started, connected, split, healed and loaded as one. Nodes are ordinary
 * `node start` processes; everything goes through their HTTP API and the supervisor in front of them.
 *
 * Invariants: only processes that are verified to be ours are ever signalled; no process outlives its supervisor
 * (one that somebody else paused: before its own going on, `down` or the next `up`); a failed or interrupted start
 * leaves nothing running.
 */
export { markAlone } from "./claim.ts";
export * from "./client.ts";
export * from "./converge.ts";
export * from "./demo/index.ts";
export { CLUSTER_FINDINGS, type ClusterDiagnosis, type ClusterFinding, diagnoseCluster } from "./doctor.ts";
export { stopCluster } from "./down.ts";
export * from "./errors.ts";
export type { NodeDeed } from "./fleet.ts";
export * from "./groups.ts";
export * from "./heads.ts";
export type { Healing } from "./healings.ts";
export type { ClusterLink, ClusterSplit } from "./link-plan.ts";
export * from "./link-words.ts";
export * from "./load.ts";
export { MAX_LOG_BYTES } from "./log-file.ts";
export type { NodeState, NodeView } from "./member.ts";
export { takeRecording } from "./recording.ts";
export * from "./scenarios/index.ts";

export type { ClusterInfo, NodeLog } from "./supervisor-routes.ts";
export type { ClusterTimelinePage } from "./timeline-routes.ts";
export { MAX_NODES, TOPOLOGY_NAMES } from "./topology.ts";
export { type ClusterOptions, startCluster } from "./up.ts";
