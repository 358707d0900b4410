import type { HeaderRules, Refusal, TreeBlock } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";
import { createHeaderChain, type HeaderChain } from "./header-chain.ts";
import { locatorOf } from "./locator.ts";

/** Where a peer says it stands. */
export interface PeerStatus {
  readonly head: BlockId;
  readonly height: number;
  readonly work: bigint;
}

/** What the planner wants done. Whoever runs it answers each request with exactly one of the planner's inputs. */
export type SyncEffect =
  /** Answer with `headers` or `failed`. */
  | {
      readonly kind: "request-headers";
      readonly peer: string;
      readonly locator: readonly BlockId[];
      readonly max: number;
    }
  /** Answer with `bodies` or `failed`. */
  | { readonly kind: "request-blocks"; readonly peer: string; readonly ids: readonly BlockId[] }
  /** Ask the peer for its status again: what it said is used up. */
  | { readonly kind: "request-status"; readonly peer: string }
  | { readonly kind: "disconnect"; readonly peer: string; readonly reason: string };

/** The chain as the planner sees it. */
export interface SyncChain {
  head(): TreeBlock;
  get(id: BlockId): TreeBlock | undefined;
  idAt(height: number): BlockId | undefined;
  isKnownInvalid(id: BlockId): boolean;
}

/** How importing one fetched block ended; without a refusal where our own chain could not take it. */
export type ImportOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly refusal: Refusal | undefined };

/** Where a sync stands, for `status`. */
export interface SyncProgress {
  readonly peer: string;
  readonly phase: "headers" | "blocks";
  /** Height that the headers reach so far. */
  readonly targetHeight: number;
}

/**
 * Headers of one sync at most: with easy difficulty they are nearly free to forge. Only their ids are kept, and one sync
 * runs at a time: 50 MB. A branch that needs more than so many blocks to outweigh ours is not followed.
 */
export const MAX_HEADERS_PER_SYNC = 524_288;
/** Requests in a row that a peer may leave without a usable answer before it loses its connection. */
const MAX_FAILURES = 3;
const HEADERS_PER_REQUEST = 2_000;
const BLOCKS_PER_REQUEST = 64;
/**
 * Fetched blocks that wait for import, at most; more are asked for only below it. Several of the chain's batches: while
 * one is executed and written, the next ones are fetched and their signatures verified.
 */
const MAX_BLOCKS_IMPORTING = 256;
/** Peers remembered, far above any connection limit. */
const MAX_PEERS = 1_024;

/**
 * Decides what to ask of whom, headers first: the best peer's headers until they end, then, if their work is worth it,
 * the bodies in windows; when a peer fails, another that claims as much goes on where it stopped. One sync at a time.
 */
export interface SyncPlanner {
  readonly progress: SyncProgress | undefined;
  /** Cumulative work of the checked headers that are being followed; 0 while there are none. Claims do not count. */
  readonly shownWork: bigint;
  peerStatus(peer: string, status: PeerStatus): SyncEffect[];
  peerGone(peer: string): SyncEffect[];
  headers(peer: string, headers: readonly SealedHeader[], nowMs: number): SyncEffect[];
  /** Ids of the blocks that came, a prefix of those asked for, and are being imported now. */
  bodies(peer: string, ids: readonly BlockId[]): SyncEffect[];
  imported(peer: string, id: BlockId, outcome: ImportOutcome): SyncEffect[];
  /** The request open with this peer got no usable answer. */
  failed(peer: string): SyncEffect[];
}

interface Sync {
  peer: string;
  /** Who showed the headers; another may fetch their bodies. */
  readonly shownBy: string;
  /** What the peer claimed when it was chosen. */
  claim: PeerStatus;
  phase: "headers" | "blocks";
  chain: HeaderChain | undefined;
  /** Height up to which the peer has shown headers that we have; before the first new one. */
  knownHeight: number;
  /** Index of the next header whose body is to be asked for. */
  next: number;
  requestOpen: boolean;
  /** Blocks handed to the chain for this sync. An outcome of any other block is a late one, of a sync before. */
  readonly importing: Set<BlockId>;
}

