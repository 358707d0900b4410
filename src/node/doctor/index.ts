/**
 * Doctor: why this node is stuck, alone or on another branch, and what to do about it. `facts.ts` is what it looks at,
 * gathered here at one moment; the findings are pure functions of that.
 *
 * Invariants: it changes nothing but the connections that it opens to the node's own addresses, however many ask at once;
 * it tells readers no paths of this machine; it answers within seconds and while the chain is stopped; each code stands in docs/operations.md with what to do.
 */
import { statfs } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { type Doctor, NODE_FINDINGS } from "../../api/index.ts";
import type { Chain } from "../../chain/index.ts";
import type { TreeBlock } from "../../consensus/index.ts";
import { DEFAULT_MEMPOOL_OPTIONS } from "../../mempool/index.ts";
import type { Status as Claim, Supervisor } from "../../network/index.ts";
import { type Clock, delay, type Network, type Timers } from "../../ports/index.ts";
import { ipIn, isLocal } from "../../sync/index.ts";
import type { Bans } from "../bans.ts";
import type { BlockRelay } from "../block-relay.ts";
import type { NodeLinks } from "../links.ts";
import type { NodeOptions } from "../options.ts";
import type { SyncDriver } from "../sync-driver.ts";
import { syncView, tiedView } from "../sync-view.ts";
import type { TransactionPool } from "../transaction-pool.ts";
import { stateOf } from "../views.ts";
import { watchArrivals } from "./arrivals.ts";
import { chainFindings } from "./chain-findings.ts";
import type { Facts, PassedOver, PeerFact } from "./facts.ts";
import { machineFindings } from "./machine-findings.ts";
import { peerFindings } from "./peer-findings.ts";
import { closedAddresses } from "./port-check.ts";
import type { Refusals } from "./refusals.ts";

export { createRefusals, type NoteRefusal, type Refusals } from "./refusals.ts";

/** So long the event loop is watched while it is asked. */
const WATCH_MS = 250;
/** Tips and peers looked at: far more than anybody reads. */
const MAX_TIPS = 100;
const SEVERITIES = ["problem", "warning", "note"] as const;

export interface DoctorDeps {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly network: Network;
  readonly supervisor: Supervisor;
  readonly sync: SyncDriver;
  readonly relay: Pick<BlockRelay, "orphans">;
  readonly bans: Bans;
  readonly links: NodeLinks;
  readonly pool: TransactionPool;
  readonly miner: () => { readonly mode: string };
  readonly refusals: Refusals;
}

export type DoctorOptions = Pick<NodeOptions, "dataDir" | "attack" | "history" | "timeline">;

export const diagnose = (facts: Facts): Doctor["findings"] =>
  [...chainFindings, ...peerFindings, ...machineFindings]
    .flatMap((look) => look(facts))
    .sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));

/** Whoever asks while an answer is being made gets that one: any number of readers cost as much as one. */
export function shareUnderWay<T>(make: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () => {
    underWay ??= make().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

const factOf = ({ id, height, work }: TreeBlock) => ({ id, height, work });

function standOf(chain: Chain, peer: string, status: Claim | undefined): PeerFact {
  if (status === undefined) return { peer, claim: undefined, stand: "silent", forkPoint: undefined };
  const claim = { id: status.head, height: status.height, work: status.work };
  const block = chain.tree.get(status.head);
  if (block !== undefined && chain.isConnected(block.id))
    return { peer, claim, stand: "same", forkPoint: undefined };
  if (block !== undefined)
    return { peer, claim, stand: "other", forkPoint: factOf(chain.tree.forkPoint(block.id, chain.head.id)) };
  // More work on an unknown block may as well be ours and then some.
  return { peer, claim, stand: status.work > chain.head.work ? "ahead" : "other", forkPoint: undefined };
}

async function passedOver(chain: Chain): Promise<PassedOver[]> {
  const better = chain.tree
    .tips()
    .slice(0, MAX_TIPS)
    .filter((tip) => tip.work > chain.head.work && ["invalid", "invalidated"].includes(stateOf(chain, tip)));
  return Promise.all(
    better.map(async (tip) => {
      const rule = (await chain.blocks.stored(tip.id))?.refusal;
      return { ...factOf(tip), rule: tip.status === "invalid" ? rule || "HDR-12" : undefined };
    }),
  );
}

async function diskOf(path: string): Promise<Facts["disk"]> {
  const space = await statfs(path).catch(() => undefined);
  if (space === undefined) return undefined;
  return { freeBytes: space.bavail * space.bsize, totalBytes: space.blocks * space.bsize };
}

export function createDoctor(deps: DoctorDeps, options: DoctorOptions): () => Promise<Doctor> {
  const { chain, clock, network, supervisor, sync, pool } = deps;
  const { spec } = chain.genesis;
  const startedMs = clock.monotonicMs();
  const arrivals = watchArrivals(chain, clock, deps.refusals.note);
  let inboundEver = 0;
  network.on("connect", ({ direction }) => {
    if (direction === "inbound") inboundEver++;
  });

  async function busyRatio(): Promise<number> {
    const before = performance.eventLoopUtilization();
    await delay(deps.timers, WATCH_MS);
    return performance.eventLoopUtilization(before).utilization;
  }

  async function gather(): Promise<Facts> {
    const [busy, disk, closed, tips, links] = await Promise.all([
      busyRatio(),
      diskOf(options.dataDir),
      closedAddresses(network.addresses()),
      passedOver(chain),
      deps.links.links(),
    ]);
    const connections = network.connections();
    const { head } = chain;
    return {
      nowMs: clock.nowMs(),
      uptimeMs: clock.monotonicMs() - startedMs,
      intervalMs: spec.intervalMs,
      driftMs: spec.driftMs,
      head: { ...factOf(head), timestampMs: head.timestampMs },
      stopped: arrivals.stopped(),
      state: { ...syncView(deps), tied: tiedView(deps) },
      lastBlockAgoMs: arrivals.lastBlockAgoMs(),
      isMining: deps.miner().mode !== "off",
      peers: connections.map(({ peer }) => standOf(chain, peer, sync.lastStatus(peer))),
      configured: supervisor.list().map(({ address, peer, lastError }) => ({
        address,
        isConnected: connections.some((connection) => connection.peer === peer),
        isRefused: peer !== undefined && network.refused().includes(peer),
        problem: lastError?.message,
      })),
      passedOver: tips,
      refusals: deps.refusals.list(),
      orphans: deps.relay.orphans(),
      gossipDelays: arrivals.gossipDelays(),
      bans: deps.bans.list().map(({ subject, reason, untilMs }) => ({ subject, reason, untilMs })),
      links,
      inboundEver,
      isOpenToOthers: network.addresses().some((address) => {
        const ip = ipIn(address);
        return ip === undefined || !isLocal(ip);
      }),
      closedAddresses: closed,
      disk,
      mempool: {
        transactions: pool.mempool.size,
        bytes: pool.mempool.bytes,
        maxTransactions: DEFAULT_MEMPOOL_OPTIONS.maxTransactions,
        maxBytes: DEFAULT_MEMPOOL_OPTIONS.maxBytes,
      },
      busyRatio: busy,
      attack: options.attack ?? null,
      hasHistory: options.history !== false,
      hasTimeline: options.timeline !== false,
    };
  }

  return shareUnderWay(async () => ({ findings: diagnose(await gather()), checked: [...NODE_FINDINGS] }));
}
