import type { HeaderRules, Refusal, TreeBlock } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";
import { createHeaderChain, type HeaderChain } from "./header-chain.ts";
import { locatorOf } from "./locator.ts";
import type { PeerStatus, SyncChain, SyncEffect, SyncPlanner } from "./types.ts";

/**
 * Headers of one sync at most: with easy difficulty they are nearly free to forge. Only their ids are kept, and one sync
 * runs at a time: 50 MB. A branch that needs more than so many blocks to outweigh ours is not followed.
 */
export const MAX_HEADERS_PER_SYNC = 524_288;
/** Requests for headers in a row that a peer may leave without a usable answer before it loses its connection. */
const MAX_FAILURES = 3;
/**
 * The same for blocks, which headers in between do not excuse: whoever shows headers and withholds their blocks would hold
 * us for ever. Enough for a slow link to come down from 64 blocks a request to one, and three more.
 */
const MAX_WITHHELD = 9;
/** Blocks of one sync in a row that our chain could not take: beyond it something is wrong that asking on does not mend. */
const MAX_SETBACKS = 512;
const HEADERS_PER_REQUEST = 2_000;
/** Asked for at once, at most. After a request that failed only half as many, down to one: a slow link must get there. */
const BLOCKS_PER_REQUEST = 64;
/**
 * Fetched blocks that wait for import, at most; more are asked for only below it. Several of the chain's batches: while
 * one is executed and written, the next ones are fetched and their signatures verified.
 */
const MAX_BLOCKS_IMPORTING = 256;
/** Peers remembered, far above any connection limit. */
const MAX_PEERS = 1_024;

interface Sync {
  peer: string;
  /** Who showed the headers; another may fetch their bodies. */
  readonly shownBy: string;
  /** What the peer claimed when it was chosen. */
  claim: PeerStatus;
  phase: "headers" | "blocks";
  chain: HeaderChain | undefined;
  /** The last block that the peer has shown and we have; before the first new header. */
  known: TreeBlock | undefined;
  /** Index of the first header whose body may have to be asked for. */
  next: number;
  requestOpen: boolean;
  /** Blocks of it have come. */
  receives: boolean;
  /** Blocks in a row that our chain could not take. */
  setbacks: number;
  /**
   * Blocks handed to the chain for this sync, with the peer they came from. Any other outcome is a late one: of a sync
   * before, or of a peer that was dropped.
   */
  readonly importing: Map<BlockId, string>;
}

