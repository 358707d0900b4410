import type { Refusal, TreeBlock } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";
import type { HeaderShown } from "./header-chain.ts";

/** Where a peer says it stands. */
export interface PeerStatus {
  readonly head: BlockId;
  readonly height: number;
  readonly work: bigint;
  /** It has no bodies below; 0 unless it has pruned some. */
  readonly firstHeight: number;
}

/** When an input came: headers are judged by the time of day, and what is late by the clock that never jumps. */
export interface Moment {
  /** Unix time. */
  readonly nowMs: number;
  /** From an arbitrary start. */
  readonly monotonicMs: number;
}

/** A block as it came, its body not looked into. */
export interface FetchedBlock {
  readonly header: SealedHeader;
  readonly bodyBytes: Uint8Array;
}

/** What the planner wants done. Each request is answered with exactly one input that names it, unless it is cancelled. */
export type SyncEffect =
  /** Answer with `headers` or `failed`. */
  | {
      readonly kind: "request-headers";
      readonly request: number;
      readonly peer: string;
      readonly locator: readonly BlockId[];
      readonly max: number;
    }
  /** Answer with `bodies` or `failed`. */
  | {
      readonly kind: "request-blocks";
      readonly request: number;
      readonly peer: string;
      /** Ascending by height. */
      readonly ids: readonly BlockId[];
    }
  /** The answer is not wanted any more; if it comes none the less, it changes nothing. */
  | { readonly kind: "cancel"; readonly request: number; readonly peer: string }
  /** Hand the block to our chain, in the order of these effects. Answer with `imported`. */
  | {
      readonly kind: "import";
      readonly peer: string;
      readonly block: FetchedBlock;
      /** When its header was here, and who showed it. */
      readonly shown: HeaderShown | undefined;
    }
  /** Ask the peer for its status again: what it said is used up. */
  | { readonly kind: "request-status"; readonly peer: string }
  /** Tell our operator, once for each such branch. */
  | ({ readonly kind: "report"; readonly peer: string } & BranchCutOff)
  /** Where it is a fault, the peer lied. Else it is only of no use: it may be slow, or have thrown away what we asked for. */
  | {
      readonly kind: "disconnect";
      readonly peer: string;
      readonly reason: string;
      readonly isFault: boolean;
    };

/** A branch with at least as much work as our head's, shown by its headers, leaves our chain where we have pruned it. */
export interface BranchCutOff {
  /** The last block that both have. */
  readonly forkHeight: number;
  readonly work: bigint;
  /** From where on our own blocks can be undone. */
  readonly firstHeight: number;
}

/** What keeps us from a better chain whose headers connected peers have shown. */
export type SyncObstacle =
  /** The peers have pruned what we need next. */
  | {
      readonly code: "PEERS_PRUNED";
      /** The block that we need. */
      readonly neededHeight: number;
      /** The lowest height from which on one of them has all blocks. */
      readonly firstHeight: number;
    }
  | ({ readonly code: "BRANCH_CUT_OFF" } & BranchCutOff);

/** The chain as the planner sees it. */
export interface SyncChain {
  head(): TreeBlock;
  /**
   * From here on our best chain is stored whole, and can be undone; 0: all of it. Side branches that leave it below are
   * not known.
   */
  firstHeight(): number;
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
  readonly phase: "headers" | "blocks";
  /** Who showed, or is showing, the headers. */
  readonly shownBy: string;
  /** Whom blocks have come from, and who is still there. */
  readonly peers: readonly string[];
  /** Height that the headers reach so far; before the first, what the peer claims. */
  readonly targetHeight: number;
  /** Blocks that the headers name, and how many of them our chain has; 0 while headers come. */
  readonly blocksTotal: number;
  readonly blocksDone: number;
}

/**
 * Decides what to ask of whom, headers first: the headers of one peer until they end, then, if their work is worth it,
 * the bodies in windows from all peers that can have them. One header chain at a time, and of the peers that claim more
 * work than ours the one that has waited longest: a claim costs nothing, so who claims most must not come first.
 */
export interface SyncPlanner {
  readonly progress: SyncProgress | undefined;
  /** Undefined while blocks are being fetched, too. */
  readonly obstacle: SyncObstacle | undefined;
  /**
   * Cumulative work of the headers that are being followed, once their blocks really come in; 0 before. Neither claims nor
   * headers count: both are nearly free, and whoever makes them must not keep this node from mining.
   */
  readonly receivedWork: bigint;
  /** Monotonic time at which `tick` is wanted if no other input comes before; `undefined`: nobody is being waited for. */
  readonly nextTickMs: number | undefined;
  peerStatus(peer: string, status: PeerStatus, now: Moment): SyncEffect[];
  peerGone(peer: string, now: Moment): SyncEffect[];
  headers(request: number, headers: readonly SealedHeader[], now: Moment): SyncEffect[];
  /** The blocks that came: a prefix of those asked for. */
  bodies(request: number, blocks: readonly FetchedBlock[], now: Moment): SyncEffect[];
  imported(id: BlockId, outcome: ImportOutcome, now: Moment): SyncEffect[];
  /** The request got no usable answer. */
  failed(request: number, now: Moment): SyncEffect[];
  tick(now: Moment): SyncEffect[];
}
