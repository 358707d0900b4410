import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Link, Shape } from "../api/index.ts";
import type { Logger } from "../ports/index.ts";
import { ClusterError } from "./errors.ts";
import type { Split } from "./groups.ts";
import { createHealings, type Healing } from "./healings.ts";
import { type ClusterLink, type ClusterSplit, createLinkPlan, type PlannedLink } from "./link-plan.ts";
import { createMember, type Member, type NodeView, startingError } from "./member.ts";
import type { NodeProcessOptions } from "./node-process.ts";
import { waitUntil } from "./processes.ts";
import { createTimers, systemClock } from "./system-time.ts";
import { neighboursOf, type Topology } from "./topology.ts";

/** A start takes a second or more of a core; many at once would only make all of them late. */
const STARTS_AT_ONCE = 4;
const CONNECT_MS = 20_000;

/** What can be done to one node of a running cluster. */
export const NODE_DEEDS = ["kill", "pause", "resume", "restart"] as const;
export type NodeDeed = (typeof NODE_DEEDS)[number];

/** The nodes of one cluster: started together, connected as the topology says, split, healed, their links shaped. */
export interface Fleet {
  readonly members: readonly Member[];
  /** The split in force, and the links that are not whole. */
  split(): ClusterSplit | undefined;
  links(): readonly ClusterLink[];
  /** The last times that something was healed, and when the nodes that run had converged after each. */
  healings(): readonly Healing[];
  /** Fails with a `CLUSTER_NODE_UNKNOWN`. */
  member(n: number): Member;
  /** Starts all nodes and connects them; fails when one does not come up. What runs then is ended by `stop`. */
  start(signal: AbortSignal): Promise<void>;
  act(n: number, deed: NodeDeed): Promise<NodeView>;
  /** Cuts all links between the groups and joins those within, until `heal` or for a time. */
  cut(split: Split, forMs?: number): Promise<ClusterSplit>;
  heal(): Promise<void>;
  /** Answers undefined where the shape does nothing: then the link is whole. */
  link(from: number, to: number, shape: Shape, forMs?: number): Promise<ClusterLink | undefined>;
  /** Makes whole what goes from and to these nodes (absent: any), and answers it. */
  unlink(from?: number, to?: number): Promise<readonly ClusterLink[]>;
  /** Gives up what is under way, and ends every node. */
  stop(): Promise<void>;
}

export interface FleetDeps {
  readonly logger: Logger;
  /** Writes down which processes there are now. */
  note(): Promise<void>;
}

export interface FleetOptions
  extends Omit<NodeProcessOptions, "n" | "dataDir" | "miners" | "attack" | "api" | "listen"> {
  readonly directory: string;
  readonly topology: Topology;
  /** Nodes that are not started with the others; a restart starts them. */
  readonly late?: readonly number[];
}

/** Some at a time. The first failure tells the others, and all have settled before it is passed on. */
async function eachBounded<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      either.throwIfAborted();
      await work(item, either);
    }
  };
  const workers = Array.from({ length: STARTS_AT_ONCE }, async () => {
    try {
      await worker();
    } catch (error) {
      failure.abort(error);
    }
  });
  await Promise.all(workers);
  either.throwIfAborted();
}

function isAsPlanned(link: Link | undefined, planned: PlannedLink | undefined): boolean {
  if (link === undefined || planned === undefined) return link === planned;
  const { mode, out, untilMs } = link;
  const shape = planned.mode === "shape" ? planned.out : null;
  return mode === planned.mode && untilMs === null && link.in === null && isDeepStrictEqual(out, shape);
}

