import { bigintToBytes, compareBytes } from "../../primitives/index.ts";

const TWO_256 = 2n ** 256n;
const HIGHEST_TARGET = new Uint8Array(32).fill(0xff);

/**
 * floor(2^256 / difficulty) as 32 big-endian bytes, for difficulty >= 1. Difficulty 1 would need a 33rd byte: its target
 * is all ones, which differs only for the one id 2^256 - 1; `meetsTarget` is exact about it.
 */
export function targetOf(difficulty: bigint): Uint8Array {
  if (difficulty < 1n) throw new RangeError(`difficulty is at least 1, not ${difficulty}`);
  return difficulty === 1n ? HIGHEST_TARGET : bigintToBytes(TWO_256 / difficulty, 32);
}

/** Whether an id, read big-endian, is below floor(2^256 / difficulty). */
export function meetsTarget(id: Uint8Array, difficulty: bigint): boolean {
  if (difficulty < 1n) return false;
  return difficulty === 1n || compareBytes(id, targetOf(difficulty)) < 0;
}

/** Work as text: hex without padding. */
export function formatWork(work: bigint): string {
  return work.toString(16);
}
