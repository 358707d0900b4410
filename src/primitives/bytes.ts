import { concatBytes, hexToBytes } from "@noble/hashes/utils.js";

export { concatBytes, hexToBytes };

export const ZERO_32: Uint8Array = new Uint8Array(32);

/** Two hex digits for each byte, as ASCII. */
const DIGIT_PAIRS = Uint8Array.from({ length: 512 }, (_, i) =>
  "0123456789abcdef".charCodeAt(i % 2 === 0 ? i >> 5 : (i >> 1) & 15),
);
const decoder = new TextDecoder();
const digitsOf32 = new Uint8Array(64);

/**
 * Lowercase hex. Ids are made by the hundred thousand and used as keys of maps: decoding ASCII gives a flat string,
 * where adding up digits gives a chain of pieces that the first look-up must flatten (nine times slower in all).
 */
export function bytesToHex(bytes: Uint8Array): string {
  const digits = bytes.length === 32 ? digitsOf32 : new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const pair = 2 * (bytes[i] as number);
    digits[2 * i] = DIGIT_PAIRS[pair] as number;
    digits[2 * i + 1] = DIGIT_PAIRS[pair + 1] as number;
  }
  return decoder.decode(digits);
}

/** Writes an integer below 2^53 as a little-endian uint64. */
export function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

/** A little-endian uint64; `undefined` above 2^53 - 1. */
export function getUint64(view: DataView, offset: number): number | undefined {
  const high = view.getUint32(offset + 4, true);
  return high > 0x1f_ffff ? undefined : high * 2 ** 32 + view.getUint32(offset, true);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytewise order; a prefix sorts before what it is a prefix of. Negative, zero or positive, as `sort` wants it. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Big-endian bytes as an integer. */
export function bigintFromBytes(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`);
}

/** An integer in [0, 256^length) as big-endian bytes. */
export function bigintToBytes(value: bigint, length: number): Uint8Array {
  return hexToBytes(value.toString(16).padStart(length * 2, "0"));
}
