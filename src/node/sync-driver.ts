import { setImmediate } from "node:timers/promises";
import type { Chain, ImportResult } from "../chain/index.ts";
import { formatWork, refuseMutated } from "../consensus/index.ts";
import type { Protocols, Status } from "../network/index.ts";
import {
  type Clock,
  type Logger,
  type Metrics,
  type Network,
  silentMetrics,
  type Timer,
  type Timers,
} from "../ports/index.ts";
import { assembleBlock, decodeBody, type SealedHeader } from "../primitives/index.ts";
import {
  createSyncPlanner,
  type FetchedBlock,
  type ImportOutcome,
  type Moment,
  type SyncEffect,
  type SyncObstacle,
  type SyncPlanner,
  type SyncProgress,
} from "../sync/index.ts";
import type { NoteRefusal } from "./doctor/refusals.ts";
import { createSyncMetrics } from "./sync-metrics.ts";

/** Statuses kept: far above any connection limit, so that answers of peers long gone cannot pile up. */
const MAX_STATUSES = 1_024;
/** Bodies decoded in one turn of the event loop: some 10 ms of work. */
const MAX_BYTES_PER_TURN = 256 * 1024;

/** How fast blocks have come in since their headers were there. */
export interface SyncSpeed {
  readonly blocksPerSecond: number;
  /** At this speed; `undefined` before the first block. */
  readonly remainingMs: number | undefined;
}

export interface SyncDriverDeps {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  readonly network: Pick<Network, "connections" | "disconnect" | "punish">;
  readonly protocols: () => Protocols;
  /** Our status, as peers are told it. */
  readonly ownStatus: () => Status;
  /** A sync ended that brought blocks, or during which the node was syncing. */
  readonly onIdle: () => void;
  /** A connected peer has said for the first time where it stands on our chain. */
  readonly onFirstStatus: (peer: string) => void;
  /** A peer that stood on another branch than ours has left it: it may have transactions back that we lack. */
  readonly onPeerReorg: (peer: string) => void;
  readonly noteRefusal: NoteRefusal;
}

/** Runs the planner: carries out what it asks for, and tells it how that ended. */
export interface SyncDriver {
  readonly progress: (SyncProgress & SyncSpeed) | undefined;
  readonly obstacle: SyncObstacle | undefined;
  /** What a connected peer last said of its chain. */
  lastStatus(peer: string): Status | undefined;
  /** True while blocks of a peer's better chain come in. */
  readonly isSyncing: boolean;
  peerStatus(peer: string, status: Status): void;
  peerGone(peer: string): void;
  /** Tells the peer our status, and takes in its own. Failures are logged: the peer will be asked again. */
  exchangeStatus(peer: string): Promise<void>;
  /** Aborts open requests. */
  stop(): void;
}

type ToImport = Extract<SyncEffect, { readonly kind: "import" }>;

/** A fetched block with the time it came. */
interface ReceivedBlock extends FetchedBlock {
  readonly receivedMs: number;
}

