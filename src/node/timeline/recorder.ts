import type { Arrival, Link, NodeEvent, TimelineDataOf, WholeLink } from "../../api/index.ts";
import type { BlockSource, Chain } from "../../chain/index.ts";
import { formatWork } from "../../consensus/index.ts";
import { createRecentMap, type Mempool } from "../../mempool/index.ts";
import type { Clock, Network } from "../../ports/index.ts";
import { type BlockId, bytesToHex, encodeAddress, type SealedHeader } from "../../primitives/index.ts";
import { headView, reorgView } from "../views.ts";
import { type Budget, createBudget } from "./budget.ts";
import type { NotedArrival, TimelineLog } from "./log.ts";
import type { NewEntry } from "./rows.ts";

/** Arrivals in memory, at most, and at least half as many: those of which more may come. The rest are in the store. */
const RECENT_ARRIVALS = 16_384;
const RECENT_PROPOSERS = 1_024;

export interface TimelineRecorderDeps {
  /** Undefined where this node keeps none: then events have no numbers. */
  readonly log: TimelineLog | undefined;
  readonly clock: Clock;
  readonly chain: Chain;
  readonly mempool: Pick<Mempool, "size" | "bytes">;
  /** Tells everybody, in the order of the calls. */
  readonly tell: (make: () => Promise<NodeEvent[]>) => void;
}

/** Who sent a header, and when it was here. */
export interface HeaderSource {
  readonly peer: string;
  readonly receivedMs: number;
}

/** Notes what happens to blocks and peers, in the timeline and for those who listen. */
export interface TimelineRecorder {
  start(run: string, version: string): void;
  stop(reason: string): void;
  /** A gossiped header with its work done, and a place on the chain; its body may never come. */
  headerSeen(header: SealedHeader, source: HeaderSource): void;
  linkChanged(link: Link | WholeLink): void;
  /** Starts noting what the chain and the network tell. */
  attach(network: Pick<Network, "on">): void;
  /** One answer per block, in order; null where nothing is known. */
  arrivals(ids: readonly BlockId[]): Promise<(Arrival | null)[]>;
}

/** A header as entries have it; `source` as the chain names it. */
type HeaderData = TimelineDataOf<"header">;