export function createFleet(deps: FleetDeps, options: FleetOptions): Fleet {
  const { directory, topology } = options;
  const stopping = new AbortController();
  /** Nodes that are being changed: one change at a time. */
  const changing = new Map<number, Promise<unknown>>();
  const members = Array.from({ length: topology.nodes }, (_, i) => {
    const n = i + 1;
    const dataDir = join(directory, `node${n}`);
    const attack = topology.attacks?.[n];
    return createMember(
      { logger: deps.logger, onProcess: deps.note },
      {
        ...options,
        n,
        dataDir,
        miners: topology.nodes,
        isLate: options.late?.includes(n) === true,
        ...(attack && { attack }),
      },
    );
  });

  function member(n: number): Member {
    const found = members.find((one) => one.n === n);
    if (found !== undefined) return found;
    const message = `there is no node ${n}; the nodes of this cluster are 1 to ${members.length}`;
    throw new ClusterError("CLUSTER_NODE_UNKNOWN", message, { details: { nodes: members.length } });
  }

  /** Those that start together. */
  const early = members.filter(({ n }) => options.late?.includes(n) !== true);
  const neighbours = ({ n }: Member): Member[] => neighboursOf(topology, n).map(member);
  const isRunning = async (one: Member): Promise<boolean> => (await one.view()).state === "running";

  async function introduce(one: Member, others: readonly Member[], signal: AbortSignal): Promise<void> {
    for (const other of others) {
      const [address] = other.address()?.multiaddrs ?? [];
      if (address !== undefined) await one.client().addPeer(address, { signal });
    }
  }

  /** Each node gets the addresses of its neighbours, and all wait until all see them. */
  async function connectAll(signal: AbortSignal): Promise<void> {
    // From one side first: two nodes that dial each other at the same moment would have two connections.
    for (const isFirst of [true, false])
      await eachBounded(early, signal, async (one, either) => {
        const near = neighbours(one).filter((other) => early.includes(other));
        const others = near.filter(({ n }) => n < one.n === isFirst);
        await introduce(one, others, either);
        const expected = isFirst ? others.length : near.length;
        const connected = async () => (await one.client().status({ signal: either })).peers >= expected;
        if (await waitUntil(connected, CONNECT_MS)) return;
        const message = `node ${one.n} did not connect to its neighbours within ${CONNECT_MS / 1_000} s`;
        throw new ClusterError("CLUSTER_START_FAILED", message);
      });
  }

  const plan = createLinkPlan({
    nodes: members.map(({ n }) => n),
    expired: () => {
      healings.healed();
      void setAllLinks().catch((error: unknown) =>
        deps.logger.error({ error: String(error) }, "a link's time is over, and it could not be healed"),
      );
    },
  });

  const running = async (): Promise<Member[]> => {
    const are = await Promise.all(members.map(isRunning));
    return members.filter((_, i) => are[i]);
  };
  const healings = createHealings({
    clock: systemClock,
    timers: createTimers(),
    logger: deps.logger,
    async look() {
      const status = (one: Member) =>
        one
          .client()
          .status()
          .catch(() => undefined);
      return Promise.all((await running()).map(async (one) => ({ status: await status(one) })));
    },
    async intervalMs() {
      const [first] = await running();
      return Number((await first?.client().genesis())?.["intervalMs"] ?? 0);
    },
  });

  /** Sets the near ends of one node's links as they are planned. */
  async function setLinks(one: Member): Promise<void> {
    const client = one.client();
    const present = new Map((await client.links()).items.map((link) => [link.peer, link]));
    for (const other of members) {
      const peer = other.address()?.peer;
      if (other === one || peer === undefined) continue;
      const wanted = plan.between(one.n, other.n);
      const link = present.get(peer);
      if (isAsPlanned(link, wanted)) continue;
      if (wanted === undefined) await client.healLink(peer);
      else if (wanted.mode === "refuse") await client.refuseLink(peer);
      else await client.shapeLink(peer, { out: wanted.out });
    }
  }

  /** The last setting of each node's links: one after the other, each by the plan of its moment. */
  const setting = new Map<number, Promise<void>>();
  function setLinksInTurn(one: Member): Promise<void> {
    const next = (setting.get(one.n) ?? Promise.resolve()).then(() => setLinks(one));
    setting.set(
      one.n,
      next.catch(() => {}),
    );
    return next;
  }

  /** On all nodes that can be asked now; the others get it when they can, and the far ends hold until then. */
  async function setAllLinks(): Promise<void> {
    const set = async (one: Member): Promise<void> => {
      if (!(await isRunning(one))) return;
      try {
        await setLinksInTurn(one);
      } catch (error) {
        // It ended meanwhile, or is about to: whoever starts it again, or lets it go on, sets its links then.
        if (!changing.has(one.n) && (await isRunning(one))) throw error;
      }
    };
    await Promise.all(members.map(set));
  }

  async function restart(one: Member): Promise<void> {
    const before = one.address();
    await one.stop();
    stopping.signal.throwIfAborted();
    await one.start(stopping.signal);
    await deps.note();
    // Before it knows anybody: what it refused was in its memory, and the split must not leak for a moment.
    await setLinksInTurn(one);
    await introduce(one, neighbours(one), stopping.signal);
    const [old] = before?.multiaddrs ?? [];
    const [now] = one.address()?.multiaddrs ?? [];
    if (old === undefined || now === undefined || old === now) return;
    // Its port was taken: whoever dials it must know the new one.
    for (const other of neighbours(one)) {
      if (!(await isRunning(other))) continue;
      await other.client().removePeer(old);
      await other.client().addPeer(now);
    }
  }

  async function change(one: Member, deed: NodeDeed): Promise<void> {
    if (deed === "restart") return restart(one);
    if (deed === "pause") return one.pause();
    await one.resume();
    await setLinksInTurn(one);
  }

  /** One change of a node at a time; a second one is told so. */
  async function alone(one: Member, work: () => Promise<void>): Promise<void> {
    if (changing.has(one.n)) throw startingError(one.n, directory);
    const running = work();
    changing.set(one.n, running);
    try {
      await running;
    } finally {
      changing.delete(one.n);
    }
  }

  return {
    members,
    split: plan.split,
    links: plan.links,
    healings: healings.list,
    member,
    async start(signal) {
      await eachBounded(early, signal, (one, either) => one.start(either));
      await connectAll(signal);
    },
    async act(n, deed) {
      const one = member(n);
      stopping.signal.throwIfAborted();
      // A node that hangs while it starts must be killable.
      if (deed === "kill") await one.kill();
      else await alone(one, () => change(one, deed));
      deps.logger.info({ node: n, nodePid: one.process()?.pid, deed }, "a node was changed");
      return one.view();
    },
    async cut(wanted, forMs) {
      const split = plan.cut(wanted, forMs);
      healings.cut();
      await setAllLinks();
      return split;
    },
    async heal() {
      if (plan.join()) healings.healed();
      await setAllLinks();
    },
    async link(from, to, shape, forMs) {
      const before = plan.links().length;
      const link = plan.set(from, to, shape, forMs);
      if (plan.links().length < before) healings.healed();
      await setAllLinks();
      return link;
    },
    async unlink(from, to) {
      const gone = plan.remove(from, to);
      if (gone.length > 0) healings.healed();
      await setAllLinks();
      return gone;
    },
    async stop() {
      plan.stop();
      healings.stop();
      stopping.abort(new ClusterError("CLUSTER_NOT_RUNNING", "the cluster is being ended"));
      await Promise.allSettled(changing.values());
      await Promise.all(members.map((one) => one.stop()));
    },
  };
}
