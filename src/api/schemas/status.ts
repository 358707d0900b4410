import Type from "typebox";
import {
  Address,
  Amount,
  BlockRef,
  Count,
  Height,
  Id,
  Multiaddr,
  PeerName,
  Rate,
  Strict,
  TimeMs,
  Work,
} from "./common.ts";

/** Whether this node keeps a timeline. */
const TimelineStatus = Strict({
  on: Type.Boolean(),
  /** Number of the newest entry; 0 where there is none. */
  lastSequence: Count,
  /** Why it was switched off on the way; null where it was not. */
  problem: Type.Union([Type.String(), Type.Null()]),
});

export const Head = Strict({ id: Id, height: Height, work: Work, parent: Id, timestampMs: TimeMs });
export type Head = Type.Static<typeof Head>;

export const MiningMode = Type.Enum(["off", "continuous", "blocks"], {
  description: "off, continuous or blocks",
});
export const MiningStatus = Strict({
  mode: MiningMode,
  on: Type.Boolean({ description: "true unless mode is off" }),
  hashRate: Type.Number({ minimum: 0, description: "tries a second, measured over the last seconds" }),
  /** What `continuous` is throttled to, or would be: tries a second. */
  targetHashRate: Rate,
  /** Expected tries for the next block. */
  difficulty: Work,
  rewardTo: Address,
});
export type MiningStatus = Type.Static<typeof MiningStatus>;

export const SyncState = Type.Enum(["synced", "syncing", "waiting-for-peers", "cut-off"], {
  description: "synced, syncing, waiting-for-peers or cut-off",
});

/** Blocks being fetched for a better chain of peers; what `state` syncing counts. */
export const SyncProgress = Strict({
  /** Height of the chain being fetched. */
  targetHeight: Height,
  /** Blocks of it that were missing when it began, and how many of them the node has by now. */
  blocksTotal: Count,
  blocksDone: Count,
  blocksPerSecond: Rate,
  /** At that speed; null before the first block. */
  remainingMs: Type.Union([Count, Type.Null()]),
  /** Connected peers that blocks came from. */
  peers: Type.Array(PeerName),
});

/** Why a better chain that connected peers have is not followed. */
export const SyncObstacle = Type.Union([
  Strict({
    /** The peers have pruned the block that is needed next: connect to a node that keeps all blocks. */
    code: Type.Literal("PEERS_PRUNED"),
    neededHeight: Height,
    /** Lowest height from which on one of them has all blocks. */
    firstHeight: Height,
  }),
  Strict({
    /** It leaves this node's chain below the blocks that this node has kept, so it cannot go back there. */
    code: Type.Literal("BRANCH_CUT_OFF"),
    /** The last block that both have. */
    forkHeight: Height,
    work: Work,
    /** This node's own, when the branch was shown. */
    firstHeight: Height,
  }),
]);

/** Parts that a node can be told to play against its peers, by `node start --attack` alone; docs/attacks.md. */
export const ATTACK_ROLES = ["withhold", "selfish-miner", "stall", "equivocate", "header-spam"] as const;
export const AttackRole = Type.Enum([...ATTACK_ROLES], { description: ATTACK_ROLES.join(", ") });
export type AttackRole = (typeof ATTACK_ROLES)[number];

export const Status = Strict({
  version: Type.String(),
  uptimeMs: Count,
  /** Unix ms of this answer by the node's own clock. */
  timeMs: TimeMs,
  chain: Id,
  network: Type.String({ description: "the name in genesis.json" }),
  node: Strict({ peer: PeerName, multiaddrs: Type.Array(Multiaddr) }),
  head: Head,
  /**
   * Other blocks with exactly the head's work that were the head, or that a connected peer says it stands on: with mining
   * off they stay tied until one more block is mined.
   */
  tied: Type.Array(BlockRef),
  state: SyncState,
  /** One sentence: why `state` is what it is. */
  reason: Type.String(),
  /** Null unless `state` is syncing. */
  sync: Type.Union([SyncProgress, Type.Null()]),
  /** What keeps the node from a better chain: with `state` waiting-for-peers or cut-off; else null. */
  obstacle: Type.Union([SyncObstacle, Type.Null()]),
  /** From here up to the head the node has every block whole; 0 unless it has pruned some. */
  firstHeight: Height,
  /** Connected peers. */
  peers: Count,
  mempool: Strict({ transactions: Count, bytes: Count }),
  mining: MiningStatus,
  /** Reorgs since the chain's data was made. */
  reorgs: Count,
  timeline: TimelineStatus,
  supply: Strict({ issued: Amount, burned: Amount }),
  /** The part in an attack that this node was started to play against its peers; null: it is honest. */
  attack: Type.Union([AttackRole, Type.Null()]),
});
export type Status = Type.Static<typeof Status>;