export function createSyncPlanner(rules: HeaderRules, chain: SyncChain): SyncPlanner {
  const peers = new Map<string, PeerStatus>();
  const failures = new Map<string, number>();
  /** Requests for blocks in a row that a peer did not answer with any. */
  const withheld = new Map<string, number>();
  /** When each peer was tried last, or first claimed something; kept when it goes, or it would come back to the front. */
  const turns = new Map<string, number>();
  let turn = 0;
  let blocksPerRequest = BLOCKS_PER_REQUEST;
  let sync: Sync | undefined;

  const isBetter = ({ work, head }: PeerStatus): boolean => {
    const ours = chain.head();
    // Our operator does not want it, whatever its work.
    if (chain.get(head)?.mark !== undefined) return false;
    // A tie is fetched too: only who has both branches can tell that they are tied.
    return work > ours.work || (work === ours.work && chain.get(head) === undefined);
  };

  function takeTurn(peer: string): void {
    turns.delete(peer);
    turns.set(peer, ++turn);
    if (turns.size <= MAX_PEERS) return;
    const [oldest] = turns.keys();
    if (oldest !== undefined) turns.delete(oldest);
  }

  /** The peer with a better claim that has waited longest. */
  function nextPeer(isMeant: (claim: PeerStatus) => boolean): [string, PeerStatus] | undefined {
    let next: [string, PeerStatus] | undefined;
    const turnOf = ([peer]: [string, PeerStatus]): number => turns.get(peer) ?? 0;
    for (const entry of peers) {
      if (isBetter(entry[1]) && isMeant(entry[1]) && (next === undefined || turnOf(entry) < turnOf(next)))
        next = entry;
    }
    if (next !== undefined) takeTurn(next[0]);
    return next;
  }

  function start(): SyncEffect[] {
    if (sync !== undefined) return [];
    const next = nextPeer(() => true);
    if (next === undefined) return [];
    const [peer, claim] = next;
    sync = {
      peer,
      shownBy: peer,
      claim,
      phase: "headers",
      chain: undefined,
      known: undefined,
      next: 0,
      requestOpen: false,
      receives: false,
      setbacks: 0,
      importing: new Map(),
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
    const target = lost.phase === "blocks" ? lost.chain?.last.id : undefined;
    const next = target === undefined ? undefined : nextPeer(({ head }) => head === target);
    if (next !== undefined) {
      [lost.peer, lost.claim] = next;
      lost.requestOpen = false;
      return requestBodies();
    }
    sync = undefined;
    return start();
  }

  /** The sync's peer gave no usable answer, which may happen to an honest one, but not again and again. */
  function fail(peer: string): SyncEffect[] {
    const isOfBlocks = sync?.phase === "blocks";
    const counts = isOfBlocks ? withheld : failures;
    const count = (counts.get(peer) ?? 0) + 1;
    counts.set(peer, count);
    if (count < (isOfBlocks ? MAX_WITHHELD : MAX_FAILURES)) return replace();
    const what = isOfBlocks ? "requests for blocks" : "requests";
    return drop(peer, `${count} ${what} in a row without a usable answer`);
  }

  function requestBodies(): SyncEffect[] {
    if (sync?.chain === undefined || sync.requestOpen || sync.importing.size >= MAX_BLOCKS_IMPORTING)
      return [];
    const { importing } = sync;
    const all = sync.chain.ids;
    const isHere = (id: BlockId): boolean => importing.has(id) || chain.get(id) !== undefined;
    while (sync.next < all.length && isHere(all[sync.next] as BlockId)) sync.next++;
    const ids: BlockId[] = [];
    for (let i = sync.next; i < all.length && ids.length < blocksPerRequest; i++) {
      const id = all[i] as BlockId;
      if (!isHere(id)) ids.push(id);
    }
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
  ): Refusal | "done" | "more" | "cut-short" | "moved" | "set-aside" {
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
      if (current.chain === undefined && chain.get(header.parent)?.mark !== undefined) return "set-aside";
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
    get receivedWork() {
      return sync?.receives === true ? (sync.chain?.work ?? 0n) : 0n;
    },
    peerStatus(peer, status) {
      if (peers.size >= MAX_PEERS && !peers.has(peer)) return [];
      peers.set(peer, status);
      if (!turns.has(peer)) takeTurn(peer);
      return start();
    },
    peerGone(peer) {
      peers.delete(peer);
      failures.delete(peer);
      withheld.delete(peer);
      return sync?.peer === peer ? replace() : [];
    },
    headers(peer, headers, nowMs) {
      if (sync?.peer !== peer || sync.phase !== "headers") return [];
      sync.requestOpen = false;
      const result = takeHeaders(sync, headers, nowMs);
      if (result === "moved") return fail(peer);
      // It builds on what our operator invalidated, which says nothing about the peer.
      if (result === "set-aside") return end("forget");
      if (typeof result === "object") return drop(peer, `headers refused: ${result.code}, ${result.detail}`);
      failures.delete(peer);
      const found = sync.chain;
      const last = headers.at(-1);
      const known = found === undefined && last !== undefined ? chain.get(last.id) : undefined;
      // A full answer that we have already: the branch goes on. Whoever shows the same again gets nowhere.
      if (result === "more" && known !== undefined && known.height > (sync.known?.height ?? 0)) {
        sync.known = known;
        return requestHeaders(sync, [known.id]);
      }
      // It left that branch between two answers, or shows the same again.
      if (known !== undefined && sync.known !== undefined && known.height <= sync.known.height)
        return fail(peer);
      if (result === "cut-short" && found?.ids.length === 0) return end("forget");
      if (found === undefined) {
        // Known blocks may be a moment ahead of our published head, so what was shown is judged by its own work. A peer
        // that got away with showing less than it claims would keep us syncing, and not mining.
        const shown = (known ?? sync.known)?.work ?? 0n;
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
      withheld.delete(peer);
      sync.receives = true;
      blocksPerRequest = Math.min(2 * blocksPerRequest, BLOCKS_PER_REQUEST);
      for (const id of ids) sync.importing.set(id, peer);
      return requestBodies();
    },
    imported(peer, id, outcome) {
      const isOurs = sync?.importing.get(id) === peer;
      if (isOurs) sync?.importing.delete(id);
      if (outcome.ok) {
        if (!isOurs) return [];
        if (sync !== undefined) sync.setbacks = 0;
        return requestBodies();
      }
      const { refusal } = outcome;
      const index = isOurs ? (sync?.chain?.ids.indexOf(id) ?? -1) : -1;
      if (sync !== undefined && index >= 0) sync.next = Math.min(sync.next, index);
      if (refusal === undefined || refusal.permanence === "transient") {
        if (!isOurs || sync === undefined) return [];
        sync.setbacks += 1;
        if (sync.setbacks > MAX_SETBACKS) return end("forget");
        // What a lost peer's blocks still come to (parents that were not taken, say) is not the next one's failure, and
        // what is being asked for may be the missing parent.
        if (sync.peer !== peer || sync.requestOpen) return requestBodies();
        return sync.importing.size === 0 ? end("forget") : [];
      }
      const reason = `block ${id} refused: ${refusal.code}, ${refusal.detail}`;
      if (sync !== undefined && index >= 0) {
        // A body that does not belong to its header says nothing about the chain: fetch it again from somebody else,
        // with what else came from its sender and now lacks a parent.
        if (refusal.mutated) {
          for (const [one, from] of sync.importing) if (from === peer) sync.importing.delete(one);
          // Its sender may be replaced already, by one that was told there is nothing left to ask for.
          return [...drop(peer, reason), ...requestBodies()];
        }
        sync = undefined;
      }
      peers.delete(peer);
      return [{ kind: "disconnect", peer, reason }, ...start()];
    },
    failed(peer) {
      if (sync?.peer !== peer) return [];
      if (sync.phase === "blocks") blocksPerRequest = Math.max(1, Math.floor(blocksPerRequest / 2));
      return fail(peer);
    },
  };
}
