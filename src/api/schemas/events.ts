import Type from "typebox";
import { BlockState, Reorg } from "./chain.ts";
import { Height, Id, PeerName, Strict, Work } from "./common.ts";
import { Head } from "./status.ts";
import { Fate } from "./transactions.ts";

/** The data of each kind of event. Nothing is told in the middle of a reorg: events come when it has ended. */
export const NodeEvents = {
  /** The head moved. */
  head: Head,
  /** The head moved to another branch; comes before the `head` event it explains. */
  reorg: Reorg,
  /** A block with its full data was added to the tree, on any branch. */
  block: Strict({ id: Id, height: Height, parent: Id, work: Work, state: BlockState }),
  /** A transaction's fate changed. */
  tx: Strict({ id: Id, fate: Fate }),
  peer: Strict({
    peer: PeerName,
    connected: Type.Boolean(),
    reason: Type.Union([Type.String(), Type.Null()]),
  }),
} as const;

export type NodeEventType = keyof typeof NodeEvents;
export type NodeEvent = {
  [Name in NodeEventType]: { readonly type: Name; readonly data: Type.Static<(typeof NodeEvents)[Name]> };
}[NodeEventType];
