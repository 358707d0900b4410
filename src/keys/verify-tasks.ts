/**
 * Signature checks as a worker task. Imports nothing but sodium, so that a thread is ready within milliseconds; that is
 * why the signing tag stands here a second time (a test holds it to `signingMessage`).
 */
import sodium from "sodium-native";

/** One record: public key (32) || txid (32) || signature (64). */
export const RECORD_BYTES = 128;
const TAG = new TextEncoder().encode("cumulo/tx/1");

// Sodium takes whole buffers. Views into the input cost up to a sixth of the rate, so each record is copied into these.
const publicKey = Buffer.alloc(32);
const message = Buffer.alloc(TAG.length + 32);
const signature = Buffer.alloc(64);
message.set(TAG, 0);

function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number;
}

/**
 * Verifies packed records of `RECORD_BYTES` each: the answer has one byte per record, 1 for a valid signature over
 * "cumulo/tx/1" || txid and 0 for any other. A trailing part of a record counts as one invalid record.
 */
export function verifyPacked(input: Uint8Array): Uint8Array {
  const results = new Uint8Array(Math.ceil(input.length / RECORD_BYTES));
  for (let i = 0, at = 0; at + RECORD_BYTES <= input.length; i++, at += RECORD_BYTES) {
    copy(input, at, publicKey, 0, 32);
    copy(input, at + 32, message, TAG.length, 32);
    copy(input, at + 64, signature, 0, 64);
    results[i] = sodium.crypto_sign_verify_detached(signature, message, publicKey) ? 1 : 0;
  }
  return results;
}

/** What the worker pool runs by name. */
export const tasks = {
  verifySignatures: (input: Uint8Array): Uint8Array => verifyPacked(input),
};
export type VerifyTasks = typeof tasks;
