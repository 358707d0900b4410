import { ContainerType } from "@chainsafe/ssz";
import type { AccountKey } from "../ledger/index.ts";
import type { KeyRange } from "../ports/index.ts";
import {
  type BlockId,
  Bytes32,
  bytesToHex,
  hexToBytes,
  type TxId,
  Uint8,
  Uint64,
} from "../primitives/index.ts";

/**
 * The tables of the history's store, which is apart from the chain's; docs/protocol.md, "History index", says the same
 * in words. `m` and `s` are as in the chain's store: see `schema.ts` and `journal.ts`.
 */
const TABLES = {
  /** account key, height, position in the block -> what happened. */
  entries: "e",
  /** height -> block id and time of an indexed block. */
  heights: "n",
} as const;

const HISTORY_DIRECTIONS = ["in", "out", "self", "reward", "allocation"] as const;
export type HistoryDirection = (typeof HISTORY_DIRECTIONS)[number];

/** Where an entry stands: the newest is the highest. */
export interface HistoryPosition {
  readonly height: number;
  /** Of the transaction in its block; `REWARD_POSITION` for the reward, which comes last. */
  readonly position: number;
}

export const REWARD_POSITION = 2 ** 32 - 1;

/** What happened to one account. Of rewards and allocations there is no transaction and no counterpart. */
export interface HistoryEntry {
  readonly direction: HistoryDirection;
  readonly transaction: TxId | undefined;
  readonly counterpart: AccountKey | undefined;
  /** Base units: what was transferred, or came as a reward with fees. */
  readonly amount: number;
  /** Base units, paid by the sender beside the amount. */
  readonly fee: number;
}

const KEY_BYTES = 1 + 32 + 8 + 4;
const HEIGHT_AT = 33;
const POSITION_AT = 41;

/** Numbers are big-endian, so that the store's order is the chain's. */
export function entryKey(account: AccountKey, { height, position }: HistoryPosition): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  key[0] = TABLES.entries.charCodeAt(0);
  key.set(hexToBytes(account), 1);
  const view = new DataView(key.buffer);
  view.setBigUint64(HEIGHT_AT, BigInt(height));
  view.setUint32(POSITION_AT, position);
  return key;
}

export function positionOf(key: Uint8Array): HistoryPosition {
  const view = new DataView(key.buffer, key.byteOffset);
  return { height: Number(view.getBigUint64(HEIGHT_AT)), position: view.getUint32(POSITION_AT) };
}

/** The entries of one account, all, or those older than a position; newest first. */
export function entriesBefore(account: AccountKey, before: HistoryPosition | undefined): KeyRange {
  const gte = entryKey(account, { height: 0, position: 0 });
  // No block has this height: heights are below 2^53.
  const lt = entryKey(account, before ?? { height: 2 ** 63, position: 0 });
  return { gte, lt, reverse: true };
}

export function heightKey(height: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = TABLES.heights.charCodeAt(0);
  new DataView(key.buffer).setBigUint64(1, BigInt(height));
  return key;
}

const EntrySsz = new ContainerType({
  direction: Uint8,
  transaction: Bytes32,
  counterpart: Bytes32,
  amount: Uint64,
  fee: Uint64,
});
const NOTHING = new Uint8Array(32);

export function encodeEntry({ direction, transaction, counterpart, amount, fee }: HistoryEntry): Uint8Array {
  return EntrySsz.serialize({
    direction: HISTORY_DIRECTIONS.indexOf(direction),
    transaction: transaction === undefined ? NOTHING : hexToBytes(transaction),
    counterpart: counterpart === undefined ? NOTHING : hexToBytes(counterpart),
    amount,
    fee,
  });
}

export function decodeEntry(bytes: Uint8Array): HistoryEntry {
  const { direction: number, transaction, counterpart, amount, fee } = EntrySsz.deserialize(bytes);
  const direction = HISTORY_DIRECTIONS[number];
  if (direction === undefined) throw new RangeError(`direction ${number} is unknown`);
  const isTransfer = direction === "in" || direction === "out" || direction === "self";
  return {
    direction,
    transaction: isTransfer ? bytesToHex(transaction) : undefined,
    counterpart: isTransfer ? bytesToHex(counterpart) : undefined,
    amount,
    fee,
  };
}

const HeightSsz = new ContainerType({ block: Bytes32, timestampMs: Uint64 });

/** A block as its entries name it. */
export interface IndexedBlock {
  readonly block: BlockId;
  readonly timestampMs: number;
}

export function encodeHeight({ block, timestampMs }: IndexedBlock): Uint8Array {
  return HeightSsz.serialize({ block: hexToBytes(block), timestampMs });
}

export function decodeHeight(bytes: Uint8Array): IndexedBlock {
  const { block, timestampMs } = HeightSsz.deserialize(bytes);
  return { block: bytesToHex(block), timestampMs };
}
