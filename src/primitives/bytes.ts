import { concatBytes } from "@noble/hashes/utils.js";

export { concatBytes };

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
  if (bytes.length === 32) return hexOf32(bytes, 0);
  const digits = new Uint8Array(2 * bytes.length);
  setDigits(digits, bytes, 0);
  return decoder.decode(digits);
}

/** Lowercase hex of the 32 bytes at an offset, which must lie within the bytes. */
export function hexOf32(bytes: Uint8Array, at: number): string {
  setDigits(digitsOf32, bytes, at);
  return decoder.decode(digitsOf32);
}

function setDigits(digits: Uint8Array, bytes: Uint8Array, at: number): void {
  for (let i = 0; 2 * i < digits.length; i++) {
    const pair = 2 * (bytes[at + i] as number);
    digits[2 * i] = DIGIT_PAIRS[pair] as number;
    digits[2 * i + 1] = DIGIT_PAIRS[pair + 1] as number;
  }
}

/** What a hex digit stands for, by its character code; -1 for every other character. */
const DIGIT_VALUES = new Int8Array(128).fill(-1);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  DIGIT_VALUES[digit.charCodeAt(0)] = value;
  DIGIT_VALUES[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Bytes of hex in either case. Throws a `RangeError` for any other text. */
export function hexToBytes(hex: string): Uint8Array {
  if (hex.length % 2 !== 0) throw new RangeError("hex has two digits for each byte");
  const bytes = new Uint8Array(hex.length / 2);
  setHex(bytes, 0, hex);
  return bytes;
}

/** Writes the bytes of a hex text, which must fit. Throws a `RangeError` for any other text. */
export function setHex(bytes: Uint8Array, offset: number, hex: string): void {
  for (let i = 0; i < hex.length; i += 2) {
    const high = DIGIT_VALUES[hex.charCodeAt(i)] ?? -1;
    const low = DIGIT_VALUES[hex.charCodeAt(i + 1)] ?? -1;
    if ((high | low) < 0) throw new RangeError("this is not hex");
    bytes[offset + i / 2] = (high << 4) | low;
  }
}

// Integers by hand and not by a DataView: asking a small array for its `buffer` moves it out of the heap, which costs
// several times as much as the bytes themselves.

/** Writes an integer below 2^32 as a little-endian uint32. */
export function setUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** Writes an integer below 2^53 as a little-endian uint64. */
export function setUint64(bytes: Uint8Array, offset: number, value: number): void {
  setUint32(bytes, offset, value >>> 0);
  setUint32(bytes, offset + 4, Math.floor(value / 2 ** 32));
}

/** The little-endian uint32 at an offset, which must lie within the bytes. */
export function getUint32(bytes: Uint8Array, offset: number): number {
  const low = (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
  const high = (bytes[offset + 2] as number) | ((bytes[offset + 3] as number) << 8);
  return (low | (high << 16)) >>> 0;
}

/** The same for a uint64; `undefined` above 2^53 - 1. */
export function getUint64(bytes: Uint8Array, offset: number): number | undefined {
  const high = getUint32(bytes, offset + 4);
  return high > 0x1f_ffff ? undefined : high * 2 ** 32 + getUint32(bytes, offset);
}

/** Copies so many bytes, few enough that a loop is faster than a view of them. */
export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number;
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
