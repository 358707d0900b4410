import { copyBytes, getUint32, getUint64, hexOf32, hexToBytes } from "./bytes.ts";
import { sha256, sha256Hex } from "./hash.ts";
import {
  MAX_MEMO_BYTES,
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
 * where a transaction is signed, and passed along whole, so its body is hashed once.
 */
export interface SealedTransaction {
  /** The whole value, made for whoever asks and not kept: rules need only what stands below. */
  readonly transaction: Transaction;
  readonly bytes: Uint8Array;
  /** SHA-256 of the serialized body: the same for every valid signature of it. */
  readonly txid: TxId;
  /** The same as 32 bytes, made anew at each call. */
  readonly txidBytes: Uint8Array;
  /** SHA-256 of `bytes`: names these very bytes, signature included. */
  readonly leaf: Leaf;
  /** The same as 32 bytes, made anew at each call; hashed again too, unless `leaf` was asked for. */
  readonly leafBytes: Uint8Array;
  readonly signatureBytes: Uint8Array;
  /** The sender's public key. */
  readonly senderBytes: Uint8Array;
  /** Hex of the sender's key, as maps want it. */
  readonly sender: string;
  /** Hex of the recipient's key. */
  readonly recipient: string;
  readonly nonce: number;
  /** Base units. */
  readonly fee: number;
  /** Last height at which it may stand in a block. */
  readonly expiry: number;
  /** What it moves to the recipient, base units. */
  readonly amount: number;
  /** Whether it is for the chain of that id. */
  isFor(chainId: Uint8Array): boolean;
  /** Copies the sender's public key, 32 bytes. */
  copySender(to: Uint8Array, at: number): void;
  /** Copies the signature, 64 bytes. */
  copySignature(to: Uint8Array, at: number): void;
}

const SIGNING_TAG = new TextEncoder().encode("cumulo/tx/1");
/** "cumulo/tx/1" || txid: 43 bytes. */
export const SIGNING_MESSAGE_BYTES = SIGNING_TAG.length + 32;

// Where a transaction has what; docs/protocol.md, "Transaction", has the same table. A container's fixed part comes
// first: the offset of the body, then the signature; in the body everything up to the action's selector.
const SIGNATURE_AT = 4;
const BODY_AT = 68;
const CHAIN_AT = 68;
const SENDER_AT = 100;
const NONCE_AT = 132;
const FEE_AT = 140;
const EXPIRY_AT = 148;
const ACTION_OFFSET_AT = 156;
const SELECTOR_AT = 160;
// In a transfer.
const TRANSFER = 0;
const RECIPIENT_AT = 161;
const AMOUNT_AT = 193;
const MEMO_OFFSET_AT = 201;
const MEMO_AT = 205;

/** The numbers of a transaction, which come out of its check anyway. */
interface Numbers {
  readonly nonce: number;
  readonly fee: number;
  readonly expiry: number;
  readonly amount: number;
}

class Sealed implements SealedTransaction {
  readonly bytes: Uint8Array;
  readonly txid: TxId;
  readonly sender: string;
  readonly recipient: string;
  readonly nonce: number;
  readonly fee: number;
  readonly expiry: number;
  readonly amount: number;
  #leaf: Leaf | undefined;

  constructor(bytes: Uint8Array, { nonce, fee, expiry, amount }: Numbers) {
    this.bytes = bytes;
    this.txid = sha256Hex(bytes.subarray(BODY_AT));
    this.sender = hexOf32(bytes, SENDER_AT);
    this.recipient = hexOf32(bytes, RECIPIENT_AT);
    this.nonce = nonce;
    this.fee = fee;
    this.expiry = expiry;
    this.amount = amount;
  }

  // A sync makes hundred thousands of these and asks each for its leaf once, as bytes: what is not kept costs the garbage
  // collector little.
  get leaf(): Leaf {
    this.#leaf ??= sha256Hex(this.bytes);
    return this.#leaf;
  }

  get leafBytes(): Uint8Array {
    return this.#leaf === undefined ? sha256(this.bytes) : hexToBytes(this.#leaf);
  }

  get txidBytes(): Uint8Array {
    return hexToBytes(this.txid);
  }

  /**
   * Fields are views of `bytes`, which live as long anyway. Kept, it would take twice as much memory as all the rest, and one
   * listing of what is pending opens all of it.
   */
  get transaction(): Transaction {
    const { bytes, nonce, fee, expiry, amount } = this;
    const to = bytes.subarray(RECIPIENT_AT, RECIPIENT_AT + 32);
    const action = { selector: TRANSFER, value: { to, amount, memo: bytes.subarray(MEMO_AT) } } as const;
    const chain = bytes.subarray(CHAIN_AT, CHAIN_AT + 32);
    const body = { chain, sender: this.senderBytes, nonce, fee, expiry, action };
    return { body, signature: this.signatureBytes };
  }

  get signatureBytes(): Uint8Array {
    return this.bytes.subarray(SIGNATURE_AT, BODY_AT);
  }

  get senderBytes(): Uint8Array {
    return this.bytes.subarray(SENDER_AT, SENDER_AT + 32);
  }

  // Asked of every transaction of a sync: a view of the bytes for each answer would cost more than the answer.

  isFor(chainId: Uint8Array): boolean {
    for (let i = 0; i < 32; i++) if (this.bytes[CHAIN_AT + i] !== chainId[i]) return false;
    return true;
  }

  copySender(to: Uint8Array, at: number): void {
    copyBytes(this.bytes, SENDER_AT, 32, to, at);
  }

  copySignature(to: Uint8Array, at: number): void {
    copyBytes(this.bytes, SIGNATURE_AT, 64, to, at);
  }
}

export function sealTransaction(transaction: Transaction): SealedTransaction {
  const { nonce, fee, expiry, action } = transaction.body;
  const { amount } = action.value;
  return new Sealed(TransactionSsz.serialize(transaction), { nonce, fee, expiry, amount });
}

/** Decodes one serialized transaction, which it keeps; `undefined` unless the bytes are its canonical encoding. */
export function decodeTransaction(bytes: Uint8Array): SealedTransaction | undefined {
  const numbers = decodeTransfer(bytes);
  return numbers === undefined ? undefined : new Sealed(bytes, numbers);
}

/**
 * By hand, many times as fast as by the library, which goes through lists of offsets: syncing decodes little else. A
 * transfer's fixed part has one length, so each offset has one value and each number one place. As strict as the library
 * (offsets, selectors, sizes, integers), to which tests hold it: whatever it accepts is the one encoding of its value.
 */
function decodeTransfer(bytes: Uint8Array): Numbers | undefined {
  const fits =
    bytes.length >= MEMO_AT &&
    bytes.length <= MEMO_AT + MAX_MEMO_BYTES &&
    getUint32(bytes, 0) === BODY_AT &&
    getUint32(bytes, ACTION_OFFSET_AT) === SELECTOR_AT - BODY_AT &&
    bytes[SELECTOR_AT] === TRANSFER &&
    getUint32(bytes, MEMO_OFFSET_AT) === MEMO_AT - RECIPIENT_AT;
  if (!fits) return undefined;
  const nonce = getUint64(bytes, NONCE_AT);
  const fee = getUint64(bytes, FEE_AT);
  const expiry = getUint64(bytes, EXPIRY_AT);
  const amount = getUint64(bytes, AMOUNT_AT);
  if (nonce === undefined || fee === undefined || expiry === undefined || amount === undefined)
    return undefined;
  return { nonce, fee, expiry, amount };
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
