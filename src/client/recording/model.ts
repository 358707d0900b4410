import type { Reorg } from "../../api/index.ts";
import { type Arrival, createArrivals } from "./arrivals.ts";
import { type BlockTree, createBlockTree, type RecordedBlock } from "./block-tree.ts";
import { createHistory, type History } from "./history.ts";
import type { ClusterEntries, LinkShape, NodeEntries, RecordedEntry, RecordedNode } from "./types.ts";

/** A node at one time. */
export interface NodeMoment {
  readonly n: number;
  /** `unknown` before anything was told of it. */
  readonly state: "running" | "gone" | "unknown";
  /** Of one that is gone: how that came, where somebody said. */
  readonly why: string | null;
  /** Where its best chain ended; of one that is gone, where it ended last. */
  readonly head: RecordedBlock | undefined;
  readonly mempool: { readonly transactions: number; readonly bytes: number } | undefined;
}

/** How two peers stood to each other at one time; told by `node` of a peer, which may be no node of the recording. */
export interface LinkMoment {
  readonly node: number;
  readonly peer: string;
  /** The peer as a node of the recording. */
  readonly other: number | undefined;
  readonly connected: boolean;
  readonly mode: "whole" | "shape" | "refuse";
  /** What the node does to what it sends and reads; null: nothing. */
  readonly out: LinkShape | null;
  readonly in: LinkShape | null;
}

export interface RecordedReorg {
  readonly node: number;
  readonly timeMs: number;
  readonly place: number;
  readonly data: NodeEntries["reorg"];
}

/** A moment that is worth finding again. */
export interface Mark {
  readonly timeMs: number;
  readonly kind: "reorg" | "split" | "heal" | "gone" | "back";
  readonly node: number | null;
  /** Blocks disconnected, of a reorg. */
  readonly depth: number;
}

type Split = ClusterEntries["split"];

/** A recording that can be asked for any of its moments. */
export interface RecordingModel {
  /** Counts up with each change, so that a view knows whether to draw. */
  readonly version: number;
  readonly tree: BlockTree;
  readonly nodes: readonly RecordedNode[];
  /** Time of the first and the last entry, ms; 0 while there is none. */
  readonly startMs: number;
  readonly endMs: number;
  /** By time. */
  readonly reorgs: readonly RecordedReorg[];
  readonly marks: readonly Mark[];
  readonly splits: History<Split>;
  /** Every change of a head, by time. */
  readonly heads: History<{ readonly node: number; readonly block: number }>;
  /** Names a node, or gives it another name or peer. */
  addNode(node: RecordedNode): void;
  /** Takes entries in the order of their places; those that it has are passed over. Returns how many were new. */
  add(entries: Iterable<RecordedEntry>): number;
  /**
   * Another supervisor counts places from 1 again: its own entries are new, and the split of the one before has ended with
   * it. What nodes told is known by their sequence.
   */
  restartPlaces(): void;
  /** Keeps whole records, which the timeline only names. */
  addReorgs(node: number, records: Iterable<Reorg>): void;
  reorgRecord(node: number, id: string): Reorg | undefined;
  nodeAt(n: number, timeMs: number): NodeMoment;
  /** Every pair that was ever connected or shaped, as it was. */
  linksAt(timeMs: number): readonly LinkMoment[];
  splitAt(timeMs: number): Split;
  /** How a block came to each node that has heard of it by a time. */
  arrivals(block: number, timeMs: number): readonly Arrival[];
  /** Whether anybody knew its header by then. */
  isKnown(block: RecordedBlock, timeMs: number): boolean;
  /** From the first node that had all of it to the last of those that had it by a time, ms; undefined with fewer than two. */
  propagationMs(block: number, timeMs: number): number | undefined;
  nodeOfPeer(peer: string): number | undefined;
  /** As the recording names it; "node 3" where it gives no name. */
  nameOf(n: number): string;
  /** The node that mines for an address, once it has said so of a block. */
  nodeOfProposer(address: string | undefined): number | undefined;
}

interface Member {
  node: RecordedNode;
  /** Number of its last entry that was taken. */
  sequence: number;
  readonly state: History<{ readonly isRunning: boolean; readonly why: string | null }>;
  readonly head: History<number>;
  readonly mempool: History<{ readonly transactions: number; readonly bytes: number }>;
  readonly peers: Map<string, { readonly connected: History<boolean>; readonly link: History<Shaping> }>;
  readonly records: Map<string, Reorg>;
}
type Shaping = Pick<LinkMoment, "mode" | "out" | "in">;
const WHOLE: Shaping = { mode: "whole", out: null, in: null };

