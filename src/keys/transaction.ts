import {
  type SealedTransaction,
  sealTransaction,
  setHex,
  signingMessage,
  type TransactionBody,
  transactionId,
} from "../primitives/index.ts";
import type { Key } from "./signature.ts";
import { RECORD_BYTES } from "./verify-tasks.ts";

/** Signs a body with its sender's key. Throws a `RangeError` when the key is not the sender's. */
export function signTransaction(body: TransactionBody, key: Key): SealedTransaction {
  if (!key.publicKey.every((byte, i) => byte === body.sender[i])) {
    throw new RangeError("a transaction is signed with its sender's key");
  }
  return sealTransaction({ body, signature: key.sign(signingMessage(transactionId(body))) });
}

/** Transactions as `verifyPacked` wants them, in one buffer of their own that may be transferred to a worker. */
export function packSignatures(transactions: readonly SealedTransaction[]): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(transactions.length * RECORD_BYTES);
  let at = 0;
  for (const transaction of transactions) {
    transaction.copySender(packed, at);
    setHex(packed, at + 32, transaction.txid);
    transaction.copySignature(packed, at + 64);
    at += RECORD_BYTES;
  }
  return packed;
}
