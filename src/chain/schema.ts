import { ByteListType, ByteVectorType, ContainerType } from "@chainsafe/ssz";
import type { BlockStatus } from "../consensus/index.ts";
import type { AccountKey, AccountRecord, ChangedPage, LedgerTotals, PageNumber } from "../ledger/index.ts";
import type { KeyRange, Write } from "../ports/index.ts";
import {
  type BlockId,
  Bytes32,
  bytesToHex,
  HEADER_BYTES,
  hexToBytes,
  setHex,
  setUint32,
  setUint64,
  type TxId,
  Uint8,
  Uint32,
  Uint64,
} from "../primitives/index.ts";

/**
 * The tables of the database: one letter, then the key. The only place that knows them; docs/protocol.md, "Database",
 * says the same in words. A change here needs a new `SCHEMA_VERSION` and a migration.
 */
export const TABLES = {
  /** name -> bytes: schema version, chain id, head, head last published, totals, rebuild mark. */
  meta: "m",
  /** block id -> StoredBlock: header, arrival, status. */
  blocks: "h",
  /** block id -> serialized body. */
  bodies: "b",
  /** block id -> undo data, for connected blocks. */
  undo: "u",
  /** txid -> place in the best chain. */
  transactions: "t",
  /** account index -> key, balance, nonce. */
  accounts: "i",
  /** account key -> index. */
  accountIndices: "k",
  /** page of the state tree -> its children. */
  pages: "p",
  /** height of a base, account index -> key, balance, nonce as they were there. */
  baseAccounts: "c",
  /** number -> reorg record as JSON. */
  reorgs: "r",
  /** block id -> 1: invalidated by the operator. */
  marks: "x",
  /** sequence number -> link of the chain of batches. */
  batches: "s",
} as const;
export type Table = keyof typeof TABLES;

export const SCHEMA_VERSION = 3;

/** Tables that follow from the stored blocks and the head; a rebuild wipes and refills them. */
export const DERIVED_TABLES: readonly Table[] = [
  "undo",
  "transactions",
  "accounts",
  "accountIndices",
  "pages",
];

const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function tableKey(table: Table, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + key.length);
  bytes[0] = TABLES[table].charCodeAt(0);
  bytes.set(key, 1);
  return bytes;
}

/** For keys that are ids or accounts; a sync makes some for each transaction. */
function hexKey(table: Table, hex: string): Uint8Array {
  const bytes = new Uint8Array(1 + hex.length / 2);
  bytes[0] = TABLES[table].charCodeAt(0);
  setHex(bytes, 1, hex);
  return bytes;
}

/** Big-endian, for numbers below 2^32. */
function uint32Key(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Big-endian, so that the store's order is the numbers' order. */
function uint64Key(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value >>> 0);
  return bytes;
}

export function numberFromKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset + 1);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** Names in the table `meta` of a chain's database. */
export const META_NAMES = [
  "schema",
  "chain",
  "head",
  "published",
  "totals",
  "rebuild",
  "reindex",
  "base",
  "pruned",
] as const;
/** The history index, a database of its own, has `firstHeight` too. */
export type MetaName = (typeof META_NAMES)[number] | "firstHeight";

export const keys = {
  meta: (name: MetaName): Uint8Array => tableKey("meta", textBytes(name)),
  block: (id: BlockId): Uint8Array => hexKey("blocks", id),
  body: (id: BlockId): Uint8Array => hexKey("bodies", id),
  undo: (id: BlockId): Uint8Array => hexKey("undo", id),
  transaction: (txid: TxId): Uint8Array => hexKey("transactions", txid),
  account: (index: number): Uint8Array => tableKey("accounts", uint32Key(index)),
  accountIndex: (key: AccountKey): Uint8Array => hexKey("accountIndices", key),
  baseAccount: (height: number, index: number): Uint8Array =>
    tableKey("baseAccounts", Uint8Array.of(...uint64Key(height), ...uint32Key(index))),
  page: (page: PageNumber): Uint8Array => tableKey("pages", uint32Key(page)),
  mark: (id: BlockId): Uint8Array => hexKey("marks", id),
  reorg: (number: number): Uint8Array => tableKey("reorgs", uint64Key(number)),
  batch: (sequence: number): Uint8Array => tableKey("batches", uint64Key(sequence)),
};

