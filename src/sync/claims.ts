import type { BlockId } from "../primitives/index.ts";
import type { PeerStatus } from "./types.ts";

/** Peers remembered, far above any connection limit. */
const MAX_PEERS = 1_024;

/** Headers of a peer that led nowhere for now: it is asked for them again when its head is another. */
export interface DeadEnd {
  /** What the peer claimed when it was asked. */
  readonly head: BlockId;
  /** The known block that they build on, and the first of them. */
  readonly anchor: BlockId;
  readonly first: BlockId;
}

/** A connected peer, what it claims, and how it kept its word. */
export interface SyncPeer {
  readonly name: string;
  /** What it said last; of its first heights the highest, as statuses may overtake each other. */
  claim: PeerStatus;
  /** It failed, or what it claimed was acted on: not asked before it says something again. */
  isResting: boolean;
  /** It is being disconnected: whatever it still says does not count. */
  isDropped: boolean;
  /** Header fetches in a row that it did not bring to an end. */
  headerFailures: number;
  /** Times in a row that it was asked for blocks and brought none. */
  withheld: number;
  /** Times in a row that it had none of the blocks asked for, though it keeps to its first height. */
  emptyAnswers: number;
  /** The newest request when the last of them came: what was open then counts with it. */
  emptyUpTo: number;
  /** Its headers are of no use to us for now. */
  deadEnd: DeadEnd | undefined;
  /** What it is asked for at once: less after each failure, for a slow link, and more again after each answer. */
  headersPerRequest: number;
  blocksPerRequest: number;
}

export interface Claims {
  get(name: string): SyncPeer | undefined;
  all(): Iterable<SyncPeer>;
  /** A peer's status; `undefined` where there are too many peers, or it is being disconnected. */
  take(name: string, claim: PeerStatus): SyncPeer | undefined;
  forget(name: string): void;
  /** Puts the peer behind all others. */
  takeTurn(name: string): void;
  /** How long ago its turn was, as an order: the least has waited longest. */
  turnOf(name: string): number;
  /** Of the peers that do not rest, the one that has waited longest. */
  longestWaiting(isMeant: (peer: SyncPeer) => boolean): SyncPeer | undefined;
}

export function createClaims(first: Pick<SyncPeer, "headersPerRequest" | "blocksPerRequest">): Claims {
  const peers = new Map<string, SyncPeer>();
  /** When each was tried last, or first claimed something; kept when it goes, or it would come back to the front. */
  const turns = new Map<string, number>();
  let turn = 0;

  function takeTurn(name: string): void {
    turns.delete(name);
    turns.set(name, ++turn);
    if (turns.size <= MAX_PEERS) return;
    const [oldest] = turns.keys();
    if (oldest !== undefined) turns.delete(oldest);
  }

  const turnOf = (name: string): number => turns.get(name) ?? 0;

  return {
    get: (name) => peers.get(name),
    all: () => peers.values(),
    take(name, claim) {
      const known = peers.get(name);
      if (known?.isDropped === true || (known === undefined && peers.size >= MAX_PEERS)) return undefined;
      const none = { headerFailures: 0, withheld: 0, emptyAnswers: 0, emptyUpTo: 0, deadEnd: undefined };
      const peer = known ?? { name, claim, isResting: false, isDropped: false, ...none, ...first };
      const firstHeight = Math.max(peer.claim.firstHeight, claim.firstHeight);
      // It has pruned what it did not give.
      if (firstHeight > peer.claim.firstHeight) peer.emptyAnswers = 0;
      peer.claim = { ...claim, firstHeight };
      peer.isResting = false;
      peers.set(name, peer);
      if (!turns.has(name)) takeTurn(name);
      return peer;
    },
    forget: (name) => void peers.delete(name),
    takeTurn,
    turnOf,
    longestWaiting(isMeant) {
      let found: SyncPeer | undefined;
      for (const peer of peers.values()) {
        if (peer.isResting || !isMeant(peer)) continue;
        if (found === undefined || turnOf(peer.name) < turnOf(found.name)) found = peer;
      }
      return found;
    },
  };
}
