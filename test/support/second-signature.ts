import { createHash, randomBytes } from "node:crypto";
import sodium from "sodium-native";
import {
  type SealedTransaction,
  sealTransaction,
  sha256,
  signingMessage,
} from "../../src/primitives/index.ts";

const ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
const fromLittleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
const toLittleEndian = (value: bigint): Buffer =>
  Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
const sha512 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/**
 * The same body under another signature that is just as valid: whoever has the secret can make any number of them, with
 * a random r instead of the one that RFC 8032 derives. `seed`: of the sender's key.
 */
export function signAgain(
  { transaction, txidBytes }: SealedTransaction,
  seed: Uint8Array,
): SealedTransaction {
  const secret = sha512(seed).subarray(0, 32);
  secret[0] = (secret[0] ?? 0) & 248;
  secret[31] = ((secret[31] ?? 0) & 127) | 64;
  const r = fromLittleEndian(randomBytes(48)) % ORDER;
  const point = Buffer.alloc(32);
  sodium.crypto_scalarmult_ed25519_base_noclamp(point, toLittleEndian(r));
  const challenge = sha512(point, transaction.body.sender, signingMessage(txidBytes));
  const s = (r + (fromLittleEndian(challenge) % ORDER) * fromLittleEndian(secret)) % ORDER;
  const signature = Uint8Array.from(Buffer.concat([point, toLittleEndian(s)]));
  return sealTransaction({ ...transaction, signature });
}

/** Of the key that `keyOf(name)` has. */
export const seedOf = (name: string): Uint8Array => sha256(new TextEncoder().encode(`test key ${name}`));
