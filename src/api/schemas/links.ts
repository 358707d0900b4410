import Type from "typebox";
import { ListOf, PeerName, Strict, TimeMs } from "./common.ts";

/** Longest delay of a link: beyond it nothing answers in time anyway. */
const MAX_LINK_DELAY_MS = 60_000;
/** Ten times what one connection moves on one machine. */
const MAX_BYTES_PER_SECOND = 2_500_000_000;
/** A timer of Node.js cannot wait for longer than 24 days. */
const MAX_LINK_FOR_MS = 7 * 24 * 60 * 60_000;

const shapeMs = (what: string) =>
  Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: MAX_LINK_DELAY_MS,
      description: `${what} in ms: a number from 0 to ${MAX_LINK_DELAY_MS}`,
    }),
  );

/** What a line does to the bytes of one direction; what is absent is whole. docs/networking.md says what is modelled. */
export const Shape = Strict({
  delayMs: shapeMs("a delay"),
  /** Each piece is delayed by up to so much more or less; none overtakes another. */
  jitterMs: shapeMs("a jitter"),
  /** Of segments of 1,448 bytes. A lost one is late by a retransmission; with 1, nothing arrives. */
  lossRatio: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: "a share of lost segments: a number from 0 to 1" }),
  ),
  bytesPerSecond: Type.Optional(
    Type.Number({
      minimum: 1,
      maximum: MAX_BYTES_PER_SECOND,
      description: `bytes a second: a number from 1 to ${MAX_BYTES_PER_SECOND}`,
    }),
  ),
  /** Nothing arrives, and nobody is told: as a cable that was pulled. */
  blackhole: Type.Optional(Type.Boolean({ description: "true or false" })),
});
export type Shape = Type.Static<typeof Shape>;

export const ForMs = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: MAX_LINK_FOR_MS,
    description: `a time in ms: an integer from 1 to ${MAX_LINK_FOR_MS} (7 days)`,
  }),
);

/** Replaces all that the link was before. `out`: what is sent to the peer; `in`: what is read from it. */
export const LinkRequest = Type.Union([
  Strict({ mode: Type.Literal("refuse"), forMs: ForMs }),
  Strict({ mode: Type.Literal("shape"), out: Type.Optional(Shape), in: Type.Optional(Shape), forMs: ForMs }),
]);
export type LinkRequest = Type.Static<typeof LinkRequest>;

const Direction = Type.Union([Shape, Type.Null()], { description: "null where it is whole" });
/** `untilMs`: when it becomes whole by itself. */
export const Link = Strict({
  peer: PeerName,
  mode: Type.Enum(["refuse", "shape"]),
  out: Direction,
  in: Direction,
  untilMs: Type.Union([TimeMs, Type.Null()]),
});
export type Link = Type.Static<typeof Link>;
export const LinkList = ListOf(Link);
