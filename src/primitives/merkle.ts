import { setUint64 } from "./bytes.ts";
import { hashPair } from "./hash.ts";

/** Deepest list of any format. */
const MAX_DEPTH = 32;

/** Roots of empty subtrees by height, from a zero chunk on: what SSZ pads lists with. */
export const EMPTY_ROOTS: readonly Uint8Array[] = emptyRoots();

function emptyRoots(): Uint8Array[] {
  const roots: Uint8Array[] = [new Uint8Array(32)];
  while (roots.length <= MAX_DEPTH) {
    const below = roots[roots.length - 1] as Uint8Array;
    roots.push(hashPair(below, below));
  }
  return roots;
}

/** The SSZ chunk of an integer below 2^53: 8 bytes little-endian, zero-padded to 32. */
export function uint64Chunk(value: number): Uint8Array {
  const chunk = new Uint8Array(32);
  setUint64(chunk, 0, value);
  return chunk;
}
