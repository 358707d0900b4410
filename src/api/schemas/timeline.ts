import Type from "typebox";
import { Sender, Via } from "./arrival.ts";
import { Address, BlockRef, Count, Cursor, Height, Id, PeerName, Strict, TimeMs, Work } from "./common.ts";
import { Link } from "./links.ts";
import { Head } from "./status.ts";

/** Entries on one page. */
export const MAX_TIMELINE_PAGE = 5_000;

/** Of a link that is as the network makes it again. */
export const WholeLink = Strict({ peer: PeerName, mode: Type.Literal("whole") });
export type WholeLink = Type.Static<typeof WholeLink>;

const header = {
  id: Id,
  height: Height,
  parent: Id,
  work: Work,
  difficulty: Work,
  timestampMs: TimeMs,
  proposer: Address,
  peer: Sender,
  via: Via,
};

/**
 * What a node notes of blocks and peers, by kind. A block's entries come in this order: `header`, `block`, and where the
 * best chain changes `reorg` and `head`.
 */
export const TimelineData = {
  /** The node was started. `run` is what ids of its event stream begin with. */
  start: Strict({ run: Type.String(), head: BlockRef, version: Type.String() }),
  /** It was asked to end, and did; a node that was killed leaves none. */
  stop: Strict({ reason: Type.String() }),
  /** A header with its work done, and a place on the chain, was here for the first time; `timeMs` says when. */
  header: Strict(header),
  /** A block was whole and judged. */
  block: Strict({
    ...header,
    state: Type.Enum(["best", "side", "invalid"]),
    /** Why an invalid block is invalid: a rule code. */
    rule: Type.Optional(Type.String()),
    transactions: Count,
    sizeBytes: Count,
    /** When all of it was here; `timeMs` is when it had been judged and stored. */
    receivedMs: TimeMs,
  }),
  /** The head moved. */
  head: Strict({ ...Head.properties, mempool: Strict({ transactions: Count, bytes: Count }) }),
  /** The head moved to another branch; the record by that id is in `GET /v1/reorgs`. */
  reorg: Strict({
    reorg: Type.String({ description: "id of the record" }),
    oldHead: BlockRef,
    newHead: BlockRef,
    forkPoint: BlockRef,
    depth: Count,
    receivedMs: TimeMs,
    durationMs: Type.Number({ minimum: 0 }),
  }),
  peer: Strict({
    peer: PeerName,
    connected: Type.Boolean(),
    reason: Type.Union([Type.String(), Type.Null()]),
  }),
  /** What the link conditioner does to a peer's connections from now on. */
  link: Type.Union([Link, WholeLink]),
} as const;

export type TimelineType = keyof typeof TimelineData;
export const TIMELINE_TYPES = Object.keys(TimelineData) as readonly TimelineType[];
export type TimelineDataOf<Name extends TimelineType> = Type.Static<(typeof TimelineData)[Name]>;

const place = {
  /** Counts up from 1 without a gap as long as the data directory lives. */
  sequence: Type.Integer({ minimum: 1, description: "an integer from 1" }),
  /** By the node's own clock. */
  timeMs: TimeMs,
};
const entryOf = <Name extends TimelineType>(type: Name) =>
  Strict({ ...place, type: Type.Literal(type), data: TimelineData[type] });

/** One thing a node noted. */
export const TimelineEntry = Type.Union([
  entryOf("start"),
  entryOf("stop"),
  entryOf("header"),
  entryOf("block"),
  entryOf("head"),
  entryOf("reorg"),
  entryOf("peer"),
  entryOf("link"),
]);
/** The same as the schema says, written so that `type` tells which `data` it is. */
export type TimelineEntry = {
  [Name in TimelineType]: {
    readonly sequence: number;
    readonly timeMs: number;
    readonly type: Name;
    readonly data: TimelineDataOf<Name>;
  };
}[TimelineType];

export const TimelineOrder = Type.Enum(["oldest", "newest"], { description: "oldest or newest (first)" });
export type TimelineOrder = Type.Static<typeof TimelineOrder>;

export const TimelineQuery = Strict({
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_TIMELINE_PAGE,
      description: `an integer from 1 to ${MAX_TIMELINE_PAGE}`,
    }),
  ),
  /** Also the `sequence` of any entry: those that come after it in the order asked for. */
  after: Type.Optional(Cursor),
  order: Type.Optional(TimelineOrder),
});
export type TimelineQuery = Type.Static<typeof TimelineQuery>;

export const TimelinePage = Strict({
  items: Type.Array(TimelineEntry),
  /** Null where there is nothing more. */
  next: Type.Union([Cursor, Type.Null()]),
  /** The oldest entry that is kept, and the newest; both 0 before the first. */
  firstSequence: Count,
  lastSequence: Count,
});
export interface TimelinePage {
  readonly items: TimelineEntry[];
  readonly next: string | null;
  readonly firstSequence: number;
  readonly lastSequence: number;
}
