import { bytesToHex } from "./bytes.ts";
import { sha256 } from "./hash.ts";
import {
  decodeOr,
  MAX_TRANSACTION_BYTES,
  type Transaction,
  type TransactionBody,
  TransactionBodySsz,
  TransactionSsz,
} from "./ssz.ts";

/** Lowercase hex of a transaction id. */
export type TxId = string;
/** Lowercase hex of a leaf: the hash of the transaction with its signature. */
export type Leaf = string;

/**
 * A transaction with its exact bytes and both of its hashes. Immutable: made once, where bytes enter the daemon or
 * where a transaction is signed, and passed along whole, so nothing is hashed twice.
 */
export interface SealedTransaction {
  readonly transaction: Transaction;
  readonly bytes: Uint8Array;
  /** SHA-256 of the serialized body: the same for every valid signature of it. */
  readonly txid: TxId;
  readonly txidBytes: Uint8Array;
  /** SHA-256 of `bytes`: names these very bytes, signature included. */
  readonly leaf: Leaf;
  readonly leafBytes: Uint8Array;
  /** Hex of the sender's key, as maps want it. */
  readonly sender: string;
  /** Hex of the recipient's key. */
  readonly recipient: string;
}

// A container's fixed part comes first: 4 bytes of offset to the body, then the signature, then the body.
const BODY_OFFSET = 4 + 64;
const SIGNING_TAG = new TextEncoder().encode("cumulo/tx/1");
/** "cumulo/tx/1" || txid: 43 bytes. */
export const SIGNING_MESSAGE_BYTES = SIGNING_TAG.length + 32;

function seal(transaction: Transaction, bytes: Uint8Array): SealedTransaction {
  const txidBytes = sha256(bytes.subarray(BODY_OFFSET));
  const leafBytes = sha256(bytes);
  return {
    transaction,
    bytes,
    txid: bytesToHex(txidBytes),
    txidBytes,
    leaf: bytesToHex(leafBytes),
    leafBytes,
    sender: bytesToHex(transaction.body.sender),
    recipient: bytesToHex(transaction.body.action.value.to),
  };
}

export function sealTransaction(transaction: Transaction): SealedTransaction {
  return seal(transaction, TransactionSsz.serialize(transaction));
}

/** Decodes one serialized transaction, which it keeps; `undefined` unless the bytes are its canonical encoding. */
export function decodeTransaction(bytes: Uint8Array): SealedTransaction | undefined {
  if (bytes.length > MAX_TRANSACTION_BYTES) return undefined;
  // Fields are views of `bytes`, which live as long anyway. Decoding is strict by itself (offsets, selectors, sizes,
  // integers), and a test holds it to that with an independent codec: encoding again here would cost a third as much.
  const transaction = decodeOr(() => TransactionSsz.deserialize(bytes, { reuseBytes: true }) as Transaction);
  return transaction === undefined ? undefined : seal(transaction, bytes);
}

export function transactionId(body: TransactionBody): Uint8Array {
  return sha256(TransactionBodySsz.serialize(body));
}

/** What the sender's key signs. Every other use of a key has a tag of its own, so no signature serves two purposes. */
export function signingMessage(txid: Uint8Array): Uint8Array {
  const message = new Uint8Array(SIGNING_MESSAGE_BYTES);
  message.set(SIGNING_TAG, 0);
  message.set(txid, SIGNING_TAG.length);
  return message;
}