export function createSyncPlanner(rules: HeaderRules, chain: SyncChain): SyncPlanner {
  const peers = new Map<string, PeerStatus>();
  const failures = new Map<string, number>();
  let sync: Sync | undefined;

  const isBetter = ({ work, head }: PeerStatus): boolean => {
    const ours = chain.head();
    // A tie is fetched too: only who has both branches can tell that they are tied.
    return work > ours.work || (work === ours.work && chain.get(head) === undefined);
  };

  function bestPeer(): [string, PeerStatus] | undefined {
    let best: [string, PeerStatus] | undefined;
    for (const entry of peers) {
      if (isBetter(entry[1]) && (best === undefined || entry[1].work > best[1].work)) best = entry;
    }
    return best;
  }

  function start(): SyncEffect[] {
    if (sync !== undefined) return [];
    const best = bestPeer();
    if (best === undefined) return [];
    const [peer, claim] = best;
    sync = {
      peer,
      shownBy: peer,
      claim,
      phase: "headers",
      chain: undefined,
      knownHeight: 0,
      next: 0,
      requestOpen: false,
      importing: new Set(),
    };
    return requestHeaders(sync, locatorOf(chain.head().height, chain.idAt));
  }

  function requestHeaders(current: Sync, locator: readonly BlockId[]): SyncEffect[] {
    current.requestOpen = true;
    return [{ kind: "request-headers", peer: current.peer, locator, max: HEADERS_PER_REQUEST }];
  }

  /** Ends the sync; what the peer claimed is forgotten, so that it is not tried again before it says something new. */
  function end(next: "ask-again" | "forget"): SyncEffect[] {
    const peer = sync?.peer;
    sync = undefined;
    if (peer === undefined) return start();
    const known = peers.delete(peer);
    return [
      ...(next === "ask-again" && known ? [{ kind: "request-status" as const, peer }] : []),
      ...start(),
    ];
  }

  function drop(peer: string, reason: string): SyncEffect[] {
    peers.delete(peer);
    const effects: SyncEffect[] = [{ kind: "disconnect", peer, reason }];
    return sync?.peer === peer ? [...effects, ...replace()] : effects;
  }

  /**
   * The peer is lost: another that stands on the same headers goes on with the bodies, or the sync starts anew. One with
   * another branch may claim as much work and have none of the blocks.
   */
  function replace(): SyncEffect[] {
    if (sync === undefined) return start();
    const lost = sync;
    peers.delete(lost.peer);
    const best = bestPeer();
    if (
      lost.phase === "blocks" &&
      lost.chain !== undefined &&
      best !== undefined &&
      best[1].work >= lost.chain.work &&
      best[1].head === lost.chain.last.id
    ) {
      [lost.peer, lost.claim] = best;
      lost.requestOpen = false;
      return requestBodies();
    }
    sync = undefined;
    return start();
  }

  /** The sync's peer gave no usable answer, which may happen to an honest one, but not again and again. */
  function fail(peer: string): SyncEffect[] {
    const count = (failures.get(peer) ?? 0) + 1;
    failures.set(peer, count);
    return count < MAX_FAILURES
      ? replace()
      : drop(peer, `${count} requests in a row without a usable answer`);
  }

  function requestBodies(): SyncEffect[] {
    if (sync?.chain === undefined || sync.requestOpen || sync.importing.size >= MAX_BLOCKS_IMPORTING)
      return [];
    const all = sync.chain.ids;
    while (sync.next < all.length && chain.get(all[sync.next] ?? "") !== undefined) sync.next++;
    const ids = all.slice(sync.next, sync.next + BLOCKS_PER_REQUEST);
    if (ids.length === 0) return sync.importing.size === 0 ? end("ask-again") : [];
    sync.requestOpen = true;
    return [{ kind: "request-blocks", peer: sync.peer, ids }];
  }

  /** The block that the first header builds on; `undefined` where we do not know it. */
  function anchorOf(first: SealedHeader): HeaderChain | undefined {
    const anchor = chain.get(first.parent);
    if (anchor === undefined) return undefined;
    return createHeaderChain(rules, anchor, anchor.height === 0 ? undefined : chain.get(anchor.parent));
  }

  function takeHeaders(
    current: Sync,
    headers: readonly SealedHeader[],
    nowMs: number,
  ): Refusal | "done" | "more" | "cut-short" | "moved" {
    // The peer may have left its branch between two answers, which is no lie.
    if (
      current.chain !== undefined &&
      headers[0] !== undefined &&
      headers[0].parent !== current.chain.last.id
    )
      return "moved";
    for (const header of headers) {
      if (chain.isKnownInvalid(header.id) || chain.get(header.id)?.status === "invalid") {
        return {
          ok: false,
          code: "HDR-12",
          permanence: "permanent",
          detail: `header ${header.id} is invalid`,
        };
      }
      // Headers up to the fork point may be known already; the chain begins after them.
      if (current.chain === undefined && chain.get(header.id) !== undefined) continue;
      current.chain ??= anchorOf(header);
      if (current.chain === undefined) {
        return {
          ok: false,
          code: "HDR-11",
          permanence: "permanent",
          detail: "the headers start nowhere known",
        };
      }
      const verdict = current.chain.append(header, nowMs);
      // Ahead of our clock: what comes before it counts, the rest will be asked for again in a while.
      if (!verdict.ok) return verdict.permanence === "transient" ? "cut-short" : verdict;
      if (current.chain.ids.length >= MAX_HEADERS_PER_SYNC) return "cut-short";
    }
    return headers.length < HEADERS_PER_REQUEST ? "done" : "more";
  }

  return {
    get progress() {
      if (sync === undefined) return undefined;
      const { peer, phase, claim } = sync;
      return { peer, phase, targetHeight: sync.chain?.last.height ?? claim.height };
    },
    get shownWork() {
      return sync?.chain?.work ?? 0n;
    },
    peerStatus(peer, status) {
      if (peers.size >= MAX_PEERS && !peers.has(peer)) return [];
      peers.set(peer, status);
      return start();
    },
    peerGone(peer) {
      peers.delete(peer);
      failures.delete(peer);
      return sync?.peer === peer ? replace() : [];
    },
    headers(peer, headers, nowMs) {
      if (sync?.peer !== peer || sync.phase !== "headers") return [];
      sync.requestOpen = false;
      const result = takeHeaders(sync, headers, nowMs);
      if (result === "moved") return fail(peer);
      if (typeof result === "object") return drop(peer, `headers refused: ${result.code}, ${result.detail}`);
      failures.delete(peer);
      const found = sync.chain;
      const last = headers.at(-1);
      const known = found === undefined && last !== undefined ? chain.get(last.id) : undefined;
      // A full answer that we have already: the branch goes on. Whoever shows the same again gets nowhere.
      if (result === "more" && known !== undefined && known.height > sync.knownHeight) {
        sync.knownHeight = known.height;
        return requestHeaders(sync, [known.id]);
      }
      if (result === "cut-short" && found?.ids.length === 0) return end("forget");
      if (found === undefined) {
        // Known blocks may be a moment ahead of our published head, so what was shown is judged by its own work. A peer
        // that got away with showing less than it claims would keep us syncing, and not mining.
        const shown = known?.work ?? 0n;
        if (isBetter(sync.claim) && shown < sync.claim.work)
          return drop(peer, "claims more work than it shows");
        return end("ask-again");
      }
      if (result === "more") return requestHeaders(sync, [found.last.id]);
      if (result === "done" && found.work < sync.claim.work)
        return drop(peer, "claims more work than it shows");
      if (found.work < chain.head().work || found.work < rules.spec.minimumWork) return end("forget");
      sync.phase = "blocks";
      return requestBodies();
    },
    bodies(peer, ids) {
      if (sync?.peer !== peer || sync.phase !== "blocks") return [];
      sync.requestOpen = false;
      if (ids.length === 0)
        return sync.shownBy === peer ? drop(peer, "has not the blocks of its own headers") : fail(peer);
      failures.delete(peer);
      // By the last id, not by counting: a late outcome may have set `next` back meanwhile.
      const last = sync.chain?.ids.indexOf(ids.at(-1) ?? "", sync.next) ?? -1;
      if (last >= 0) sync.next = last + 1;
      for (const id of ids) sync.importing.add(id);
      return requestBodies();
    },
    imported(peer, id, outcome) {
      const isOurs = sync?.importing.delete(id) === true;
      if (outcome.ok) return isOurs ? requestBodies() : [];
      const { refusal } = outcome;
      if (refusal === undefined || refusal.permanence === "transient") {
        // What a lost peer's blocks still come to (parents that were not taken, say) is not the next one's failure.
        if (!isOurs || sync === undefined) return [];
        if (sync.peer !== peer) return requestBodies();
        return sync.importing.size === 0 ? end("forget") : [];
      }
      const reason = `block ${id} refused: ${refusal.code}, ${refusal.detail}`;
      const index = isOurs ? (sync?.chain?.ids.indexOf(id) ?? -1) : -1;
      if (sync !== undefined && index >= 0) {
        // A body that does not belong to its header says nothing about the chain: fetch it again from somebody else.
        if (refusal.mutated) {
          sync.next = index;
          // Its sender may be replaced already, by one that was told there is nothing left to ask for.
          return [...drop(peer, reason), ...requestBodies()];
        }
        sync = undefined;
      }
      const effects: SyncEffect[] = peers.delete(peer) ? [{ kind: "disconnect", peer, reason }] : [];
      return [...effects, ...start()];
    },
    failed: (peer) => (sync?.peer === peer ? fail(peer) : []),
  };
}
