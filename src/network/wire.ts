import { ByteListType, ByteVectorType, ContainerType, ListCompositeType, UnionType } from "@chainsafe/ssz";
import {
  type BlockId,
  Bytes32,
  bytesToHex,
  compareBytes,
  concatBytes,
  decodeHeader,
  decodeOr,
  decodeTransaction,
  equalBytes,
  getUint32,
  HEADER_BYTES,
  hexToBytes,
  type Leaf,
  LeavesSsz,
  MAX_BLOCK_BYTES,
  MAX_BLOCK_TRANSACTIONS,
  MAX_ENGINE_DATA_BYTES,
  MAX_TRANSACTION_BYTES,
  type SealedHeader,
  type SealedTransaction,
  setUint32,
  Uint32,
  Uint64,
  Uint256,
  ZERO_32,
} from "../primitives/index.ts";

/**
 * What goes over the wire, byte for byte: docs/protocol.md. Every decoder gives the value or `undefined`, never throws,
 * and accepts exactly one encoding of each value: encode(decode(bytes)) = bytes. Hex ids outside, 32 bytes on the wire.
 */

export const MAX_LOCATOR_IDS = 64;
export const MAX_HEADERS_PER_RESPONSE = 2_000;
export const MAX_HEADERS_RESPONSE_BYTES: number = MAX_HEADERS_PER_RESPONSE * HEADER_BYTES;
export const MAX_BLOCKS_PER_REQUEST = 128;
export const MAX_LEAVES_PER_LIST = 8_192;
export const MAX_TRANSACTIONS_PER_REQUEST = 2_048;
/** A response with more than one transaction ends before it passes this. */
export const MAX_TRANSACTIONS_RESPONSE_BYTES = 512 * 1024;
/** Offsets of a list of variable-size elements. */
const OFFSET_BYTES = 4;
/** What comes before a body in a response: the header, and the offset of the body. */
const BLOCK_FIXED_BYTES = HEADER_BYTES + OFFSET_BYTES;
/**
 * A response ends before it passes this, and the asker asks again for the rest: one block of the greatest size. More
 * would need a faster link for the whole response to arrive in time, and more memory for each peer that asks.
 */
export const MAX_BLOCKS_RESPONSE_BYTES: number = blockResponseBytes(MAX_BLOCK_BYTES);
/** One gossip message of transactions, at most: it must hold a single one of the greatest size. */
export const MAX_TRANSACTIONS_MESSAGE_BYTES = MAX_TRANSACTION_BYTES + OFFSET_BYTES;
/** The smallest transaction is above 200 bytes, so no honest message comes near. */
const MAX_TRANSACTIONS_PER_MESSAGE = 1_024;
/** Header, leaves of a full block, engine data, two offsets. */
export const MAX_COMPACT_BLOCK_BYTES =
  HEADER_BYTES + 32 * MAX_BLOCK_TRANSACTIONS + MAX_ENGINE_DATA_BYTES + 2 * OFFSET_BYTES;

/** Where a peer stands. Exchanged on connect, after a sync and after a reorg. */
export interface Status {
  /** Of this protocol; a peer with another one is not talked to. */
  readonly version: number;
  /** Hex. */
  readonly chain: BlockId;
  readonly head: BlockId;
  readonly height: number;
  /** Cumulative work of the head. */
  readonly work: bigint;
  /** From here up to the head it has every block whole; 0 unless it has pruned some. At most `height` + 1: it has none. */
  readonly firstHeight: number;
}

export interface HeadersRequest {
  /** Ids of the asker's best chain, newest first, ever sparser; at most 64. */
  readonly locator: readonly BlockId[];
  /** The last header wanted; undefined: as far as `maxCount` goes. */
  readonly stop: BlockId | undefined;
  /** 1 to 2,000. */
  readonly maxCount: number;
}

/**
 * A block whose body was not decoded yet: that hashes every transaction, up to a third of a second for a full response,
 * so whoever imports it picks the moment (`decodeBody`).
 */
