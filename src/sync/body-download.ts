import type { Refusal } from "../consensus/index.ts";
import type { BlockId } from "../primitives/index.ts";
import { type BodyWindow, createBodyWindows } from "./body-windows.ts";
import type { Claims, SyncPeer } from "./claims.ts";
import type { HeaderChain } from "./header-chain.ts";
import { createStallClock } from "./stall-clock.ts";
import type { FetchedBlock, Moment, SyncChain, SyncEffect, SyncObstacle } from "./types.ts";

/** Asked for at once, at most. */
export const BLOCKS_PER_REQUEST = 64;
/** What an answer should not pass by the size of the last ones: some seconds of a slow link. A single block may. */
const BYTES_PER_REQUEST = 1024 * 1024;
/** Requests open at once: two of a peer hide the way there and back; in all, what memory their answers may take. */
const MAX_WINDOWS = 8;
const MAX_WINDOWS_PER_PEER = 2;
/**
 * Blocks handed to our chain and not imported yet, at most. Two of its batches: while one is executed and written, the
 * signatures of the next are verified. What waits in more of them would outlive garbage collections that end it cheaply.
 */
const MAX_BLOCKS_IMPORTING = 128;
/** Body bytes that came and are not imported yet; above it only what all others wait for is asked for. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
interface Body {
  readonly index: number;
  readonly peer: string;
  readonly block: FetchedBlock;
}

/** A block that was handed to our chain for this download. */
export interface Handed extends Body {
  /** Its sender stood on this chain, at the block or behind it: it answers for what the block turns out to be. */
  readonly isVouchedFor: boolean;
  /** Its sender turned out to be a liar: what our chain gives back is fetched from somebody else. */
  isDistrusted: boolean;
}

export interface BodyDownloadDeps {
  readonly chain: SyncChain;
  readonly claims: Claims;
  readonly nextRequest: () => number;
}

/**
 * The bodies of one header chain, in disjoint windows from all peers that can have them, handed to our chain in the order
 * of their heights. What was fetched stays until our chain has taken it.
 */
export interface BodyDownload {
  readonly headers: HeaderChain;
  /** Who showed the headers. */
  readonly shownBy: string;
  /** Whom blocks came from. */
  readonly helpers: ReadonlySet<string>;
  readonly blocksDone: number;
  /** Requests or imports are under way. */
  readonly isBusy: boolean;
  readonly isComplete: boolean;
  /** Our own chain did not take a block for the second time, and nobody else is to blame. */
  readonly isStuck: boolean;
  /** The last place that the peer may be asked for; -1 where it is on another branch. */
  reachOf(peer: SyncPeer): number;
  /** It says that it has pruned the block at that place; by default the lowest that nobody is asked for. */
  isPrunedBy(peer: SyncPeer, index?: number): boolean;
  /** All peers on this chain have pruned the lowest block that nobody is asked for. */
  readonly obstacle: SyncObstacle | undefined;
  /** The peer could be asked for something now. */
  canAsk(peer: SyncPeer): boolean;
  /**
   * Having shown that block, the peer must have it: it says that it prunes nothing, or that its head stands on it. Whoever
   * prunes may have left the branch since, and forgotten it.
   */
  owes(peer: SyncPeer, index?: number): boolean;
  /** The head that the peer claims is one of these headers. */
  isHeadHere(peer: SyncPeer): boolean;
  /** Notes how far along these headers the peer says it is. */
  note(peer: SyncPeer): void;
  /** The peer claims to be on this chain at that place or behind it. */
  isOnChain(peer: string, index: number): boolean;
  /** It has another branch. */
  refute(peer: string): void;
  /** It is gone, with what was known of it. */
  forget(peer: string): void;
  /** Hands over what is due and opens windows. */
  proceed(): SyncEffect[];
  /** An answer; `undefined` where nobody waits for it. What it lacks is to be asked for again. */
  answered(request: number, blocks: readonly FetchedBlock[]): BodyWindow | undefined;
  /** Ends all windows of a peer, or of everybody. */
  release(peer?: string): SyncEffect[];
  /** A handed block came back; `undefined` where it was not of this download. */
  returned(id: BlockId): Handed | undefined;
  /** Our chain did not take it for now: it waits, and is handed over once more. */
  putBack(handed: Handed): void;
  /** Its body was not the header's: it is fetched again, and so is everything that came from its sender. */
  refetch(handed: Handed): void;
  /** What our chain was handed and has not answered for. */
  readonly importing: ReadonlyMap<BlockId, Handed>;
  /** Notes since when everything waits for one window. After each input. */
  watch(now: Moment): void;
  /** When a stalled window is to be given to another peer; `undefined` while there is none, or nobody to give it to. */
  readonly stallsAtMs: number | undefined;
  /** The peer that holds up everything, if its time is over; the next one gets more. */
  takeStalled(now: Moment): string | undefined;
}

