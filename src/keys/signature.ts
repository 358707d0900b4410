import sodium from "sodium-native";
import type { Random } from "../ports/index.ts";
import { bytesToHex, encodeAddress } from "../primitives/index.ts";

export const PUBLIC_KEY_BYTES = 32;
export const SEED_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/**
 * An Ed25519 key pair. The secret lives in a closure, so that printing, logging or serializing a key shows only its
 * public half.
 */
export interface Key {
  /** 32 bytes; what transactions name as sender. */
  readonly publicKey: Uint8Array;
  /** The public key as people write it: `cum1...`. */
  readonly address: string;
  /** Signs the bytes as they are: callers put their own tag in front, so no signature serves two purposes. */
  sign(message: Uint8Array): Uint8Array;
  /** Lowercase hex of the 32-byte seed, for key files. Whoever has it can spend. */
  secretHex(): string;
}

/** The key pair of a 32-byte seed (RFC 8032's private key). Throws a `RangeError` for another length. */
export function keyFromSeed(seed: Uint8Array): Key {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const publicKey = Buffer.alloc(PUBLIC_KEY_BYTES);
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.from(seed));
  return {
    publicKey: new Uint8Array(publicKey),
    address: encodeAddress(publicKey),
    sign(message) {
      const signature = Buffer.alloc(SIGNATURE_BYTES);
      sodium.crypto_sign_detached(signature, Buffer.from(message), secretKey);
      return new Uint8Array(signature);
    },
    // libsodium's secret key is seed || public key.
    secretHex: () => bytesToHex(new Uint8Array(secretKey.subarray(0, SEED_BYTES))),
  };
}

/** A fresh key pair. Without `random`, from the operating system's generator; with it, reproducible, for tests only. */
export function generateKey(random?: Random): Key {
  if (random !== undefined) return keyFromSeed(random.bytes(SEED_BYTES));
  const seed = Buffer.alloc(SEED_BYTES);
  sodium.randombytes_buf(seed);
  return keyFromSeed(seed);
}

/**
 * Strict, cofactorless Ed25519: S canonical, A and R canonical and not of small order, [S]B = R + [k]A exactly, as
 * libsodium does it and consensus demands. False for wrong lengths; never throws.
 */
export function verifySignature(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  return sodium.crypto_sign_verify_detached(
    Buffer.from(signature),
    Buffer.from(message),
    Buffer.from(publicKey),
  );
}
