import type { HeaderRules } from "../consensus/index.ts";
import type { BlockId } from "../primitives/index.ts";
import {
  BLOCKS_PER_REQUEST,
  type BodyDownload,
  createBodyDownload,
  type Handed,
  isPermanent,
  refusalReason,
} from "./body-download.ts";
import { createClaims, type SyncPeer } from "./claims.ts";
import { createDeadEnds, deadEndOf } from "./dead-ends.ts";
import type { HeaderChain } from "./header-chain.ts";
import { createHeaderFetch, type HeaderFetch } from "./header-fetch.ts";
import { locatorOf, MAX_LOCATOR_IDS } from "./locator.ts";
import { blocksProgress, headersProgress } from "./progress.ts";
import { createTurnClock } from "./turn-clock.ts";
import type {
  ImportOutcome,
  Moment,
  PeerStatus,
  SyncChain,
  SyncEffect,
  SyncObstacle,
  SyncPlanner,
  SyncProgress,
} from "./types.ts";

/**
 * Headers of one sync at most: easy ones are nearly free to forge. Only ids are kept, 17 MB each: of a chain being
 * fetched, one to go on with, one being downloaded. What needs more to outweigh ours is not followed.
 */
export const MAX_HEADERS_PER_SYNC = 524_288;
/** Header fetches in a row that a peer may leave without an end before it loses its connection. */
const MAX_HEADER_FAILURES = 3;
/** Requests of blocks in a row withheld, whatever headers come between: a slow link's way from 64 to 1, and 3 more. */
const MAX_WITHHELD = 9;
/** Requests for blocks in a row, of all peers together, that brought none: then a peer with another branch has its turn. */
const MAX_DRY_REQUESTS = 4;
const HEADERS_PER_REQUEST = 2_000;
/** Half as many after each failure, down to so many: 54 KB, which the slowest of links carries in time. */
const MIN_HEADERS_PER_REQUEST = 200;

export interface SyncPlannerOptions {
  /** Default `MAX_HEADERS_PER_SYNC`. */
  readonly maxHeaders?: number;
}

interface RunningFetch {
  readonly request: number;
  readonly peer: SyncPeer;
  readonly max: number;
  /** The peer's claim when it began. */
  readonly head: BlockId;
  readonly headers: HeaderFetch;
}

