import Type from "typebox";
import { PeerName, Strict, TimeMs } from "./common.ts";

/** Who sent it; null for what was made here. */
export const Sender = Type.Union([PeerName, Type.Null()]);
export const Via = Type.Enum(["gossip", "sync", "mined", "recovery"], {
  description: "gossip, sync, mined or recovery (executed again after a crash)",
});

/** When a block came, by this node's clock. */
export const Arrival = Strict({
  /** Its header was here for the first time. */
  headerMs: TimeMs,
  headerPeer: Sender,
  /** All of it was here; null while only the header is. */
  bodyMs: Type.Union([TimeMs, Type.Null()]),
  bodyPeer: Sender,
  /** How the header came. */
  via: Via,
});
export type Arrival = Type.Static<typeof Arrival>;