export function createBodyDownload(
  deps: BodyDownloadDeps,
  headers: HeaderChain,
  shownBy: string,
): BodyDownload {
  const { chain, claims } = deps;
  const { ids } = headers;
  /** How far each peer says it is along the headers, and who has turned out to be elsewhere. */
  const reaches = new Map<string, number>([[shownBy, ids.length - 1]]);
  const refuted = new Set<string>();
  const helpers = new Set<string>();
  /** Bodies that came and wait for those below them, by their place. */
  const held = new Map<number, Body>();
  const importing = new Map<BlockId, Handed>();
  const windows = createBodyWindows(ids, (id) => importing.has(id) || chain.get(id) !== undefined);
  let waitingBytes = 0;
  let bytesPerBlock = 0;
  /** The lowest place that was not handed over. */
  let lowest = 0;
  /** Our chain gave a block back: nothing is handed over until it has answered for all it has. */
  let isDraining = false;
  let retriedAt = -1;
  let isStuck = false;
  const stall = createStallClock();
  /** Nobody could be asked for more, and nothing has changed that: looking anew for each imported block would cost. */
  let isSaturated = false;

  const idAt = (index: number): BlockId => ids.at(index) ?? "";

  function reachOf({ name, claim }: SyncPeer): number {
    // Who claims as much work may be ahead on this branch.
    if (claim.work >= headers.work && !refuted.has(name)) return ids.length - 1;
    return reaches.get(name) ?? -1;
  }

  const indexOf = (height: number): number => height - headers.anchor.height - 1;
  const isHeadHere = ({ claim }: SyncPeer): boolean => ids.at(indexOf(claim.height)) === claim.head;
  const heightAt = (index: number): number => headers.anchor.height + 1 + index;
  const isPrunedBy = ({ claim }: SyncPeer, index: number | undefined): boolean =>
    index !== undefined && claim.firstHeight > heightAt(index);
  const canHave = (peer: SyncPeer, index: number): boolean =>
    reachOf(peer) >= index && !isPrunedBy(peer, index);

  function hasRoomFor(index: number): boolean {
    let comingBytes = 0;
    for (const { indexes } of windows.open.values()) comingBytes += indexes.length * bytesPerBlock;
    return index === lowest || waitingBytes + comingBytes < MAX_WAITING_BYTES;
  }

  function nextMissing(): number | undefined {
    const [first] = importing.values();
    return windows.firstFree(first?.index ?? lowest);
  }

  /** The lowest place that is to be asked for now. */
  function due(): number | undefined {
    if (windows.open.size >= MAX_WINDOWS) return undefined;
    const index = nextMissing();
    return index !== undefined && hasRoomFor(index) ? index : undefined;
  }

  function isFree(peer: SyncPeer): boolean {
    if (peer.isResting) return false;
    const max = peer.withheld > 0 ? 1 : MAX_WINDOWS_PER_PEER;
    return windows.openOf(peer.name) < max;
  }

  /** Who is to be asked next: those that answer before those that did not, then those with less to do. */
  function nextPeer(index: number, except?: string): SyncPeer | undefined {
    let best: SyncPeer | undefined;
    const rank = (peer: SyncPeer): number[] => [
      peer.withheld,
      windows.openOf(peer.name),
      claims.turnOf(peer.name),
    ];
    for (const peer of claims.all()) {
      if (peer.name === except || !isFree(peer) || !canHave(peer, index)) continue;
      if (best === undefined || isBefore(rank(peer), rank(best))) best = peer;
    }
    return best;
  }

  function hold(body: Body): void {
    held.set(body.index, body);
    lowest = Math.min(lowest, body.index);
  }

  function letGo(body: Body): void {
    waitingBytes -= body.block.bodyBytes.length;
  }

  function handOver(): SyncEffect[] {
    if (isDraining) {
      if (importing.size > 0) return [];
      isDraining = false;
      isStuck = held.has(lowest) && retriedAt === lowest;
      retriedAt = lowest;
    }
    const effects: SyncEffect[] = [];
    while (!isStuck && importing.size < MAX_BLOCKS_IMPORTING && lowest < ids.length) {
      const body = held.get(lowest);
      if (body !== undefined) {
        held.delete(lowest);
        const isVouchedFor = isOnChain(body.peer, lowest);
        importing.set(idAt(lowest), { ...body, isVouchedFor, isDistrusted: false });
        effects.push({ kind: "import", peer: body.peer, block: body.block, shown: headers.shownAt(lowest) });
      } else if (chain.get(idAt(lowest)) === undefined) break;
      lowest += 1;
    }
    return effects;
  }

  function openWindow(): SyncEffect | undefined {
    const index = isSaturated ? undefined : due();
    if (index === undefined) return undefined;
    const peer = nextPeer(index);
    isSaturated = peer === undefined;
    if (peer === undefined) return undefined;
    const byBytes = Math.max(1, Math.floor(BYTES_PER_REQUEST / Math.max(1, bytesPerBlock)));
    const max = Math.min(peer.blocksPerRequest, byBytes);
    const [first] = importing.values();
    const from = first?.index ?? lowest;
    const window = windows.openFor(peer.name, deps.nextRequest(), max, from, reachOf(peer));
    if (window === undefined) return undefined;
    const { request } = window;
    return { kind: "request-blocks", request, peer: peer.name, ids: window.indexes.map(idAt) };
  }

  const isOnChain = (peer: string, index: number): boolean => index <= (reaches.get(peer) ?? -1);

  function stallsAtMs(): number | undefined {
    const { window, dueMs } = stall;
    const hasOther = window !== undefined && nextPeer(lowest, window.peer) !== undefined;
    return hasOther ? dueMs : undefined;
  }

  return {
    headers,
    shownBy,
    helpers,
    get blocksDone() {
      const [first] = importing.values();
      return first?.index ?? lowest;
    },
    get isBusy() {
      return windows.open.size > 0 || importing.size > 0;
    },
    get isComplete() {
      return lowest >= ids.length && importing.size === 0;
    },
    get isStuck() {
      return isStuck;
    },
    reachOf,
    isPrunedBy: (peer, index = nextMissing()) => isPrunedBy(peer, index),
    get obstacle(): SyncObstacle | undefined {
      const index = nextMissing();
      if (index === undefined) return undefined;
      const peers = [...claims.all()].filter((peer) => !peer.isDropped && reachOf(peer) >= index);
      if (peers.length === 0 || peers.some((peer) => !isPrunedBy(peer, index))) return undefined;
      const firstHeight = Math.min(...peers.map(({ claim }) => claim.firstHeight));
      return { code: "PEERS_PRUNED", neededHeight: heightAt(index), firstHeight };
    },
    canAsk(peer) {
      const index = due();
      return index !== undefined && isFree(peer) && canHave(peer, index);
    },
    owes: (peer, index = 0) =>
      peer.claim.firstHeight === 0 || (isHeadHere(peer) && indexOf(peer.claim.height) >= index),
    isHeadHere,
    note(peer) {
      isSaturated = false;
      const before = reaches.get(peer.name) ?? -1;
      if (isHeadHere(peer)) reaches.set(peer.name, Math.max(indexOf(peer.claim.height), before));
    },
    isOnChain,
    refute: (peer) => void refuted.add(peer),
    forget(peer) {
      for (const known of [reaches, refuted, helpers]) known.delete(peer);
    },
    proceed() {
      const effects = handOver();
      for (let next = openWindow(); next !== undefined; next = openWindow()) effects.push(next);
      return effects;
    },
    answered(request, blocks) {
      const window = windows.close(request);
      if (window === undefined) return undefined;
      isSaturated = false;
      const { peer, indexes } = window;
      let bytes = 0;
      for (const [i, block] of blocks.entries()) {
        const index = indexes[i];
        bytes += block.bodyBytes.length;
        // It may have come another way meanwhile.
        if (index === undefined || index < lowest || chain.get(idAt(index)) !== undefined) continue;
        hold({ index, peer, block });
        waitingBytes += block.bodyBytes.length;
      }
      windows.giveBack(indexes.slice(blocks.length));
      if (blocks.length === 0) return window;
      bytesPerBlock = bytes / blocks.length;
      stall.answered();
      helpers.add(peer);
      return window;
    },
    release(peer) {
      isSaturated = false;
      const effects: SyncEffect[] = [];
      for (const window of [...windows.open.values()]) {
        if (peer !== undefined && window.peer !== peer) continue;
        windows.close(window.request);
        windows.giveBack(window.indexes);
        effects.push({ kind: "cancel", request: window.request, peer: window.peer });
      }
      return effects;
    },
    returned(id) {
      const handed = importing.get(id);
      if (handed === undefined) return undefined;
      importing.delete(id);
      letGo(handed);
      return handed;
    },
    putBack(handed) {
      isDraining = true;
      isSaturated = false;
      lowest = Math.min(lowest, handed.index);
      if (handed.isDistrusted) return windows.giveBack([handed.index]);
      hold(handed);
      waitingBytes += handed.block.bodyBytes.length;
    },
    refetch({ index, peer }) {
      isDraining = true;
      isSaturated = false;
      lowest = Math.min(lowest, index);
      for (const handed of importing.values()) if (handed.peer === peer) handed.isDistrusted = true;
      const back = [index];
      for (const body of held.values()) {
        if (body.peer !== peer) continue;
        held.delete(body.index);
        letGo(body);
        back.push(body.index);
      }
      windows.giveBack(back);
    },
    importing,
    watch(now) {
      const isWaiting = importing.size === 0 && lowest < ids.length && !held.has(lowest);
      stall.watch(isWaiting ? windows.holding(lowest) : undefined, now);
    },
    get stallsAtMs() {
      return stallsAtMs();
    },
    takeStalled(now) {
      const atMs = stallsAtMs();
      if (atMs === undefined || now.monotonicMs < atMs) return undefined;
      stall.expired();
      return stall.window?.peer;
    },
  };
}

/** The permanent refusal of an outcome, where it is one. */
export const isPermanent = (refusal: Refusal | undefined): refusal is Refusal =>
  refusal?.permanence === "permanent";

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

export const refusalReason = (
  id: BlockId,
  { code, detail }: { readonly code: string; readonly detail: string },
): string => `block ${id} refused: ${code}, ${detail}`;