export interface RawBlock {
  readonly header: SealedHeader;
  readonly bodyBytes: Uint8Array;
}

/** A block as gossip announces it; the receiver finds the transactions by leaf. The leaf root was not checked yet. */
export interface CompactBlock {
  readonly header: SealedHeader;
  /** 32 bytes each, in block order. */
  readonly leaves: readonly Uint8Array[];
  readonly engineData: Uint8Array;
}

export type TransactionsRequest =
  /** Leaves of the mempool in bytewise order, those after `after` (exclusive), at most `limit` (1 to 8,192). */
  | { readonly kind: "list"; readonly after: Leaf; readonly limit: number }
  /** The transactions behind leaves, 1 to 2,048 of them, none twice. */
  | { readonly kind: "get"; readonly leaves: readonly Leaf[] };

const StatusSsz = new ContainerType({
  version: Uint32,
  chain: Bytes32,
  head: Bytes32,
  height: Uint64,
  work: Uint256,
  firstHeight: Uint64,
});
const HeadersRequestSsz = new ContainerType({
  locator: new ListCompositeType(Bytes32, MAX_LOCATOR_IDS),
  stop: Bytes32,
  maxCount: Uint32,
});
const BlocksRequestSsz = new ListCompositeType(Bytes32, MAX_BLOCKS_PER_REQUEST);
// A header is fixed-size, so a vector of its bytes stands where SSZ would put the container.
const HeaderBytesSsz = new ByteVectorType(HEADER_BYTES);
const TransactionsRequestSsz = new UnionType([
  new ContainerType({ after: Bytes32, limit: Uint32 }),
  new ListCompositeType(Bytes32, MAX_TRANSACTIONS_PER_REQUEST),
]);
const LeafListSsz = new ListCompositeType(Bytes32, MAX_LEAVES_PER_LIST);
const TransactionListSsz = new ListCompositeType(
  new ByteListType(MAX_TRANSACTION_BYTES),
  MAX_TRANSACTIONS_PER_REQUEST,
);
const CompactBlockSsz = new ContainerType({
  header: HeaderBytesSsz,
  leaves: LeavesSsz,
  engineData: new ByteListType(MAX_ENGINE_DATA_BYTES),
});

interface Codec<T> {
  serialize(value: T): Uint8Array;
  deserialize(bytes: Uint8Array): T;
}

/** The value behind `bytes`, if they are its only encoding. The library's own checks are many, but not promised. */
export function strict<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  return decodeOr(() => {
    const value = codec.deserialize(bytes);
    return equalBytes(codec.serialize(value), bytes) ? value : undefined;
  });
}

const isUnique = (items: readonly string[]): boolean => new Set(items).size === items.length;

export function encodeStatus(status: Status): Uint8Array {
  return StatusSsz.serialize({
    ...status,
    chain: hexToBytes(status.chain),
    head: hexToBytes(status.head),
  });
}

export function decodeStatus(bytes: Uint8Array): Status | undefined {
  const status = strict(StatusSsz, bytes);
  if (status === undefined || status.firstHeight > status.height + 1) return undefined;
  return { ...status, chain: bytesToHex(status.chain), head: bytesToHex(status.head) };
}

export function encodeHeadersRequest({ locator, stop, maxCount }: HeadersRequest): Uint8Array {
  return HeadersRequestSsz.serialize({
    locator: locator.map(hexToBytes),
    stop: stop === undefined ? ZERO_32 : hexToBytes(stop),
    maxCount,
  });
}

export function decodeHeadersRequest(bytes: Uint8Array): HeadersRequest | undefined {
  const request = strict(HeadersRequestSsz, bytes);
  if (request === undefined || request.maxCount < 1 || request.maxCount > MAX_HEADERS_PER_RESPONSE)
    return undefined;
  return {
    locator: request.locator.map(bytesToHex),
    stop: equalBytes(request.stop, ZERO_32) ? undefined : bytesToHex(request.stop),
    maxCount: request.maxCount,
  };
}

