import type { Shape } from "../api/index.ts";
import { ClusterError } from "./errors.ts";
import { checkGroups, checkNames, type Split } from "./groups.ts";

/** The split in force. */
export interface ClusterSplit extends Split {
  readonly sinceMs: number;
  /** When it heals by itself. */
  readonly untilMs: number | null;
}

/** What node `from` does to all that it sends to node `to`. */
export interface ClusterLink {
  readonly from: number;
  readonly to: number;
  readonly shape: Shape;
  /** When it becomes whole by itself. */
  readonly untilMs: number | null;
}

/** What becomes of the link from one node to another, as its sender sets it. */
export type PlannedLink = { readonly mode: "refuse" } | { readonly mode: "shape"; readonly out: Shape };

/** How the links of a cluster are to be. Nodes that are started or go on later get it too. */
export interface LinkPlan {
  split(): ClusterSplit | undefined;
  links(): readonly ClusterLink[];
  /** Undefined: whole. */
  between(from: number, to: number): PlannedLink | undefined;
  /** Fails with `CLUSTER_GROUPS_INVALID`, and changes nothing then. */
  cut(split: Split, forMs: number | undefined): ClusterSplit;
  /** Tells whether there was a split. */
  join(): boolean;
  /** A shape that does nothing makes it whole, and answers undefined. Fails with `CLUSTER_LINK_INVALID`. */
  set(from: number, to: number, shape: Shape, forMs: number | undefined): ClusterLink | undefined;
  /** Makes whole what goes from and to these nodes (absent: any), and answers it. */
  remove(from: number | undefined, to: number | undefined): readonly ClusterLink[];
  /** Forgets all timers. */
  stop(): void;
}

export interface LinkPlanDeps {
  readonly nodes: readonly number[];
  /** A split or a link has come to its end by itself. */
  expired(): void;
}

const doesNothing = (shape: Shape): boolean => Object.values(shape).every((value) => !value);

export function createLinkPlan(deps: LinkPlanDeps): LinkPlan {
  const { nodes } = deps;
  const links = new Map<string, ClusterLink>();
  /** One per split and link: what is set later ends what was set before. */
  const timers = new Map<string, NodeJS.Timeout>();
  const SPLIT = "split";
  let split: ClusterSplit | undefined;

  function stopTimer(of: string): void {
    clearTimeout(timers.get(of));
    timers.delete(of);
  }

  /** Answers when. */
  function endLater(of: string, forMs: number | undefined, end: () => void): number | null {
    stopTimer(of);
    if (forMs === undefined) return null;
    const timer = setTimeout(() => {
      timers.delete(of);
      end();
      deps.expired();
    }, forMs);
    timers.set(of, timer);
    return Date.now() + forMs;
  }

  function checkNode(n: number): void {
    if (nodes.includes(n)) return;
    const message = `there is no node ${n}; the nodes of this cluster are 1 to ${nodes.length}`;
    throw new ClusterError("CLUSTER_NODE_UNKNOWN", message, { details: { nodes: nodes.length } });
  }

  const keyOf = (from: number, to: number): string => `${from}->${to}`;
  const isCut = (from: number, to: number): boolean => {
    const groupOf = (n: number) => split?.groups.findIndex((group) => group.includes(n));
    return groupOf(from) !== groupOf(to);
  };

  return {
    split: () => split,
    links: () => [...links.values()],
    between(from, to) {
      if (isCut(from, to)) return { mode: "refuse" };
      const link = links.get(keyOf(from, to));
      return link && { mode: "shape", out: link.shape };
    },
    cut({ groups, names }, forMs) {
      checkGroups(groups, nodes);
      if (names !== null) checkNames(names, groups.length);
      const untilMs = endLater(SPLIT, forMs, () => {
        split = undefined;
      });
      split = { groups, names, sinceMs: Date.now(), untilMs };
      return split;
    },
    join() {
      stopTimer(SPLIT);
      const was = split !== undefined;
      split = undefined;
      return was;
    },
    set(from, to, shape, forMs) {
      for (const n of [from, to]) checkNode(n);
      if (from === to)
        throw new ClusterError(
          "CLUSTER_LINK_INVALID",
          `node ${from} has no link to itself; name two nodes, such as 1->2`,
        );
      const key = keyOf(from, to);
      if (doesNothing(shape)) {
        stopTimer(key);
        links.delete(key);
        return undefined;
      }
      const untilMs = endLater(key, forMs, () => links.delete(key));
      const link = { from, to, shape, untilMs };
      links.set(key, link);
      return link;
    },
    remove(from, to) {
      for (const n of [from, to]) if (n !== undefined) checkNode(n);
      const gone = [...links.values()].filter(
        (link) => (from === undefined || link.from === from) && (to === undefined || link.to === to),
      );
      for (const link of gone) {
        const key = keyOf(link.from, link.to);
        stopTimer(key);
        links.delete(key);
      }
      return gone;
    },
    stop() {
      for (const of of [...timers.keys()]) stopTimer(of);
    },
  };
}
