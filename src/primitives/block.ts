import { Tree } from "@chainsafe/persistent-merkle-tree";
import { bytesToHex } from "./bytes.ts";
import { hashPair } from "./hash.ts";
import { chunkListRoot, uint64Chunk } from "./merkle.ts";
import {
  BlockBodySsz,
  decodeOr,
  type Header,
  type HeaderCore,
  HeaderCoreSsz,
  HeaderSsz,
  MAX_BLOCK_TRANSACTIONS,
} from "./ssz.ts";
import { decodeTransaction, type SealedTransaction } from "./transaction.ts";

/** Lowercase hex of a block id. */
export type BlockId = string;

/** A header with its bytes and id. Immutable, made once. */
export interface SealedHeader {
  readonly header: Header;
  readonly bytes: Uint8Array;
  readonly id: BlockId;
  /** The proof-of-work hash: read big-endian, it must be below the target. */
  readonly idBytes: Uint8Array;
  /** Hex of `core.parent`. */
  readonly parent: BlockId;
}

/** A header with a body that was decoded, but not necessarily checked. */
export interface Block {
  readonly header: SealedHeader;
  readonly transactions: readonly SealedTransaction[];
  readonly engineData: Uint8Array;
  /** The serialized body; its length is what the size limit counts. */
  readonly bodyBytes: Uint8Array;
}

export interface BlockBody {
  readonly transactions: readonly SealedTransaction[];
  readonly engineData: Uint8Array;
  readonly bodyBytes: Uint8Array;
}

/** Bytes of one serialized header; every header has the same length. */
export const HEADER_BYTES: number = HeaderSsz.fixedSize as number;

export function headerCoreRoot(core: HeaderCore): Uint8Array {
  return HeaderCoreSsz.hashTreeRoot(core);
}

/** A list of that many leaves is so many levels deep. */
const LEAVES_DEPTH = Math.ceil(Math.log2(MAX_BLOCK_TRANSACTIONS));

/** Field 6 of the core, whose 11 fields fill 16 slots. */
const STATE_ROOT_FIELD = 6;

/** Hashes that lead from a header's state root to its id, from below: four in the core, then the nonce. */
export function stateRootBranch({ core, nonce }: Header): Uint8Array[] {
  const { node } = HeaderCoreSsz.toView(core);
  const depth = 4;
  const leaf = BigInt(2 ** depth + STATE_ROOT_FIELD);
  return [...new Tree(node).getSingleProof(leaf), uint64Chunk(nonce)];
}

function seal(header: Header, bytes: Uint8Array): SealedHeader {
  const idBytes = hashPair(headerCoreRoot(header.core), uint64Chunk(header.nonce));
  return { header, bytes, id: bytesToHex(idBytes), idBytes, parent: bytesToHex(header.core.parent) };
}

export function sealHeader(header: Header): SealedHeader {
  return seal(header, HeaderSsz.serialize(header));
}

/** Decodes one serialized header, which it keeps; `undefined` unless the bytes are its canonical encoding. */
export function decodeHeader(bytes: Uint8Array): SealedHeader | undefined {
  const header = decodeOr(() => HeaderSsz.deserialize(bytes));
  return header === undefined ? undefined : seal(header, bytes);
}

export function transactionsRoot(transactions: readonly { readonly leafBytes: Uint8Array }[]): Uint8Array {
  return leavesRoot(transactions.map(({ leafBytes }) => leafBytes));
}

/** The root over leaves as a compact block lists them. */
export function leavesRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return chunkListRoot(leaves, LEAVES_DEPTH);
}

export function encodeBody(transactions: readonly SealedTransaction[], engineData: Uint8Array): BlockBody {
  const bodyBytes = BlockBodySsz.serialize({
    transactions: transactions.map(({ bytes }) => bytes),
    engineData,
  });
  return { transactions, engineData, bodyBytes };
}

/** Decodes a serialized body, which it keeps; `undefined` unless it is the canonical encoding of valid transactions. */
export function decodeBody(bytes: Uint8Array): BlockBody | undefined {
  // Transactions are views of the body, which is kept beside them: copies would be a hundred thousand buffers for the
  // garbage collector in a sync.
  const body = decodeOr(() => BlockBodySsz.deserialize(bytes, { reuseBytes: true }));
  if (body === undefined) return undefined;
  const transactions: SealedTransaction[] = [];
  for (const transactionBytes of body.transactions) {
    const transaction = decodeTransaction(transactionBytes);
    if (transaction === undefined) return undefined;
    transactions.push(transaction);
  }
  return { transactions, engineData: body.engineData, bodyBytes: bytes };
}

export function assembleBlock(header: SealedHeader, body: BlockBody): Block {
  return { header, ...body };
}