export function createSyncPlanner(
  rules: HeaderRules,
  chain: SyncChain,
  { maxHeaders = MAX_HEADERS_PER_SYNC }: SyncPlannerOptions = {},
): SyncPlanner {
  const claims = createClaims({
    headersPerRequest: HEADERS_PER_REQUEST,
    blocksPerRequest: BLOCKS_PER_REQUEST,
  });
  let requests = 0;
  const nextRequest = (): number => ++requests;
  let fetch: RunningFetch | undefined;
  /** The headers with most work that a fetch left without an end: the next peer that has them goes on from there. */
  let begun: HeaderChain | undefined;
  const turn = createTurnClock();
  /** The last header chain that was worth its bodies. It stays while nobody has them, or its headers would come again. */
  let download: BodyDownload | undefined;
  /** Its bodies are being fetched or imported. */
  let isActive = false;
  let hasReceived = false;
  let dryRequests = 0;
  const deadEnds = createDeadEnds({ chain, download: () => download });
  /** Blocks that our chain still has of a download that ended. */
  const leftovers = new Map<BlockId, Handed>();

  const isBetter = ({ work, head }: PeerStatus): boolean => {
    const ours = chain.head();
    if (work < rules.spec.minimumWork) return false;
    // Our operator does not want it, whatever its work.
    if (chain.get(head)?.mark !== undefined) return false;
    // A tie is fetched too: only who has both branches can tell that they are tied.
    return work > ours.work || (work === ours.work && chain.get(head) === undefined);
  };

  /** What there is to do now. After each input. */
  function next(now: Moment): SyncEffect[] {
    const effects = endCutOff();
    if (isActive) effects.push(...proceed());
    if (!isActive) effects.push(...start(now));
    download?.watch(now);
    return effects;
  }

  function proceed(): SyncEffect[] {
    if (download === undefined) return [];
    const effects = download.proceed();
    const { isComplete, isStuck, isBusy, shownBy, helpers } = download;
    if (isComplete || isStuck) {
      effects.push(...download.release());
      // Where our own chain could not take the blocks there is no use in asking at once.
      const asked = [shownBy, ...helpers].map((name) => claims.get(name)).find((peer) => peer !== undefined);
      if (asked !== undefined) asked.isResting = true;
      if (isComplete && asked !== undefined) effects.push({ kind: "request-status", peer: asked.name });
      turn.reset();
      endDownload();
    } else if (!isBusy) isActive = false;
    return effects;
  }

  /** The peer that has waited longest goes on with the header chain that we have, if it can, or shows its own. */
  function start(now: Moment): SyncEffect[] {
    if (fetch !== undefined || leftovers.size > 0) return [];
    if (download !== undefined && isPast(download)) endDownload();
    if (begun !== undefined && isKnown(begun)) begun = undefined;
    const peer = claims.longestWaiting((one) => isWorthAsking(one) || download?.canAsk(one) === true);
    if (peer === undefined) return [];
    claims.takeTurn(peer.name);
    turn.begin(now);
    if (download?.canAsk(peer) === true) {
      isActive = true;
      hasReceived = false;
      dryRequests = 0;
      return proceed();
    }
    const isDeadEnd = (first: BlockId): boolean => deadEnds.isKnown(first, peer);
    const deps = { rules, chain, peer: peer.name, isBetter, isDeadEnd, maxHeaders };
    const ours = locatorOf(chain.head().height, chain.idAt);
    if (peer.deadEnd !== undefined) {
      const headers = createHeaderFetch({ ...deps, begun: undefined }, peer.claim);
      return requestHeaders(peer, headers, deadEnds.probe(peer.deadEnd, ours), peer.claim.head, 1);
    }
    const locator = begun === undefined ? ours : [begun.last.id, ...ours].slice(0, MAX_LOCATOR_IDS);
    return requestHeaders(peer, createHeaderFetch({ ...deps, begun }, peer.claim), locator, peer.claim.head);
  }

  const isWorthAsking = (peer: SyncPeer): boolean => isBetter(peer.claim) && !deadEnds.isAt(peer);

  /** We may have pruned our chain below its headers meanwhile. */
  function endCutOff(): SyncEffect[] {
    if (download === undefined) return [];
    const { headers, shownBy } = download;
    const effects = deadEnds.giveUp(headers, shownBy, claims.get(shownBy));
    if (effects === undefined) return [];
    effects.push(...download.release());
    endDownload();
    return effects;
  }

  /** Our chain has outgrown it, or has it by now, or our operator does not want it any more. */
  const isPast = ({ headers }: BodyDownload): boolean => headers.work < chain.head().work || isKnown(headers);

  const isKnown = ({ last, anchor }: HeaderChain): boolean =>
    chain.get(last.id) !== undefined || chain.get(anchor.id)?.mark !== undefined;

  /** Notes headers that somebody else may go on from. */
  function leave(headers: HeaderChain | undefined): void {
    if (headers !== undefined && headers.work > (begun?.work ?? 0n)) begun = headers;
  }

  /** A peer with another branch has its turn, if one waits and our chain has nothing of this one to do. */
  function giveWay(): SyncEffect[] {
    if (download === undefined || download.importing.size > 0) return [];
    const { reachOf, headers, shownBy, helpers } = download;
    const isElsewhere = (one: SyncPeer): boolean => isWorthAsking(one) && reachOf(one) < 0;
    if (claims.longestWaiting(isElsewhere) === undefined) return [];
    isActive = false;
    leave(headers.copy());
    // They have had theirs.
    for (const name of [shownBy, ...helpers]) claims.takeTurn(name);
    return download.release();
  }

  function requestHeaders(
    peer: SyncPeer,
    headers: HeaderFetch,
    locator: readonly BlockId[],
    head: BlockId,
    max: number = peer.headersPerRequest,
  ): SyncEffect[] {
    const request = nextRequest();
    fetch = { request, peer, max, head, headers };
    return [{ kind: "request-headers", request, peer: peer.name, locator, max }];
  }

  function endDownload(): void {
    for (const [id, handed] of download?.importing ?? []) leftovers.set(id, handed);
    download = undefined;
    isActive = false;
    hasReceived = false;
  }

  function beginDownload(headers: HeaderChain, shownBy: string): BodyDownload {
    endDownload();
    download = createBodyDownload({ chain, claims, nextRequest }, headers, shownBy);
    for (const peer of claims.all()) download.note(peer);
    isActive = true;
    dryRequests = 0;
    return download;
  }

  /** The peer is lost, or not to be asked for a while: others get what it was asked for. */
  function release(name: string): SyncEffect[] {
    if (fetch?.peer.name === name) {
      leave(fetch.headers.chain);
      fetch = undefined;
    }
    return download?.release(name) ?? [];
  }

  function drop(name: string, reason: string, isFault: boolean): SyncEffect[] {
    const peer = claims.get(name);
    if (peer === undefined || peer.isDropped) return [];
    peer.isDropped = peer.isResting = true;
    return [{ kind: "disconnect", peer: name, reason, isFault }, ...release(name)];
  }

  /** A header fetch without an end, which may happen to an honest peer, but not again and again. */
  function failHeaders(peer: SyncPeer): SyncEffect[] {
    leave(fetch?.headers.chain);
    fetch = undefined;
    peer.isResting = true;
    peer.headerFailures += 1;
    peer.headersPerRequest = Math.max(MIN_HEADERS_PER_REQUEST, Math.floor(peer.headersPerRequest / 2));
    if (peer.headerFailures < MAX_HEADER_FAILURES) return [];
    return drop(peer.name, `${peer.headerFailures} header fetches in a row without an end`, false);
  }

  /** It was asked for blocks and brought none in time. Several that end together count once. */
  function withhold(name: string): SyncEffect[] {
    const peer = claims.get(name);
    if (peer === undefined) return [];
    if (!peer.isResting) {
      peer.isResting = true;
      peer.withheld += 1;
      peer.blocksPerRequest = Math.max(1, Math.floor(peer.blocksPerRequest / 2));
    }
    const effects =
      peer.withheld < MAX_WITHHELD
        ? []
        : drop(name, `${peer.withheld} requests for blocks in a row without a usable answer`, false);
    dryRequests += 1;
    return dryRequests < MAX_DRY_REQUESTS ? effects : [...effects, ...giveWay()];
  }

  /** The block is invalid for good, and with it all that builds on it. */
  function refuseChain({ peer, isVouchedFor }: Handed, reason: string): SyncEffect[] {
    const effects = isVouchedFor ? drop(peer, reason, true) : [];
    if (download !== undefined) effects.push(...drop(download.shownBy, reason, true), ...download.release());
    endDownload();
    return effects;
  }

  return {
    get progress(): SyncProgress | undefined {
      if (fetch !== undefined) return headersProgress(fetch.peer, fetch.headers);
      return isActive && download !== undefined ? blocksProgress(download) : undefined;
    },
    get obstacle(): SyncObstacle | undefined {
      if (isActive) return undefined;
      for (const peer of claims.all()) {
        const branch = peer.isDropped || !isBetter(peer.claim) ? undefined : deadEnds.cutOffOf(peer);
        if (branch !== undefined) return { code: "BRANCH_CUT_OFF", ...branch };
      }
      return download === undefined || isPast(download) ? undefined : download.obstacle;
    },
    get receivedWork() {
      return isActive && hasReceived ? (download?.headers.work ?? 0n) : 0n;
    },
    get nextTickMs() {
      return download?.stallsAtMs;
    },
    peerStatus(name, status, now) {
      const peer = claims.take(name, status);
      if (peer === undefined) return [];
      download?.note(peer);
      return next(now);
    },
    peerGone(name, now) {
      claims.forget(name);
      const effects = release(name);
      download?.forget(name);
      return [...effects, ...next(now)];
    },
    headers(request, headers, now) {
      if (fetch?.request !== request) return [];
      const { peer, max, head, headers: running } = fetch;
      const step = running.take(headers, max, now.nowMs);
      if (step.kind === "more") {
        const isWaiting = (one: SyncPeer): boolean => one !== peer && isWorthAsking(one);
        if (!turn.isOver(now) || claims.longestWaiting(isWaiting) === undefined)
          return requestHeaders(peer, running, step.locator, head);
        leave(running.chain);
        fetch = undefined;
        claims.takeTurn(peer.name);
        turn.lengthen();
        return next(now);
      }
      if (step.kind === "failed") return [...failHeaders(peer), ...next(now)];
      fetch = undefined;
      if (running.chain === begun) begun = undefined;
      if (step.kind === "fault") return [...drop(peer.name, step.reason, true), ...next(now)];
      peer.headerFailures = 0;
      peer.headersPerRequest = Math.min(HEADERS_PER_REQUEST, 2 * peer.headersPerRequest);
      peer.deadEnd = undefined;
      if (step.kind === "found") {
        const effects = deadEnds.giveUp(step.chain, peer.name, peer);
        if (effects !== undefined) return [...effects, ...next(now)];
        if (beginDownload(step.chain, peer.name).isPrunedBy(peer)) peer.deadEnd = deadEndOf(step.chain, head);
        turn.begin(now);
        return next(now);
      }
      if (step.kind === "dead-end") {
        peer.deadEnd = { head, anchor: step.anchor, first: step.first };
        return next(now);
      }
      peer.isResting = true;
      const askAgain = step.askAgain ? [{ kind: "request-status" as const, peer: peer.name }] : [];
      return [...askAgain, ...next(now)];
    },
    bodies(request, blocks, now) {
      const window = download?.answered(request, blocks);
      if (download === undefined || window === undefined) return [];
      const { peer: name, indexes } = window;
      const peer = claims.get(name);
      if (blocks.length > 0 && peer !== undefined) {
        peer.withheld = peer.emptyAnswers = 0;
        peer.isResting = false;
        peer.blocksPerRequest = Math.min(2 * peer.blocksPerRequest, BLOCKS_PER_REQUEST);
        dryRequests = 0;
        hasReceived = true;
        if (!turn.isOver(now)) return next(now);
        const effects = giveWay();
        if (!isActive) turn.lengthen();
        return [...effects, ...next(now)];
      }
      // It has said meanwhile that it has pruned them.
      if (peer === undefined || download.isPrunedBy(peer, indexes[0])) return next(now);
      const isFirst = request > peer.emptyUpTo && ++peer.emptyAnswers === 1;
      peer.emptyUpTo = requests;
      const isFault = download.owes(peer, indexes[0]);
      if (name === download.shownBy && peer.emptyAnswers > 1)
        return [...drop(name, "has not the blocks of its own headers", isFault), ...next(now)];
      if (download.isOnChain(name, indexes[0] ?? 0)) {
        // It may have pruned them a moment ago, and has a chance to say so.
        const ask: SyncEffect[] = isFirst ? [{ kind: "request-status", peer: name }] : [];
        return [...withhold(name), ...ask, ...next(now)];
      }
      // It never said that it is on this branch.
      download.refute(name);
      return next(now);
    },
    imported(id, outcome, now) {
      const handed = download?.returned(id);
      if (download !== undefined && handed !== undefined)
        return [...takeOutcome(download, id, handed, outcome), ...next(now)];
      const late = leftovers.get(id);
      leftovers.delete(id);
      const refusal = outcome.ok ? undefined : outcome.refusal;
      const isGuilty = late !== undefined && isPermanent(refusal) && (late.isVouchedFor || refusal.mutated);
      const effects = isGuilty ? drop(late.peer, refusalReason(id, refusal), true) : [];
      return [...effects, ...next(now)];
    },
    failed(request, now) {
      if (fetch?.request === request) return [...failHeaders(fetch.peer), ...next(now)];
      const window = download?.answered(request, []);
      return window === undefined ? [] : [...withhold(window.peer), ...next(now)];
    },
    tick(now) {
      const late = download?.takeStalled(now);
      if (late === undefined) return [];
      return [...(download?.release(late) ?? []), ...withhold(late), ...next(now)];
    },
  };

  function takeOutcome(
    current: BodyDownload,
    id: BlockId,
    handed: Handed,
    outcome: ImportOutcome,
  ): SyncEffect[] {
    if (outcome.ok) return [];
    const { refusal } = outcome;
    if (refusal?.mutated === true) {
      // It says nothing about the chain.
      current.refetch(handed);
      return drop(handed.peer, refusalReason(id, refusal), true);
    }
    if (isPermanent(refusal)) return refuseChain(handed, refusalReason(id, refusal));
    current.putBack(handed);
    return [];
  }
}
