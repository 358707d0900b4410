import type { Refusal, TreeBlock } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";

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
 * Decides what to ask of whom, headers first: a peer's headers until they end, then, if their work is worth it, the
 * bodies in windows; when a peer fails, another that stands on the same headers goes on where it stopped. One sync at a
 * time, and of the peers that claim more work than ours the one that has waited longest: a claim costs nothing, so who
 * claims most must not come first.
 */
export interface SyncPlanner {
  readonly progress: SyncProgress | undefined;
  /**
   * Cumulative work of the headers that are being followed, once their blocks really come in; 0 before. Neither claims nor
   * headers count: both are nearly free, and whoever makes them must not keep this node from mining.
   */
  readonly receivedWork: bigint;
  peerStatus(peer: string, status: PeerStatus): SyncEffect[];
  peerGone(peer: string): SyncEffect[];
  headers(peer: string, headers: readonly SealedHeader[], nowMs: number): SyncEffect[];
  /** Ids of the blocks that came, a prefix of those asked for, and are being imported now. */
  bodies(peer: string, ids: readonly BlockId[]): SyncEffect[];
  imported(peer: string, id: BlockId, outcome: ImportOutcome): SyncEffect[];
  /** The request open with this peer got no usable answer. */
  failed(peer: string): SyncEffect[];
}