/** SSZ of a list of fixed-size elements is their bytes, one after the other. */
export function encodeHeaders(headers: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  return concatBytes(...headers.map(({ bytes }) => bytes));
}

export function decodeHeaders(bytes: Uint8Array, maxCount: number): readonly SealedHeader[] | undefined {
  if (bytes.length % HEADER_BYTES !== 0 || bytes.length > maxCount * HEADER_BYTES) return undefined;
  const headers: SealedHeader[] = [];
  for (let offset = 0; offset < bytes.length; offset += HEADER_BYTES) {
    // Copied, because a header lives on, and would keep the whole response alive.
    const header = decodeHeader(bytes.slice(offset, offset + HEADER_BYTES));
    if (header === undefined) return undefined;
    headers.push(header);
  }
  return headers;
}

export function encodeBlocksRequest(ids: readonly BlockId[]): Uint8Array {
  return BlocksRequestSsz.serialize(ids.map(hexToBytes));
}

export function decodeBlocksRequest(bytes: Uint8Array): readonly BlockId[] | undefined {
  const ids = strict(BlocksRequestSsz, bytes)?.map(bytesToHex);
  return ids !== undefined && ids.length > 0 && isUnique(ids) ? ids : undefined;
}

/**
 * The SSZ list in pieces, by hand: bodies are nearly all of what a node sends, and each copy of them costs a collection
 * of garbage.
 */
export function encodeBlocks(
  blocks: readonly { readonly headerBytes: Uint8Array; readonly bodyBytes: Uint8Array }[],
): Uint8Array[] {
  const offsets = new Uint8Array(OFFSET_BYTES * blocks.length);
  const pieces: Uint8Array[] = [offsets];
  let offset = offsets.length;
  for (const [i, { headerBytes, bodyBytes }] of blocks.entries()) {
    setUint32(offsets, OFFSET_BYTES * i, offset);
    offset += blockResponseBytes(bodyBytes.length) - OFFSET_BYTES;
    const fixed = new Uint8Array(BLOCK_FIXED_BYTES);
    fixed.set(headerBytes);
    setUint32(fixed, HEADER_BYTES, BLOCK_FIXED_BYTES);
    pieces.push(fixed, bodyBytes);
  }
  return pieces;
}

/** What one block adds to a response. */
export function blockResponseBytes(bodyBytes: number): number {
  return OFFSET_BYTES + BLOCK_FIXED_BYTES + bodyBytes;
}

export function decodeBlocks(bytes: Uint8Array): readonly RawBlock[] | undefined {
  const elements = variableElements(bytes, MAX_BLOCKS_PER_REQUEST);
  if (elements === undefined) return undefined;
  const blocks: RawBlock[] = [];
  for (const element of elements) {
    if (element.length < BLOCK_FIXED_BYTES || element.length > BLOCK_FIXED_BYTES + MAX_BLOCK_BYTES)
      return undefined;
    if (getUint32(element, HEADER_BYTES) !== BLOCK_FIXED_BYTES) return undefined;
    // Copied, because header and body live on, each for its own time, and would keep the whole response alive.
    const header = decodeHeader(element.slice(0, HEADER_BYTES));
    if (header === undefined) return undefined;
    blocks.push({ header, bodyBytes: element.slice(BLOCK_FIXED_BYTES) });
  }
  return blocks;
}

/**
 * The elements of an SSZ list of variable-size elements; `undefined` where the offsets are not those of its one encoding.
 */
function variableElements(bytes: Uint8Array, maxElements: number): Uint8Array[] | undefined {
  if (bytes.length === 0) return [];
  if (bytes.length < OFFSET_BYTES) return undefined;
  const first = getUint32(bytes, 0);
  const count = first / OFFSET_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > maxElements || first > bytes.length) return undefined;
  const elements: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const from = getUint32(bytes, OFFSET_BYTES * i);
    const to = i + 1 < count ? getUint32(bytes, OFFSET_BYTES * (i + 1)) : bytes.length;
    if (from > to || to > bytes.length) return undefined;
    elements.push(bytes.subarray(from, to));
  }
  return elements;
}