export function createTimelineRecorder(deps: TimelineRecorderDeps): TimelineRecorder {
  const { log, clock, chain, mempool } = deps;
  const recent = createRecentMap<BlockId, Arrival>(RECENT_ARRIVALS);
  const addresses = createRecentMap<string, string>(RECENT_PROPOSERS);
  const budgets = {
    // What costs others little must not push out what is worth keeping.
    header: createBudget(clock, { most: 5_000, perSecond: 100 }),
    invalid: createBudget(clock, { most: 1_000, perSecond: 1 }),
    peer: createBudget(clock, { most: 2_000, perSecond: 5 }),
    link: createBudget(clock, { most: 2_000, perSecond: 5 }),
  } satisfies Record<string, Budget>;

  /** `tellAs`: what the stream says of it, where that is more than the entry. */
  function note(entry: NewEntry, options: { noted?: NotedArrival; tellAs?: () => object } = {}): void {
    const { type, timeMs, data } = entry;
    const number = log?.add(entry, options.noted) ?? Promise.resolve(undefined);
    if (type === "start" || type === "stop") return;
    deps.tell(async () => {
      const sequence = (await number) ?? null;
      return [{ type, data: { ...(options.tellAs?.() ?? data), timeMs, sequence } } as NodeEvent];
    });
  }

  function addressOf(proposer: Uint8Array): string {
    const key = bytesToHex(proposer);
    const address = addresses.get(key) ?? encodeAddress(proposer);
    addresses.set(key, address);
    return address;
  }

  /** Undefined where its parent is not known: it has no place. */
  function headerData(
    header: SealedHeader,
    peer: string | null,
    via: Arrival["via"],
  ): HeaderData | undefined {
    const parent = chain.tree.get(header.parent);
    if (parent === undefined) return undefined;
    const { height, difficulty, timestampMs, proposer } = header.header.core;
    return {
      id: header.id,
      height,
      parent: header.parent,
      work: formatWork(parent.work + difficulty),
      difficulty: formatWork(difficulty),
      timestampMs,
      proposer: addressOf(proposer),
      peer,
      via,
    };
  }

  /** `withBody`: the block is noted right after it, and its arrival with that. */
  function noteHeader(data: HeaderData, headerMs: number, withBody: boolean): Arrival {
    const { id, peer, via } = data;
    const arrival: Arrival = { headerMs, headerPeer: peer, bodyMs: null, bodyPeer: null, via };
    recent.set(id, arrival);
    note({ type: "header", timeMs: headerMs, data }, withBody ? {} : { noted: { id, arrival } });
    return arrival;
  }

  const senderOf = (peer: string): string | null => (peer === "local" ? null : peer);
  const viaOf = ({ message }: BlockSource): Arrival["via"] =>
    message === "gossip" || message === "sync" || message === "mined" ? message : "recovery";

  function watchChain(): void {
    chain.on("block", ({ block, source, status, refusal }) => {
      if (status === "invalid" && !budgets.invalid.take()) return;
      const { header, bodyBytes, transactions } = block;
      const peer = senderOf(source.peer);
      const data = headerData(header, peer, viaOf(source));
      if (data === undefined) return;
      const bodyMs = source.bodyMs ?? source.receivedMs;
      const shown = { ...data, peer: source.headerPeer === undefined ? peer : senderOf(source.headerPeer) };
      const seen = recent.get(header.id) ?? noteHeader(shown, source.headerMs ?? source.receivedMs, true);
      const arrival: Arrival = { ...seen, bodyMs: seen.bodyMs ?? bodyMs, bodyPeer: peer };
      recent.set(header.id, arrival);
      const entry = {
        ...data,
        state: status === "connected" ? ("best" as const) : status,
        ...(refusal === undefined ? {} : { rule: refusal.code }),
        transactions: transactions.length,
        sizeBytes: bodyBytes.length,
        receivedMs: bodyMs,
      };
      note({ type: "block", timeMs: clock.nowMs(), data: entry }, { noted: { id: header.id, arrival } });
    });
    chain.on("reorg", (record) => {
      const { id, oldHead, newHead, depth, receivedMs, durationMs } = record;
      const forkWork = chain.tree.get(record.forkPoint.id)?.work ?? 0n;
      const forkPoint = { ...record.forkPoint, work: formatWork(forkWork) };
      const arrival = recent.get(record.cause.block) ?? null;
      const data = { reorg: String(id), oldHead, newHead, forkPoint, depth, receivedMs, durationMs };
      note(
        { type: "reorg", timeMs: clock.nowMs(), data },
        { tellAs: () => reorgView(chain, record, arrival) },
      );
      noteHead();
    });
    // The chain tells of the head first; people want the reorg that explains it before.
    chain.on("head", ({ disconnected }) => {
      if (disconnected.length === 0) noteHead();
    });
  }

  function noteHead(): void {
    const pending = { transactions: mempool.size, bytes: mempool.bytes };
    note({ type: "head", timeMs: clock.nowMs(), data: { ...headView(chain.head), mempool: pending } });
  }

  return {
    start(run, version) {
      const { id, height, work } = chain.head;
      note({
        type: "start",
        timeMs: clock.nowMs(),
        data: { run, head: { id, height, work: formatWork(work) }, version },
      });
    },
    stop: (reason) => note({ type: "stop", timeMs: clock.nowMs(), data: { reason } }),
    headerSeen(header, { peer, receivedMs }) {
      if (recent.get(header.id) !== undefined || !budgets.header.take()) return;
      const data = headerData(header, peer, "gossip");
      if (data !== undefined) noteHeader(data, receivedMs, false);
    },
    linkChanged(link) {
      if (budgets.link.take()) note({ type: "link", timeMs: clock.nowMs(), data: link });
    },
    attach(network) {
      watchChain();
      const peerChanged = (peer: string, connected: boolean, reason: string | null): void => {
        if (budgets.peer.take())
          note({ type: "peer", timeMs: clock.nowMs(), data: { peer, connected, reason } });
      };
      network.on("connect", ({ peer }) => peerChanged(peer, true, null));
      network.on("disconnect", (peer, reason) => peerChanged(peer, false, reason));
    },
    async arrivals(ids) {
      const found = ids.map((id) => recent.get(id));
      const missing = ids.filter((_, i) => found[i] === undefined);
      const isAsked = missing.length > 0 && log?.isOn === true;
      // Whoever asks for blocks gets them, whatever the timeline is like.
      const stored = isAsked ? await log.arrivals(missing).catch(() => []) : [];
      const byId = new Map(missing.map((id, i) => [id, stored[i]]));
      return ids.map((id, i) => found[i] ?? byId.get(id) ?? null);
    },
  };
}
