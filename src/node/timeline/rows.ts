import type { Arrival, TimelineEntry, TimelineType } from "../../api/index.ts";
import type { TransactionHappening } from "../../mempool/index.ts";
import type { KeyRange } from "../../ports/index.ts";
import { type BlockId, hexToBytes, type TxId } from "../../primitives/index.ts";

/** The tables of the timeline's store; docs/protocol.md, "Timeline", says the same in words. */
const TABLES = {
  /** name -> what the store is of. */
  meta: "m",
  /** sequence -> entry. */
  entries: "e",
  /** block id -> when it came. */
  arrivals: "a",
  /** generation, txid -> what happened to a transaction. */
  lives: "t",
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SEQUENCE_KEY_BYTES = 9;

const table = (name: keyof typeof TABLES): number => TABLES[name].charCodeAt(0);

export const metaKey = (name: string): Uint8Array => encoder.encode(TABLES.meta + name);

/** Numbers are big-endian, so that the store's order is the timeline's. */
export function entryKey(sequence: number): Uint8Array {
  const key = new Uint8Array(SEQUENCE_KEY_BYTES);
  key[0] = table("entries");
  new DataView(key.buffer).setBigUint64(1, BigInt(sequence));
  return key;
}

/** Undefined where the key is damaged. */
export function sequenceOf(key: Uint8Array): number | undefined {
  if (key.length !== SEQUENCE_KEY_BYTES) return undefined;
  const sequence = Number(new DataView(key.buffer, key.byteOffset).getBigUint64(1));
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}

/** Of entries from `from` to `to`, both inclusive. */
export const entryRange = (from: number, to: number): Pick<KeyRange, "gte" | "lt"> => ({
  gte: entryKey(from),
  lt: entryKey(to + 1),
});
export const allEntries: Pick<KeyRange, "gte" | "lt"> = {
  gte: Uint8Array.of(table("entries")),
  lt: Uint8Array.of(table("entries") + 1),
};

export function arrivalKey(id: BlockId): Uint8Array {
  const key = new Uint8Array(33);
  key[0] = table("arrivals");
  key.set(hexToBytes(id), 1);
  return key;
}

const LIFE_KEY_BYTES = 1 + 4 + 32;

export function lifeKey(generation: number, txid: TxId): Uint8Array {
  const key = new Uint8Array(LIFE_KEY_BYTES);
  key[0] = table("lives");
  new DataView(key.buffer).setUint32(1, generation);
  key.set(hexToBytes(txid), 5);
  return key;
}

/** Of generations from `from` (inclusive) to `to` (exclusive). */
export function lifeRange(from: number, to: number): Pick<KeyRange, "gte" | "lt"> {
  const start = (generation: number): Uint8Array => lifeKey(generation, "").subarray(0, 5);
  return { gte: start(from), lt: start(to) };
}

export function encodeLife(
  happenings: readonly TransactionHappening[],
  transaction: string | undefined,
): Uint8Array {
  return encoder.encode(JSON.stringify({ happenings, transaction }));
}

/** Undefined where the row is damaged. */
export function decodeLife(
  row: Uint8Array,
): { readonly happenings: TransactionHappening[]; readonly transaction?: string } | undefined {
  const life = parsed(row) as ReturnType<typeof decodeLife>;
  const isLife =
    Array.isArray(life?.happenings) &&
    life.happenings.every((one) => typeof one?.what === "string" && typeof one.timeMs === "number") &&
    (life.transaction === undefined || /^([0-9a-f]{2})+$/.test(life.transaction));
  return isLife ? life : undefined;
}

/** An entry before it has its number. */
export type NewEntry = {
  [Name in TimelineType]: Omit<Extract<TimelineEntry, { type: Name }>, "sequence">;
}[TimelineType];

export const encodeEntry = ({ timeMs, type, data }: NewEntry): Uint8Array =>
  encoder.encode(JSON.stringify({ timeMs, type, data }));

/** Undefined where the row is damaged. */
export function decodeEntry(sequence: number, row: Uint8Array): TimelineEntry | undefined {
  const entry = parsed(row) as NewEntry | undefined;
  const isEntry =
    typeof entry?.timeMs === "number" && typeof entry.type === "string" && typeof entry.data === "object";
  return isEntry ? ({ sequence, ...entry } as TimelineEntry) : undefined;
}

export function encodeArrival({ headerMs, headerPeer, bodyMs, bodyPeer, via }: Arrival): Uint8Array {
  return encoder.encode(JSON.stringify([headerMs, headerPeer, bodyMs, bodyPeer, via]));
}

/** Undefined where the row is damaged. */
export function decodeArrival(row: Uint8Array): Arrival | undefined {
  const fields = parsed(row);
  if (!Array.isArray(fields) || fields.length !== 5) return undefined;
  const [headerMs, headerPeer, bodyMs, bodyPeer, via] = fields;
  return { headerMs, headerPeer, bodyMs, bodyPeer, via };
}

function parsed(row: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(row)) ?? undefined;
  } catch {
    return undefined;
  }
}