/** Nodes' entries come in the order in which they were learned of, which is nearly that of their times. */
function insertByTime<Item extends { readonly timeMs: number }>(list: Item[], item: Item): void {
  let at = list.length;
  while (at > 0 && list[at - 1]!.timeMs > item.timeMs) at--;
  list.splice(at, 0, item);
}

export function createRecording(): RecordingModel {
  const tree = createBlockTree();
  const arrivals = createArrivals();
  const members = new Map<number, Member>();
  const byPeer = new Map<string, number>();
  const miners = new Map<string, number>();
  const reorgs: RecordedReorg[] = [];
  const marks: Mark[] = [];
  const splits = createHistory<Split>();
  const heads = createHistory<{ readonly node: number; readonly block: number }>();
  let version = 0;
  let startMs = 0;
  let endMs = 0;
  let lastPlace = 0;

  const mark = (found: Mark): void => insertByTime(marks, found);

  function memberOf(n: number): Member {
    let member = members.get(n);
    if (member === undefined) {
      member = {
        node: { n, name: `node ${n}`, peer: "" },
        sequence: 0,
        state: createHistory(),
        head: createHistory(),
        mempool: createHistory(),
        peers: new Map(),
        records: new Map(),
      };
      members.set(n, member);
    }
    return member;
  }

  function peerOf(member: Member, peer: string) {
    const known = member.peers.get(peer);
    if (known !== undefined) return known;
    const made = { connected: createHistory<boolean>(), link: createHistory<Shaping>() };
    member.peers.set(peer, made);
    return made;
  }

  function setHead(member: Member, timeMs: number, block: RecordedBlock): void {
    member.head.push(timeMs, block.index);
    heads.insert(timeMs, { node: member.node.n, block: block.index });
  }

  function setState(member: Member, timeMs: number, isRunning: boolean, why: string | null): void {
    const before = member.state.values.at(-1);
    if (before?.isRunning === isRunning && before.why === why) return;
    member.state.push(timeMs, { isRunning, why });
    if (before !== undefined && before.isRunning !== isRunning)
      mark({ timeMs, kind: isRunning ? "back" : "gone", node: member.node.n, depth: 0 });
    // Who is gone has no connections, and who starts anew has no links of before.
    for (const { connected, link } of member.peers.values()) {
      if (connected.values.at(-1) === true) connected.push(timeMs, false);
      if (link.length > 0 && link.values.at(-1) !== WHOLE) link.push(timeMs, WHOLE);
    }
  }

  function takeOfNode(entry: Extract<RecordedEntry, { node: number }>): boolean {
    const { timeMs, place } = entry;
    const member = memberOf(entry.node);
    if (entry.sequence <= member.sequence) return false;
    member.sequence = entry.sequence;
    switch (entry.type) {
      case "start": {
        // A process that was killed said nothing; its connections ended all the same.
        if (member.state.values.at(-1)?.isRunning) setState(member, timeMs, false, null);
        setState(member, timeMs, true, null);
        setHead(member, timeMs, tree.name(entry.data.head));
        break;
      }
      case "stop":
        setState(member, timeMs, false, entry.data.reason);
        break;
      case "header":
        arrivals.header(entry.node, tree.tell(timeMs, entry.data).index, { timeMs, ...entry.data });
        break;
      case "block":
        if (entry.data.via === "mined") miners.set(entry.data.proposer, entry.node);
        arrivals.body(entry.node, tree.tell(timeMs, entry.data).index, { ...entry.data, timeMs });
        break;
      case "head":
        setHead(member, timeMs, tree.name(entry.data));
        if (entry.data.mempool !== undefined) member.mempool.push(timeMs, entry.data.mempool);
        break;
      case "reorg":
        insertByTime(reorgs, { node: entry.node, timeMs, place, data: entry.data });
        mark({ timeMs, kind: "reorg", node: entry.node, depth: entry.data.depth });
        break;
      case "peer":
        peerOf(member, entry.data.peer).connected.push(timeMs, entry.data.connected);
        break;
      case "link": {
        const { data } = entry;
        const shaping = data.mode === "whole" ? WHOLE : { mode: data.mode, out: data.out, in: data.in };
        peerOf(member, data.peer).link.push(timeMs, shaping);
        break;
      }
    }
    return true;
  }

  function takeOfCluster(entry: Extract<RecordedEntry, { node: null }>): boolean {
    if (entry.place <= lastPlace) return false;
    const { timeMs } = entry;
    if (entry.type === "node") {
      const { n, state, why } = entry.data;
      // A paused one is there and says nothing; a start tells itself when it runs.
      if (state === "ended") setState(memberOf(n), timeMs, false, why);
    } else if (entry.type === "split") {
      const before = splits.values.at(-1) ?? null;
      if (before === null && entry.data === null) return true;
      splits.push(timeMs, entry.data);
      mark({ timeMs, kind: entry.data === null ? "heal" : "split", node: null, depth: 0 });
    }
    // Links are told by the nodes that bend them, too.
    return true;
  }

  function nodeAt(n: number, timeMs: number): NodeMoment {
    const member = members.get(n);
    const state = member?.state.at(timeMs);
    const head = member?.head.at(timeMs);
    return {
      n,
      state:
        state === undefined
          ? head === undefined
            ? "unknown"
            : "running"
          : state.isRunning
            ? "running"
            : "gone",
      why: state?.why ?? null,
      head: head === undefined ? undefined : tree.blocks[head],
      mempool: member?.mempool.at(timeMs),
    };
  }

  return {
    get version() {
      return version;
    },
    tree,
    get nodes() {
      return [...members.values()].map(({ node }) => node).sort((a, b) => a.n - b.n);
    },
    get startMs() {
      return startMs;
    },
    get endMs() {
      return endMs;
    },
    reorgs,
    marks,
    splits,
    heads,
    addNode(node) {
      memberOf(node.n).node = node;
      if (node.peer !== "") byPeer.set(node.peer, node.n);
      version++;
    },
    add(entries) {
      let added = 0;
      for (const entry of entries) {
        const isNew = entry.node === null ? takeOfCluster(entry) : takeOfNode(entry);
        if (!isNew) continue;
        added++;
        lastPlace = Math.max(lastPlace, entry.place);
        startMs = startMs === 0 ? entry.timeMs : Math.min(startMs, entry.timeMs);
        endMs = Math.max(endMs, entry.timeMs);
      }
      if (added > 0) version++;
      return added;
    },
    restartPlaces() {
      lastPlace = 0;
      if ((splits.values.at(-1) ?? null) === null) return;
      splits.push(endMs, null);
      mark({ timeMs: endMs, kind: "heal", node: null, depth: 0 });
      version++;
    },
    addReorgs(node, records) {
      const { records: kept } = memberOf(node);
      for (const record of records) kept.set(record.id, record);
      version++;
    },
    reorgRecord: (node, id) => members.get(node)?.records.get(id),
    nodeAt,
    linksAt(timeMs) {
      return [...members.values()].flatMap(({ node, peers }) =>
        [...peers].map(([peer, { connected, link }]) => ({
          node: node.n,
          peer,
          other: byPeer.get(peer),
          connected: connected.at(timeMs) ?? false,
          ...(link.at(timeMs) ?? WHOLE),
        })),
      );
    },
    splitAt: (timeMs) => splits.at(timeMs) ?? null,
    arrivals(block, timeMs) {
      return [...members.keys()]
        .flatMap((n) => arrivals.of(n, block) ?? [])
        .filter(({ headerMs }) => headerMs <= timeMs)
        .map((each) =>
          each.bodyMs !== null && each.bodyMs > timeMs ? { ...each, bodyMs: null, bodyPeer: null } : each,
        )
        .sort((a, b) => a.headerMs - b.headerMs || a.node - b.node);
    },
    isKnown: ({ firstSeenMs }, timeMs) => firstSeenMs === Number.POSITIVE_INFINITY || firstSeenMs <= timeMs,
    propagationMs(block, timeMs) {
      let first = Number.POSITIVE_INFINITY;
      let last = Number.NEGATIVE_INFINITY;
      let count = 0;
      for (const n of members.keys()) {
        const bodyMs = arrivals.bodyMs(n, block);
        if (Number.isNaN(bodyMs) || bodyMs > timeMs) continue;
        first = Math.min(first, bodyMs);
        last = Math.max(last, bodyMs);
        count++;
      }
      return count < 2 ? undefined : last - first;
    },
    nodeOfPeer: (peer) => byPeer.get(peer),
    nameOf: (n) => members.get(n)?.node.name ?? `node ${n}`,
    nodeOfProposer: (address) => (address === undefined ? undefined : miners.get(address)),
  };
}
