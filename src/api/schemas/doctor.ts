import Type from "typebox";
import { Strict } from "./common.ts";

/**
 * What `cumulo doctor` can find, docs/operations.md has a table of them. A node finds those of its own; the command adds
 * what only the outside sees.
 */
export const NODE_FINDINGS = [
  "CHAIN_STOPPED",
  "MINORITY_FORK",
  "BETTER_BRANCH_REFUSED",
  "BETTER_BRANCH_INVALIDATED",
  "BLOCKS_REFUSED",
  "BRANCH_CUT_OFF",
  "PEERS_PRUNED",
  "PARENT_MISSING",
  "CLAIM_NOT_SHOWN",
  "TIED",
  "NO_NEW_BLOCKS",
  "SYNC_STALLED",
  "SYNCING",
  "CLOCK_SLOW",
  "CLOCK_FAST",
  "NO_PEERS",
  "PEER_UNREACHABLE",
  "PEERS_BANNED",
  "LINKS_REFUSED",
  "LINKS_SHAPED",
  "PORT_CLOSED",
  "NOBODY_CAME_IN",
  "DISK_FULL",
  "DISK_NEARLY_FULL",
  "MEMPOOL_FULL",
  "EVENT_LOOP_BUSY",
  "ATTACK_ROLE",
  "HISTORY_OFF",
  "TIMELINE_OFF",
] as const;
export type NodeFindingCode = (typeof NODE_FINDINGS)[number];

/** problem: the node does not do its work, or not for long. warning: it may soon not. note: good to know. */
export const Severity = Type.Enum(["problem", "warning", "note"], {
  description: "problem, warning or note",
});
export type Severity = "problem" | "warning" | "note";

export const Finding = Strict({
  code: Type.String({ pattern: "^[A-Z][A-Z_]*$" }),
  severity: Severity,
  /** One sentence: what is the case. */
  summary: Type.String(),
  /** What to do. */
  advice: Type.String(),
  details: Type.Record(Type.String(), Type.Unknown()),
});
export type Finding = Type.Static<typeof Finding>;

/** Problems first. `checked`: all codes that were looked for. */
export const Doctor = Strict({ findings: Type.Array(Finding), checked: Type.Array(Type.String()) });
export type Doctor = Type.Static<typeof Doctor>;
