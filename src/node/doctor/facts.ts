import type { AttackRole, Link, Status } from "../../api/index.ts";
import type { BlockId } from "../../primitives/index.ts";
import type { BlockRefusal } from "./refusals.ts";

/** A block as far as findings speak of it. */
export interface BlockFact {
  readonly id: BlockId;
  readonly height: number;
  readonly work: bigint;
}

/** Where a connected peer stands by its own word, seen from our head. */
export interface PeerFact {
  readonly peer: string;
  /** Undefined while it has not said. */
  readonly claim: BlockFact | undefined;
  /**
   * same: on our best chain. ahead: claims more work on a block that is not known here. other: on another branch; with
   * the fork point where both blocks are known here.
   */
  readonly stand: "silent" | "same" | "ahead" | "other";
  readonly forkPoint: BlockFact | undefined;
}

/** A tip that is not followed though it has more work. */
export interface PassedOver extends BlockFact {
  /** The rule that it or an ancestor breaks; undefined: an operator set it aside. */
  readonly rule: string | undefined;
}

/** All that findings are drawn from, as it was at one moment. Plain values, so that each finding can be tried alone. */
export interface Facts {
  readonly nowMs: number;
  readonly uptimeMs: number;
  readonly intervalMs: number;
  readonly driftMs: number;
  readonly head: BlockFact & { readonly timestampMs: number };
  readonly stopped: string | undefined;
  readonly state: Pick<Status, "state" | "reason" | "sync" | "obstacle" | "tied">;
  /** Since the last block came, or since the start; ms. */
  readonly lastBlockAgoMs: number;
  readonly isMining: boolean;
  readonly peers: readonly PeerFact[];
  readonly configured: readonly {
    readonly address: string;
    readonly isConnected: boolean;
    /** The link conditioner keeps it away. */
    readonly isRefused: boolean;
    readonly problem: string | undefined;
  }[];
  readonly passedOver: readonly PassedOver[];
  readonly refusals: readonly BlockRefusal[];
  readonly orphans: readonly {
    readonly id: BlockId;
    readonly parent: BlockId;
    readonly height: number;
    readonly from: string;
  }[];
  /** Of blocks that came by gossip lately: when they came, minus their timestamp, ms; and from how many peers. */
  readonly gossipDelays: { readonly delaysMs: readonly number[]; readonly peers: number };
  readonly bans: readonly { readonly subject: string; readonly reason: string; readonly untilMs: number }[];
  readonly links: readonly Link[];
  readonly inboundEver: number;
  /** Listens at an address that other machines can reach. */
  readonly isOpenToOthers: boolean;
  readonly closedAddresses: readonly { readonly address: string; readonly problem: string }[];
  /** Undefined where the system does not say. */
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | undefined;
  readonly mempool: {
    readonly transactions: number;
    readonly bytes: number;
    readonly maxTransactions: number;
    readonly maxBytes: number;
  };
  /** Part of the time in which the event loop was busy, 0 to 1, over a short while. */
  readonly busyRatio: number;
  readonly attack: AttackRole | null;
  readonly hasHistory: boolean;
  readonly hasTimeline: boolean;
}
