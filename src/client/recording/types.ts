import type { BlockRef, Reorg } from "../../api/index.ts";

/** How much a direction of a link bends; what is absent is whole. */
export interface LinkShape {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** 0 to 1. */
  readonly lossRatio?: number;
  readonly bytesPerSecond?: number;
  readonly blackhole?: boolean;
}

export type ArrivalVia = "gossip" | "sync" | "mined" | "recovery";

interface HeaderData {
  readonly id: string;
  readonly height: number;
  readonly parent: string;
  /** Cumulative, hex. */
  readonly work: string;
  readonly difficulty: string;
  readonly timestampMs: number;
  readonly proposer: string;
  /** Who sent it; null for the node's own. */
  readonly peer: string | null;
  readonly via: ArrivalVia;
}

/** What one node tells of itself, by kind. */
export interface NodeEntries {
  start: { readonly run: string; readonly head: BlockRef; readonly version: string };
  stop: { readonly reason: string };
  header: HeaderData;
  block: HeaderData & {
    readonly state: "best" | "side" | "invalid" | "invalidated";
    readonly rule?: string;
    readonly transactions: number;
    readonly sizeBytes: number;
    readonly receivedMs: number;
  };
  head: {
    readonly id: string;
    readonly height: number;
    readonly work: string;
    readonly parent: string;
    readonly timestampMs: number;
    readonly mempool?: { readonly transactions: number; readonly bytes: number };
  };
  reorg: {
    readonly reorg: string;
    readonly oldHead: BlockRef;
    readonly newHead: BlockRef;
    readonly forkPoint: BlockRef;
    readonly depth: number;
    readonly receivedMs: number;
    readonly durationMs: number;
  };
  peer: { readonly peer: string; readonly connected: boolean; readonly reason: string | null };
  link: {
    readonly peer: string;
    readonly mode: "refuse" | "shape" | "whole";
    readonly out?: LinkShape | null;
    readonly in?: LinkShape | null;
    readonly untilMs?: number | null;
  };
}

/** What the supervisor tells of the cluster, by kind. */
export interface ClusterEntries {
  node: { readonly n: number; readonly state: string; readonly why: string | null };
  split: { readonly groups: readonly (readonly number[])[]; readonly names?: readonly string[] } | null;
  link: { readonly from: number; readonly to: number; readonly shape: LinkShape | null };
}

/** One entry of a merged timeline. `place` counts up over all nodes; a node's entries also have its own `sequence`. */
export type RecordedEntry = { readonly place: number; readonly timeMs: number } & (
  | {
      [Type in keyof NodeEntries]: {
        readonly node: number;
        readonly sequence: number;
        readonly type: Type;
        readonly data: NodeEntries[Type];
      };
    }[keyof NodeEntries]
  | {
      [Type in keyof ClusterEntries]: {
        readonly node: null;
        readonly sequence?: number | null;
        readonly type: Type;
        readonly data: ClusterEntries[Type];
      };
    }[keyof ClusterEntries]
);

export interface RecordedNode {
  /** From 1. */
  readonly n: number;
  readonly name: string;
  readonly peer: string;
}

/** A recording as a file: the merged timeline of a network with the names of its nodes. */
export interface Recording {
  readonly version: 1;
  readonly name: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly nodes: readonly RecordedNode[];
  readonly entries: readonly RecordedEntry[];
  /** Whole records of reorgs by the number of the node. */
  readonly reorgs: Readonly<Record<string, readonly Reorg[]>>;
}