export function encodeTransactionsRequest(request: TransactionsRequest): Uint8Array {
  return TransactionsRequestSsz.serialize(
    request.kind === "list"
      ? { selector: 0, value: { after: hexToBytes(request.after), limit: request.limit } }
      : { selector: 1, value: request.leaves.map(hexToBytes) },
  );
}

export function decodeTransactionsRequest(bytes: Uint8Array): TransactionsRequest | undefined {
  const request = strict(TransactionsRequestSsz, bytes);
  if (request === undefined) return undefined;
  if (request.selector === 0) {
    const { after, limit } = request.value as { after: Uint8Array; limit: number };
    if (limit < 1 || limit > MAX_LEAVES_PER_LIST) return undefined;
    return { kind: "list", after: bytesToHex(after), limit };
  }
  const leaves = (request.value as Uint8Array[]).map(bytesToHex);
  return leaves.length > 0 && isUnique(leaves) ? { kind: "get", leaves } : undefined;
}

export function encodeLeafList(leaves: readonly Leaf[]): Uint8Array {
  return LeafListSsz.serialize(leaves.map(hexToBytes));
}

/** Leaves in ascending order without repeats; anything else is no answer. */
export function decodeLeafList(bytes: Uint8Array): readonly Leaf[] | undefined {
  const leaves = strict(LeafListSsz, bytes);
  if (leaves === undefined) return undefined;
  for (const [index, leaf] of leaves.entries()) {
    const previous = leaves[index - 1];
    if (previous !== undefined && compareBytes(previous, leaf) >= 0) return undefined;
  }
  return leaves.map(bytesToHex);
}

export function encodeTransactions(transactions: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  return TransactionListSsz.serialize(transactions.map(({ bytes }) => bytes));
}

/** What one transaction adds to a list. */
export function listedTransactionBytes(transactionBytes: number): number {
  return OFFSET_BYTES + transactionBytes;
}

export function decodeTransactions(bytes: Uint8Array): readonly SealedTransaction[] | undefined {
  const list = strict(TransactionListSsz, bytes);
  if (list === undefined) return undefined;
  const transactions: SealedTransaction[] = [];
  for (const one of list) {
    const transaction = decodeTransaction(one);
    if (transaction === undefined) return undefined;
    transactions.push(transaction);
  }
  return transactions;
}

/** A gossip message of transactions: the same list, but never empty, never long, none twice. */
export function decodeTransactionsMessage(bytes: Uint8Array): readonly SealedTransaction[] | undefined {
  const firstOffset =
    bytes.length < OFFSET_BYTES ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  // Looked at first, so that a list of very many tiny pieces is not even cut up.
  if (firstOffset === 0 || firstOffset > OFFSET_BYTES * MAX_TRANSACTIONS_PER_MESSAGE) return undefined;
  const transactions = decodeTransactions(bytes);
  return transactions !== undefined && isUnique(transactions.map(({ leaf }) => leaf))
    ? transactions
    : undefined;
}

export function encodeCompactBlock(block: {
  readonly header: { readonly bytes: Uint8Array };
  readonly leaves: readonly Uint8Array[];
  readonly engineData: Uint8Array;
}): Uint8Array {
  return CompactBlockSsz.serialize({
    header: block.header.bytes,
    leaves: [...block.leaves],
    engineData: block.engineData,
  });
}

export function decodeCompactBlock(bytes: Uint8Array): CompactBlock | undefined {
  const compact = strict(CompactBlockSsz, bytes);
  const header = compact === undefined ? undefined : decodeHeader(compact.header);
  if (compact === undefined || header === undefined) return undefined;
  return { header, leaves: compact.leaves, engineData: compact.engineData };
}
