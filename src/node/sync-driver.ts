import { setImmediate } from "node:timers/promises";
import type { Chain, ImportResult } from "../chain/index.ts";
import { refuseMutated } from "../consensus/index.ts";
import type { Protocols, Status } from "../network/index.ts";
import type { Clock, Logger, Network } from "../ports/index.ts";
import { assembleBlock, type Block, decodeBody } from "../primitives/index.ts";
import { createSyncPlanner, type ImportOutcome, type SyncEffect, type SyncPlanner } from "../sync/index.ts";

/** Statuses kept: far above any connection limit, so that answers of peers long gone cannot pile up. */
const MAX_STATUSES = 1_024;
/** Body bytes that wait for import, at most; above it no more blocks are asked for. Below what the chain's queue takes. */
const MAX_IMPORTING_BYTES = 16 * 1024 * 1024;
/** Bodies decoded in one turn of the event loop: some 10 ms of work. */
const MAX_BYTES_PER_TURN = 256 * 1024;

export interface SyncDriverDeps {
  readonly chain: Chain;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Pick<Network, "connections" | "disconnect">;
  readonly protocols: () => Protocols;
  /** Our status, as peers are told it. */
  readonly ownStatus: () => Status;
  /** A sync ended that brought blocks, or during which the node was syncing. */
  readonly onIdle: () => void;
  /** A peer that stood on another branch than ours has left it: it may have transactions back that we lack. */
  readonly onPeerReorg: (peer: string) => void;
}

/** Runs the planner: carries out what it asks for, and tells it how that ended. */
export interface SyncDriver {
  readonly planner: Pick<SyncPlanner, "progress">;
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

export function createSyncDriver(deps: SyncDriverDeps): SyncDriver {
  const { chain, clock } = deps;
  const logger = deps.logger.child({ module: "sync" });
  const { spec, chainId } = chain.genesis;
  const stopping = new AbortController();
  const signal = stopping.signal;
  const planner = createSyncPlanner(
    { spec, chainId },
    {
      head: () => chain.head,
      get: (id) => chain.tree.get(id),
      idAt: chain.idAt,
      isKnownInvalid: (id) => chain.checks.knownInvalid(id) !== undefined,
    },
  );
  // For people: the planner forgets a claim once it has acted on it. One entry per connected peer.
  const statuses = new Map<string, Status>();
  /** Something was missed meanwhile: a syncing node compares no mempools and takes nothing from gossip. */
  let hasMissed = false;
  let importingBytes = 0;
  const waitingForRoom: (() => void)[] = [];

  function takeStatus(peer: string, status: Status): void {
    // Whoever asks and hangs up before it is announced would leave its claim behind: no disconnect is ever told of it.
    if (!deps.network.connections().some((connection) => connection.peer === peer)) return;
    const before = statuses.get(peer);
    if (before === undefined && statuses.size >= MAX_STATUSES) {
      const [oldest] = statuses.keys();
      if (oldest !== undefined) forget(oldest);
    }
    statuses.set(peer, status);
    run(planner.peerStatus(peer, status));
    const hasMoved = before !== undefined && before.head !== status.head;
    if (hasMoved && !chain.isConnected(before.head)) deps.onPeerReorg(peer);
  }

  function forget(peer: string): void {
    statuses.delete(peer);
    run(planner.peerGone(peer));
  }

  function run(effects: readonly SyncEffect[]): void {
    for (const effect of effects) if (!signal.aborted) void carryOut(effect);
    hasMissed ||= isSyncing();
    if (planner.progress !== undefined || !hasMissed) return;
    hasMissed = false;
    deps.onIdle();
  }

  const isSyncing = (): boolean => planner.progress !== undefined && planner.receivedWork > chain.head.work;

  async function carryOut(effect: SyncEffect): Promise<void> {
    const { peer } = effect;
    try {
      switch (effect.kind) {
        case "request-headers": {
          const request = { locator: effect.locator, stop: undefined, maxCount: effect.max };
          const headers = await deps.protocols().requestHeaders(peer, request, { signal });
          return run(planner.headers(peer, headers, clock.nowMs()));
        }
        case "request-blocks":
          return await fetchBlocks(peer, effect.ids);
        case "request-status":
          return await exchangeStatus(peer);
        case "disconnect":
          logger.warn({ peer, reason: effect.reason }, "disconnecting a peer during sync");
          return await deps.network.disconnect(peer, effect.reason);
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.debug({ peer, request: effect.kind, error: String(error) }, "a sync request failed");
      if (effect.kind === "request-headers" || effect.kind === "request-blocks") run(planner.failed(peer));
    }
  }

  /** Counts a body from here until it is imported, and answers how that ended; never rejects. */
  async function importBlock(peer: string, block: Block, receivedMs: number): Promise<ImportOutcome> {
    importingBytes += block.bodyBytes.length;
    try {
      const outcome = outcomeOf(await chain.import(block, { peer, message: "sync", receivedMs }));
      hasMissed ||= outcome.ok;
      return outcome;
    } catch (error) {
      // Every block that the planner was told of must come back to it, or it would wait for this one for ever.
      logger.debug({ peer, block: block.header.id, error: String(error) }, "a block could not be imported");
      return { ok: false, refusal: undefined };
    } finally {
      importingBytes -= block.bodyBytes.length;
      for (const go of waitingForRoom.splice(0)) go();
    }
  }

  async function fetchBlocks(peer: string, ids: readonly string[]): Promise<void> {
    while (importingBytes > MAX_IMPORTING_BYTES) await new Promise<void>((go) => waitingForRoom.push(go));
    const raw = await deps.protocols().requestBlocks(peer, ids, { signal });
    const receivedMs = clock.nowMs();
    const blocks: { id: string; imported: Promise<ImportOutcome> }[] = [];
    let bytesInTurn = 0;
    for (const { header, bodyBytes } of raw) {
      bytesInTurn += bodyBytes.length;
      if (bytesInTurn > MAX_BYTES_PER_TURN) {
        bytesInTurn = bodyBytes.length;
        await setImmediate();
      }
      const body = decodeBody(bodyBytes);
      if (body === undefined) {
        const refusal = refuseMutated("BLK-01", `the body of ${header.id} cannot be decoded`);
        blocks.push({ id: header.id, imported: Promise.resolve({ ok: false, refusal }) });
        break;
      }
      blocks.push({ id: header.id, imported: importBlock(peer, assembleBlock(header, body), receivedMs) });
    }
    run(
      planner.bodies(
        peer,
        blocks.map(({ id }) => id),
      ),
    );
    for (const { id, imported } of blocks) run(planner.imported(peer, id, await imported));
  }

  async function exchangeStatus(peer: string): Promise<void> {
    try {
      takeStatus(peer, await deps.protocols().requestStatus(peer, deps.ownStatus(), { signal }));
    } catch (error) {
      if (!signal.aborted) logger.debug({ peer, error: String(error) }, "a status request failed");
    }
  }

  return {
    planner,
    get isSyncing() {
      return isSyncing();
    },
    lastStatus: (peer) => statuses.get(peer),
    peerStatus: takeStatus,
    peerGone: forget,
    exchangeStatus,
    stop: () => stopping.abort(),
  };
}

function outcomeOf(result: ImportResult): ImportOutcome {
  return result.status === "refused" ? { ok: false, refusal: result.verdict } : { ok: true };
}
