import Type from "typebox";
import { MAX_AMOUNT } from "../../primitives/index.ts";

// A description finishes the sentence "X must be ..."; error messages are made from it.

export const Id = Type.String({ pattern: "^[0-9a-f]{64}$", description: "64 lowercase hex digits" });
export const Height = Type.Integer({
  minimum: 0,
  maximum: MAX_AMOUNT,
  description: "a height: an integer from 0",
});
/** Base units. */
export const Amount = Type.Integer({
  minimum: 0,
  maximum: MAX_AMOUNT,
  description: "an amount in base units: an integer from 0 to 2^53 - 1",
});
export const Count = Type.Integer({ minimum: 0, maximum: MAX_AMOUNT, description: "an integer from 0" });
export const Rate = Type.Number({ minimum: 0, description: "a number from 0" });
/** Unix ms. */
export const TimeMs = Type.Integer({ minimum: 0, maximum: MAX_AMOUNT, description: "a Unix time in ms" });
/** Cumulative work or difficulty: expected hashes, in hex without padding. */
export const Work = Type.String({ pattern: "^(0|[1-9a-f][0-9a-f]*)$", description: "hex without padding" });
export const Address = Type.String({
  pattern: "^cum1[02-9ac-hj-np-z]{58}$",
  description: "an address: cum1 and 58 characters",
});
export const PeerName = Type.String({
  pattern: "^[1-9A-HJ-NP-Za-km-z]{20,80}$",
  description: "a peer's name",
});
export const Multiaddr = Type.String({
  pattern:
    "^/(ip4|ip6|dns|dns4|dns6)/[0-9A-Za-z.:_-]{1,253}/tcp/[0-9]{1,5}(/p2p/[1-9A-HJ-NP-Za-km-z]{20,80})?$",
  description: "a multiaddr such as /ip4/127.0.0.1/tcp/4001 or /ip4/127.0.0.1/tcp/4001/p2p/PEER",
});
/** Opaque position in a list; hand it back as it came. */
export const Cursor = Type.String({
  pattern: "^[0-9a-zA-Z_-]{1,80}$",
  description: "a `next` value from the page before",
});

/** An object that refuses unknown keys, as every object of this API does. */
export const Strict = <Properties extends Type.TProperties>(properties: Properties, description?: string) =>
  Type.Object(properties, {
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  });

/** For routes that take none. */
export const NoQuery = Strict({});

/** One page of a list. `next` is null on the last one. */
export const ListOf = <Item extends Type.TSchema>(item: Item) =>
  Strict({ items: Type.Array(item), next: Type.Union([Cursor, Type.Null()]) });

export interface Page<Item> {
  readonly items: Item[];
  readonly next: string | null;
}

/**
 * How every failure is told. `message` is one sentence for people, `code` never changes its meaning. `details` has what a
 * program could want of the sentence, and may be empty; see `ERROR_DETAILS`.
 */
export const ErrorBody = Strict({
  code: Type.String({ pattern: "^[A-Z0-9_-]+$", description: "an error code" }),
  message: Type.String(),
  details: Type.Record(Type.String(), Type.Unknown()),
});
/** For OpenAPI: the keys of `details` by code. */
export const ERROR_DETAILS = [
  "REQUEST_INVALID: at (where in the request, empty for all of it), value (if it is short), minimum, maximum, minItems, maxItems, pattern, allowed, unknown",
  "METHOD_NOT_ALLOWED: method, allowed",
  "CONTENT_TYPE_UNSUPPORTED: allowed",
  "ADDRESS_INVALID, ADDRESS_LOCAL, PEER_INVALID, BAD_CURSOR: at, value",
  "BODY_TOO_LARGE: maxBytes",
  "ROUTE_NOT_FOUND: path",
  "ACCOUNT_NOT_FOUND: address; BLOCK_NOT_FOUND: block; TRANSACTION_NOT_FOUND: id; PEER_NOT_FOUND: peer",
  "ID_AMBIGUOUS: matches",
  "MINING_TIMEOUT: blocks (ids of those mined in time)",
].join(". ");
export type ErrorBody = Type.Static<typeof ErrorBody>;

/** A block by name: enough to compare branches. `work` is cumulative. */
export const BlockRef = Strict({ id: Id, height: Height, work: Work });
export type BlockRef = Type.Static<typeof BlockRef>;
