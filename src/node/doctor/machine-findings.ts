import type { Finding } from "../../api/index.ts";
import { finding } from "./chain-findings.ts";
import type { Facts } from "./facts.ts";

/** A batch and what LevelDB rewrites beside it need some tens of MiB. */
const DISK_FULL_BYTES = 64 * 1024 * 1024;
const DISK_LOW_BYTES = 1024 * 1024 * 1024;
/** So much of the time busy, and answers wait. */
const BUSY_RATIO = 0.9;
const MEMPOOL_FULL_RATIO = 0.95;

const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024).toLocaleString("en-US")} MiB`;

function disk({ disk: space }: Facts): Finding[] {
  if (space === undefined || space.freeBytes >= DISK_LOW_BYTES) return [];
  const isFull = space.freeBytes < DISK_FULL_BYTES;
  return [
    finding(
      isFull ? "DISK_FULL" : "DISK_NEARLY_FULL",
      isFull ? "problem" : "warning",
      `the disk of this node's data directory has ${mib(space.freeBytes)} left of ${mib(space.totalBytes)}`,
      "make room, or start with --prune DEPTH; on a full disk the node stops, and goes on where it was when started again",
      { ...space },
    ),
  ];
}

function mempool({ mempool: pool }: Facts): Finding[] {
  const ratio = Math.max(pool.transactions / pool.maxTransactions, pool.bytes / pool.maxBytes);
  if (ratio < MEMPOOL_FULL_RATIO) return [];
  return [
    finding(
      "MEMPOOL_FULL",
      "warning",
      `the mempool is full (${pool.transactions} transactions, ${mib(pool.bytes)}): what pays least is turned away`,
      "pay higher fees, or mine: cumulo mine 1",
      { ...pool },
    ),
  ];
}

function busy({ busyRatio }: Facts): Finding[] {
  if (busyRatio < BUSY_RATIO) return [];
  return [
    finding(
      "EVENT_LOOP_BUSY",
      "warning",
      `the node was busy ${Math.round(busyRatio * 100)} % of the last moment, so peers and requests wait`,
      "a sync or a flood of transactions passes; else give it more of a processor, or take other programs away",
      { busyRatio },
    ),
  ];
}

function attack({ attack: role }: Facts): Finding[] {
  if (role === null) return [];
  return [
    finding(
      "ATTACK_ROLE",
      "warning",
      `this node attacks its peers: it was started with --attack ${role}`,
      "start it without --attack to make it honest; docs/attacks.md says what it does",
      { role },
    ),
  ];
}

function off({ hasHistory, hasTimeline }: Facts): Finding[] {
  return [
    ...(hasHistory
      ? []
      : [
          finding(
            "HISTORY_OFF",
            "note",
            "this node keeps no history of accounts (--no-history)",
            "start it without --no-history to have one",
          ),
        ]),
    ...(hasTimeline
      ? []
      : [
          finding(
            "TIMELINE_OFF",
            "note",
            "this node keeps no timeline (--no-timeline)",
            "start it without --no-timeline to look back at forks",
          ),
        ]),
  ];
}

/** What is wrong with the machine, or was chosen at the start. */
export const machineFindings: readonly ((facts: Facts) => Finding[])[] = [disk, mempool, busy, attack, off];