export function createSyncDriver(deps: SyncDriverDeps): SyncDriver {
  const { chain, clock, timers } = deps;
  const logger = deps.logger.child({ module: "sync" });
  const { spec, chainId } = chain.genesis;
  const stopping = new AbortController();
  const { signal } = stopping;
  const planner = createSyncPlanner(
    { spec, chainId },
    {
      head: () => chain.head,
      firstHeight: () => chain.firstHeight,
      get: (id) => chain.tree.get(id),
      idAt: chain.idAt,
      isKnownInvalid: (id) => chain.checks.knownInvalid(id) !== undefined,
    },
  );
  // For people: the planner forgets a claim once it has acted on it. One entry per connected peer.
  const statuses = new Map<string, Status>();
  /** Something was missed meanwhile: a syncing node compares no mempools and takes nothing from gossip. */
  let hasMissed = false;
  /** Requests under way, as many as the planner bounds. */
  const open = new Map<number, AbortController>();
  /** Bodies to be decoded and imported, in this order; as many as the planner lets be imported at once. */
  const toImport: ToImport[] = [];
  let importsRun = false;
  let ticking: { readonly atMs: number; readonly timer: Timer } | undefined;
  const speed = createSpeed(clock, planner);
  const counted = createSyncMetrics(deps.metrics ?? silentMetrics);

  const now = (): Moment => ({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() });

  function takeStatus(peer: string, status: Status): void {
    // Whoever asks and hangs up before it is announced would leave its claim behind: no disconnect is ever told of it.
    if (!deps.network.connections().some((connection) => connection.peer === peer)) return;
    const before = statuses.get(peer);
    if (before === undefined && statuses.size >= MAX_STATUSES) {
      const [oldest] = statuses.keys();
      if (oldest !== undefined) forget(oldest);
    }
    statuses.set(peer, status);
    if (before === undefined) deps.onFirstStatus(peer);
    run(planner.peerStatus(peer, status, now()));
    const hasMoved = before !== undefined && before.head !== status.head;
    if (hasMoved && !chain.isConnected(before.head)) deps.onPeerReorg(peer);
  }

  function forget(peer: string): void {
    statuses.delete(peer);
    run(planner.peerGone(peer, now()));
  }

  function run(effects: readonly SyncEffect[]): void {
    if (signal.aborted) return;
    for (const effect of effects) void carryOut(effect);
    armTick();
    speed.note();
    hasMissed ||= isSyncing();
    if (planner.progress !== undefined || !hasMissed) return;
    hasMissed = false;
    deps.onIdle();
  }

  function armTick(): void {
    const atMs = planner.nextTickMs;
    if (ticking?.atMs === atMs) return;
    if (ticking !== undefined) timers.clear(ticking.timer);
    ticking = undefined;
    if (atMs === undefined) return;
    const timer = timers.set(Math.max(0, atMs - clock.monotonicMs()), () => {
      ticking = undefined;
      const effects = planner.tick(now());
      counted.ticked(effects);
      run(effects);
    });
    ticking = { atMs, timer };
  }

  const isSyncing = (): boolean => planner.progress !== undefined && planner.receivedWork > chain.head.work;

  async function carryOut(effect: SyncEffect): Promise<void> {
    const { peer } = effect;
    switch (effect.kind) {
      case "request-headers":
        return await ask(effect, async (options) => {
          const request = { locator: effect.locator, stop: undefined, maxCount: effect.max };
          const headers = await deps.protocols().requestHeaders(peer, request, options);
          noteEarly(peer, headers);
          counted.headers(headers.length);
          return () => planner.headers(effect.request, headers, now());
        });
      case "request-blocks":
        return await ask(effect, async (options) => {
          const raw = await deps.protocols().requestBlocks(peer, effect.ids, options);
          const receivedMs = clock.nowMs();
          counted.bodies(raw.length);
          const blocks: ReceivedBlock[] = raw.map((block) => ({ ...block, receivedMs }));
          return () => planner.bodies(effect.request, blocks, now());
        });
      case "cancel":
        return open.get(effect.request)?.abort();
      case "import":
        toImport.push(effect);
        return await importAll();
      case "request-status":
        return await exchangeStatus(peer);
      case "report": {
        const { forkHeight, firstHeight, work } = effect;
        const where = { peer, forkHeight, firstHeight, work: formatWork(work) };
        return logger.warn(
          where,
          "a branch with more work leaves our chain where it is pruned: not followed",
        );
      }
      case "disconnect":
        counted.disconnected(effect.isFault);
        if (effect.isFault) return deps.network.punish(peer, effect.reason);
        logger.warn({ peer, reason: effect.reason }, "disconnecting a peer during sync");
        return await deps.network.disconnect(peer, effect.reason).catch((error: unknown) => {
          logger.error({ peer, error: String(error) }, "a peer could not be disconnected");
        });
    }
  }

  /** The planner lets a peer rest that is ahead of our clock, and says nothing of it. */
  function noteEarly(peer: string, headers: readonly SealedHeader[]): void {
    const latestMs = clock.nowMs() + spec.driftMs;
    const early = headers.find(({ header: { core } }) => core.timestampMs > latestMs);
    if (early === undefined) return;
    const detail = `the timestamp ${early.header.core.timestampMs} is more than ${spec.driftMs} ms ahead of this clock`;
    deps.noteRefusal(early, peer, { code: "HDR-09", permanence: "transient", detail });
  }

  /** Asks a peer and tells the planner how that ended, unless the answer is not wanted any more. */
  async function ask(
    { request, peer, kind }: { readonly request: number; readonly peer: string; readonly kind: string },
    carry: (options: { readonly signal: AbortSignal }) => Promise<() => SyncEffect[]>,
  ): Promise<void> {
    const controller = new AbortController();
    open.set(request, controller);
    let answer: (() => SyncEffect[]) | undefined;
    try {
      answer = await carry({ signal: controller.signal });
    } catch (error) {
      if (!controller.signal.aborted)
        logger.debug({ peer, request: kind, error: String(error) }, "a sync request failed");
    } finally {
      open.delete(request);
    }
    counted.asked(kind, controller.signal.aborted ? "cancelled" : answer === undefined ? "failed" : "ok");
    if (controller.signal.aborted) return;
    run(answer === undefined ? planner.failed(request, now()) : answer());
  }

  /** Decodes and hands over what waits, in order; one at a time, in steps that leave others their turn. */
  async function importAll(): Promise<void> {
    if (importsRun) return;
    importsRun = true;
    let bytesInTurn = 0;
    for (let next = toImport.shift(); next !== undefined && !signal.aborted; next = toImport.shift()) {
      bytesInTurn += next.block.bodyBytes.length;
      if (bytesInTurn > MAX_BYTES_PER_TURN) {
        bytesInTurn = next.block.bodyBytes.length;
        await setImmediate();
      }
      void importBlock(next);
    }
    importsRun = false;
  }

  /** Every block that the planner hands over must come back to it, or it would wait for this one for ever. */
  async function importBlock(next: ToImport): Promise<void> {
    const { id } = next.block.header;
    const outcome = await outcomeFor(next);
    hasMissed ||= outcome.ok;
    run(planner.imported(id, outcome, now()));
  }

  async function outcomeFor({ peer, block, shown }: ToImport): Promise<ImportOutcome> {
    const body = decodeBody(block.bodyBytes);
    if (body === undefined) {
      const refusal = refuseMutated("BLK-01", `the body of ${block.header.id} cannot be decoded`);
      return { ok: false, refusal };
    }
    const { receivedMs } = block as ReceivedBlock;
    try {
      const header = shown && { headerMs: shown.timeMs, headerPeer: shown.peer };
      const source = { peer, message: "sync" as const, receivedMs, ...header };
      return outcomeOf(await chain.import(assembleBlock(block.header, body), source));
    } catch (error) {
      logger.debug({ peer, block: block.header.id, error: String(error) }, "a block could not be imported");
      return { ok: false, refusal: undefined };
    }
  }

  async function exchangeStatus(peer: string): Promise<void> {
    try {
      takeStatus(peer, await deps.protocols().requestStatus(peer, deps.ownStatus(), { signal }));
    } catch (error) {
      if (!signal.aborted) logger.debug({ peer, error: String(error) }, "a status request failed");
    }
  }

  const driver: SyncDriver = {
    get progress() {
      const { progress } = planner;
      return progress === undefined ? undefined : { ...progress, ...speed.of(progress) };
    },
    get obstacle() {
      return planner.obstacle;
    },
    get isSyncing() {
      return isSyncing();
    },
    lastStatus: (peer) => statuses.get(peer),
    peerStatus: takeStatus,
    peerGone: forget,
    exchangeStatus,
    stop() {
      stopping.abort();
      if (ticking !== undefined) timers.clear(ticking.timer);
      for (const controller of open.values()) controller.abort();
    },
  };
  counted.watch(driver, () => open.size);
  return driver;
}

