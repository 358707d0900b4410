import { bytesToHex, getUint64 } from "./bytes.ts";
import { sha256 } from "./hash.ts";
import {
  decodeOr,
  MAX_MEMO_BYTES,
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

class Sealed implements SealedTransaction {
  readonly transaction: Transaction;
  readonly bytes: Uint8Array;
  readonly txid: TxId;
  readonly txidBytes: Uint8Array;
  readonly leafBytes: Uint8Array;
  readonly sender: string;
  readonly recipient: string;
  #leaf: Leaf | undefined;

  constructor(transaction: Transaction, bytes: Uint8Array) {
    this.transaction = transaction;
    this.bytes = bytes;
    this.txidBytes = sha256(bytes.subarray(BODY_OFFSET));
    this.txid = bytesToHex(this.txidBytes);
    this.leafBytes = sha256(bytes);
    this.sender = bytesToHex(transaction.body.sender);
    this.recipient = bytesToHex(transaction.body.action.value.to);
  }

  /** In hex only when somebody asks: of a sync's hundred thousands nobody does. */
  get leaf(): Leaf {
    this.#leaf ??= bytesToHex(this.leafBytes);
    return this.#leaf;
  }
}

export function sealTransaction(transaction: Transaction): SealedTransaction {
  return new Sealed(transaction, TransactionSsz.serialize(transaction));
}

/** Decodes one serialized transaction, which it keeps; `undefined` unless the bytes are its canonical encoding. */
export function decodeTransaction(bytes: Uint8Array): SealedTransaction | undefined {
  if (bytes.length > MAX_TRANSACTION_BYTES) return undefined;
  // Fields are views of `bytes`, which live as long anyway. Decoding is strict by itself (offsets, selectors, sizes,
  // integers), and a test holds it to that with an independent codec: encoding again here would cost a third as much.
  const transaction =
    bytes[SELECTOR_AT] === TRANSFER
      ? decodeTransfer(bytes)
      : decodeOr(() => TransactionSsz.deserialize(bytes, { reuseBytes: true }) as Transaction);
  return transaction === undefined ? undefined : new Sealed(transaction, bytes);
}

// Where a transfer has what; docs/protocol.md, "Transaction", has the same table.
const SELECTOR_AT = 160;
const MEMO_AT = 205;
const TRANSFER = 0;

/**
 * The commonest kind by hand, several times as fast as by the library, which goes through lists of offsets: syncing
 * decodes little else. Its fixed part has one length, so each offset has one value and each number one place.
 */
function decodeTransfer(bytes: Uint8Array): Transaction | undefined {
  if (bytes.length < MEMO_AT || bytes.length > MEMO_AT + MAX_MEMO_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const offsetsFit =
    view.getUint32(0, true) === BODY_OFFSET &&
    view.getUint32(156, true) === 92 &&
    view.getUint32(201, true) === 44;
  const nonce = getUint64(view, 132);
  const fee = getUint64(view, 140);
  const expiry = getUint64(view, 148);
  const amount = getUint64(view, 193);
  if (!offsetsFit || nonce === undefined || fee === undefined || expiry === undefined || amount === undefined)
    return undefined;
  const value = { to: bytes.subarray(161, 193), amount, memo: bytes.subarray(MEMO_AT) };
  const action = { selector: TRANSFER, value } as const;
  const body = {
    chain: bytes.subarray(68, 100),
    sender: bytes.subarray(100, 132),
    nonce,
    fee,
    expiry,
    action,
  };
  return { body, signature: bytes.subarray(4, BODY_OFFSET) };
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
