import type { Reorg, Shape, TimelineDataOf, TimelineType } from "../../api/index.ts";

/** How much a direction of a link bends; what is absent is whole. */
export type LinkShape = Shape;
export type ArrivalVia = TimelineDataOf<"header">["via"];

/** What one node tells of itself, by kind. */
export type NodeEntries = { readonly [Type in TimelineType]: TimelineDataOf<Type> };

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