/** The whole of one table. */
export function tableRange(table: Table): KeyRange {
  const letter = TABLES[table].charCodeAt(0);
  return { gte: Uint8Array.of(letter), lt: Uint8Array.of(letter + 1) };
}

/** A table cut before each of some of its keys, which ascend. */
export function partsOfTable(table: Table, bounds: readonly Uint8Array[]): KeyRange[] {
  const { gte, lt } = tableRange(table);
  const edges = [gte, ...bounds, lt];
  return edges.slice(1).map((edge, i) => ({ gte: edges[i] ?? gte, lt: edge }));
}

const MAX_SOURCE_BYTES = 128;
const STATUSES: readonly BlockStatus[] = ["stored", "valid", "invalid"];
const StoredBlockSsz = new ContainerType({
  header: new ByteVectorType(HEADER_BYTES),
  arrival: Uint64,
  status: Uint8,
  transactions: Uint32,
  bodyBytes: Uint32,
  receivedMs: Uint64,
  source: new ByteListType(MAX_SOURCE_BYTES),
  refusal: new ByteListType(16),
});

/** What is kept of a block beside its body. */
export interface StoredBlock {
  /** The serialized header. */
  readonly header: Uint8Array;
  readonly arrival: number;
  readonly status: BlockStatus;
  readonly transactions: number;
  /** Size of the serialized body. */
  readonly bodyBytes: number;
  /** Unix ms when the complete block was here. */
  readonly receivedMs: number;
  /** The peer it came from, or "local". */
  readonly source: string;
  /** The rule it broke, where it is the first invalid block of its branch; else empty. */
  readonly refusal: string;
}

export function encodeStoredBlock(block: StoredBlock): Uint8Array {
  return StoredBlockSsz.serialize({
    ...block,
    status: STATUSES.indexOf(block.status),
    // Cut in bytes: encoding does not look at limits, and a row that cannot be decoded stops every later start.
    source: textBytes(block.source).subarray(0, MAX_SOURCE_BYTES),
    refusal: textBytes(block.refusal),
  });
}

export function decodeStoredBlock(bytes: Uint8Array): StoredBlock {
  const value = StoredBlockSsz.deserialize(bytes);
  const status = STATUSES[value.status];
  if (status === undefined) throw new RangeError(`block status ${value.status} is unknown`);
  const text = (part: Uint8Array): string => new TextDecoder().decode(part);
  return { ...value, status, source: text(value.source), refusal: text(value.refusal) };
}

/** `accounts` from `from` on, up to `until`. */
export function accountRange(from: number, until: number): KeyRange {
  const { lt } = tableRange("accounts");
  return { gte: keys.account(from), lt: until >= 2 ** 32 ? lt : keys.account(until) };
}

/** The copy of the accounts at a height. */
export function baseRange(height: number): KeyRange {
  return { gte: keys.baseAccount(height, 0), lt: keys.baseAccount(height + 1, 0) };
}

/** Copies of the accounts at other heights; at any, where none is given. */
export function otherBases(height: number | undefined): KeyRange[] {
  const { gte, lt } = tableRange("baseAccounts");
  if (height === undefined) return [{ gte, lt }];
  return [
    { gte, lt: keys.baseAccount(height, 0) },
    { gte: keys.baseAccount(height + 1, 0), lt },
  ];
}

const AccountRowSsz = new ContainerType({ key: Bytes32, balance: Uint64, nonce: Uint64 });
const ACCOUNT_ROW_BYTES = 48;

export function encodeAccountRow({ key, balance, nonce }: AccountRecord): Uint8Array {
  // By hand, as each batch of a sync has some thousand of them.
  const bytes = new Uint8Array(ACCOUNT_ROW_BYTES);
  setHex(bytes, 0, key);
  setUint64(bytes, 32, balance);
  setUint64(bytes, 40, nonce);
  return bytes;
}

