import Type from "typebox";
import { Reorg } from "./chain.ts";
import { Count, Id, Strict, TimeMs } from "./common.ts";
import { Link } from "./links.ts";
import { TimelineData, WholeLink } from "./timeline.ts";
import { Fate } from "./transactions.ts";

const stamp = {
  /** By the node's own clock. */
  timeMs: TimeMs,
  /** Of the timeline's entry; null for what is not in it, or where the node keeps none. */
  sequence: Type.Union([Count, Type.Null()]),
};
const stamped = <Properties extends Type.TProperties>({ properties }: Type.TObject<Properties>) =>
  Strict({ ...properties, ...stamp });

/**
 * The data of each kind of event: that of the timeline's entry with its time and number. Nothing is told in the middle of
 * a reorg: events come when it has ended.
 */
export const NodeEvents = {
  /** The head moved. */
  head: stamped(TimelineData.head),
  /** The head moved to another branch: the whole record; comes before the `head` event it explains. */
  reorg: stamped(Reorg),
  /** A header was here for the first time. */
  header: stamped(TimelineData.header),
  /** A block with its full data was judged, on any branch. */
  block: stamped(TimelineData.block),
  /** A transaction's fate changed. */
  tx: stamped(Strict({ id: Id, fate: Fate })),
  peer: stamped(TimelineData.peer),
  link: Type.Union([stamped(Link), stamped(WholeLink)]),
} as const;

export type NodeEventType = keyof typeof NodeEvents;
export const NODE_EVENT_TYPES = Object.keys(NodeEvents) as readonly NodeEventType[];
export type NodeEvent = {
  [Name in NodeEventType]: { readonly type: Name; readonly data: Type.Static<(typeof NodeEvents)[Name]> };
}[NodeEventType];

/** What a stream says of itself, in events of its own. Their ids are as good for a resume as any. */
export const StreamNoteSchemas = {
  /** The first event for a client that came without Last-Event-ID: what happens from here on follows. */
  start: Strict({ run: Type.String({ description: "this start of the node; ids begin with it" }) }),
  /** The first event for one whose Last-Event-ID cannot be gone on from: events were missed; read the present state. */
  gap: Strict({
    run: Type.String(),
    reason: Type.Enum(["restarted", "too-old", "unknown-id"], {
      description:
        "restarted: the id is of an earlier start of the node. too-old: what came after it is not kept any more",
    }),
  }),
  /** The last event, where the node ends the stream. */
  end: Strict({
    code: Type.Enum(["STREAM_TOO_SLOW", "EVENTS_MISSED", "NODE_STOPS"]),
    message: Type.String(),
  }),
} as const;
export type StreamNotes = {
  [Name in keyof typeof StreamNoteSchemas]: Type.Static<(typeof StreamNoteSchemas)[Name]>;
};

/** Kinds of events asked for, apart by commas. */
export const EventsQuery = Strict({
  kinds: Type.Optional(
    Type.String({
      pattern: `^(${NODE_EVENT_TYPES.join("|")})(,(${NODE_EVENT_TYPES.join("|")})){0,${NODE_EVENT_TYPES.length - 1}}$`,
      description: `kinds of events apart by commas, of ${NODE_EVENT_TYPES.join(", ")}`,
    }),
  ),
});
export type EventsQuery = Type.Static<typeof EventsQuery>;