function createSpeed(clock: Clock, planner: SyncPlanner) {
  let since:
    | { readonly targetHeight: number; readonly blocksDone: number; readonly atMs: number }
    | undefined;
  return {
    /** After each step of the planner: a header chain is measured from where its bodies begin to come. */
    note(): void {
      const { progress } = planner;
      if (progress?.phase !== "blocks") since = undefined;
      else if (since?.targetHeight !== progress.targetHeight)
        since = {
          targetHeight: progress.targetHeight,
          blocksDone: progress.blocksDone,
          atMs: clock.monotonicMs(),
        };
    },
    of({ blocksDone, blocksTotal }: SyncProgress): SyncSpeed {
      const tookMs = since === undefined ? 0 : clock.monotonicMs() - since.atMs;
      const done = since === undefined ? 0 : blocksDone - since.blocksDone;
      if (tookMs <= 0 || done <= 0) return { blocksPerSecond: 0, remainingMs: undefined };
      return {
        blocksPerSecond: (done * 1_000) / tookMs,
        remainingMs: Math.round(((blocksTotal - blocksDone) * tookMs) / done),
      };
    },
  };
}

function outcomeOf(result: ImportResult): ImportOutcome {
  return result.status === "refused" ? { ok: false, refusal: result.verdict } : { ok: true };
}