/** `rowKey`: the row's whole key in the store, which has the index. */
export function decodeAccountRow(rowKey: Uint8Array, bytes: Uint8Array): AccountRecord {
  const { key, balance, nonce } = AccountRowSsz.deserialize(bytes);
  return { index: uint32At(rowKey, 1), key: bytesToHex(key), balance, nonce };
}

/** The same row in the copy of a base, whose key has the height before the index. */
export function decodeBaseRow(rowKey: Uint8Array, bytes: Uint8Array): AccountRecord {
  return decodeAccountRow(rowKey.subarray(8), bytes);
}

export function encodeAccountIndex(index: number): Uint8Array {
  return uint32Key(index);
}

/** Accounts and changed pages of their tree, all as rows that are not there yet. */
export function stateWrites(accounts: readonly AccountRecord[], pages: readonly ChangedPage[]): Write[] {
  return [
    ...accounts.flatMap((account) => [
      { key: keys.account(account.index), value: encodeAccountRow(account) },
      { key: keys.accountIndex(account.key), value: encodeAccountIndex(account.index) },
    ]),
    ...pages.map(({ page, children }) => ({ key: keys.page(page), value: children })),
  ];
}

export function decodeAccountIndex(bytes: Uint8Array): number {
  return uint32At(bytes, 0);
}

const uint32At = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);

const TotalsSsz = new ContainerType({ accounts: Uint64, issued: Uint64, burned: Uint64 });

export function encodeTotals(totals: LedgerTotals): Uint8Array {
  return TotalsSsz.serialize(totals);
}

export function decodeTotals(bytes: Uint8Array): LedgerTotals {
  return TotalsSsz.deserialize(bytes);
}

/** Where a replay begins instead of genesis: the state after a block of the best chain, all of it in a copy. */
export interface Base {
  readonly block: BlockId;
  readonly height: number;
  readonly totals: LedgerTotals;
}
const BaseSsz = new ContainerType({
  block: Bytes32,
  height: Uint64,
  accounts: Uint64,
  issued: Uint64,
  burned: Uint64,
});

export function encodeBase({ block, height, totals }: Base): Uint8Array {
  return BaseSsz.serialize({ block: hexToBytes(block), height, ...totals });
}

export function decodeBase(bytes: Uint8Array): Base {
  const { block, height, ...totals } = BaseSsz.deserialize(bytes);
  return { block: bytesToHex(block), height, totals };
}

/** Where a transaction stands in the best chain. */
export interface TransactionPlace {
  readonly block: BlockId;
  readonly index: number;
}
const PlaceSsz = new ContainerType({ block: Bytes32, index: Uint32 });
const PLACE_BYTES = 36;

export function encodePlace(block: Uint8Array, index: number): Uint8Array {
  // By hand: a sync writes one for each transaction.
  const bytes = new Uint8Array(PLACE_BYTES);
  bytes.set(block);
  setUint32(bytes, 32, index);
  return bytes;
}

export function decodePlace(bytes: Uint8Array): TransactionPlace {
  const { block, index } = PlaceSsz.deserialize(bytes);
  return { block: bytesToHex(block), index };
}

const BatchLinkSsz = new ContainerType({ link: Bytes32, head: Bytes32, sizeBytes: Uint32 });

/** One link of the chain of batches: see `journal.ts`. */
export interface BatchLink {
  /** SHA-256 of the link before, the sequence number and the head. */
  readonly link: Uint8Array;
  /** The head once this batch is applied. */
  readonly head: Uint8Array;
  /** Bytes of keys and values in the batch. */
  readonly sizeBytes: number;
}

export function encodeBatchLink(link: BatchLink): Uint8Array {
  return BatchLinkSsz.serialize(link);
}

export function decodeBatchLink(bytes: Uint8Array): BatchLink {
  return BatchLinkSsz.deserialize(bytes);
}
