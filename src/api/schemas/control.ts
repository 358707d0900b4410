import Type from "typebox";
import { BlockRef, Count, Id, ListOf, Multiaddr, PeerName, Strict, TimeMs } from "./common.ts";
import { MiningStatus } from "./status.ts";

/** Most blocks one request may ask for. */
export const MAX_MINE_COUNT = 10_000;
export const MAX_MINE_TIMEOUT_MS = 600_000;

export const MiningRequest = Type.Union([
  Strict({ mode: Type.Literal("off") }),
  Strict({
    mode: Type.Literal("continuous"),
    hashRate: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e12,
        description: "tries a second: a number above 0, at most 1000000000000",
      }),
    ),
  }),
  Strict({
    mode: Type.Literal("blocks"),
    count: Type.Integer({
      minimum: 1,
      maximum: MAX_MINE_COUNT,
      description: `an integer from 1 to ${MAX_MINE_COUNT}`,
    }),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_MINE_TIMEOUT_MS,
        description: `a time in ms: an integer from 1 to ${MAX_MINE_TIMEOUT_MS}`,
      }),
    ),
  }),
]);
export type MiningRequest = Type.Static<typeof MiningRequest>;
/** `blocks`: ids of the blocks this request mined, in order; empty for the other modes. */
export const MiningResult = Strict({ mining: MiningStatus, blocks: Type.Array(Id) });
export type MiningResult = Type.Static<typeof MiningResult>;

/** What an attacking node showed: blocks that it had held back, and the head that its peers can know now. */
export const AttackRelease = Strict({ released: Count, head: BlockRef });
export type AttackRelease = Type.Static<typeof AttackRelease>;

export const Peer = Strict({
  /** Null for a configured address that nobody has answered yet. */
  peer: Type.Union([PeerName, Type.Null()]),
  state: Type.Enum(["connected", "disconnected", "refused", "banned"]),
  /** True for addresses given by --peer or POST /v1/peers: they are redialled for ever. */
  configured: Type.Boolean(),
  address: Type.Union([Multiaddr, Type.Null()]),
  direction: Type.Union([Type.Enum(["inbound", "outbound"]), Type.Null()]),
  sinceMs: Type.Union([TimeMs, Type.Null()]),
  /** What it last said of its chain. */
  head: Type.Union([BlockRef, Type.Null()]),
  /** The latest failure or the reason it is not connected, if any. */
  problem: Type.Union([Type.String(), Type.Null()]),
  /** What its faults add up to; they fade, half of them in ten minutes. A peer that is not configured is banned at -100. */
  score: Type.Integer({ minimum: -100, maximum: 0, description: "an integer from -100 to 0 (good)" }),
});
export type Peer = Type.Static<typeof Peer>;
export const PeerList = ListOf(Peer);
export const AddPeer = Strict({ address: Multiaddr });
export type AddPeer = Type.Static<typeof AddPeer>;
export const AddedPeer = Strict({ address: Multiaddr, peer: Type.Union([PeerName, Type.Null()]) });
export type AddedPeer = Type.Static<typeof AddedPeer>;

/** Longest ban. */
const MAX_BAN_MS = 365 * 24 * 60 * 60_000;
export const Ban = Strict({
  /** A peer's name, or an IP address: then all peers there. */
  subject: Type.String(),
  kind: Type.Enum(["peer", "address"]),
  sinceMs: TimeMs,
  untilMs: TimeMs,
  reason: Type.String(),
  byHand: Type.Boolean({ description: "false: for too many faults" }),
});
export type Ban = Type.Static<typeof Ban>;
export const BanList = ListOf(Ban);
export const BanRequest = Strict({
  /** Default 24 hours. */
  forMs: Type.Optional(
    Type.Integer({
      minimum: 1_000,
      maximum: MAX_BAN_MS,
      description: `a time in ms: an integer from 1000 to ${MAX_BAN_MS} (365 days)`,
    }),
  ),
  reason: Type.Optional(
    Type.String({ pattern: "^[^\\p{C}]{1,200}$", description: "a text of 1 to 200 characters on one line" }),
  ),
});
export type BanRequest = Type.Static<typeof BanRequest>;
