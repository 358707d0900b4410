import { setUint64 } from "./bytes.ts";
import { hashNodes, hashPair } from "./hash.ts";

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

/**
 * Root of an SSZ list of 32-byte chunks that holds 2^`depth` at most: the chunks, padded with zero chunks, and then
 * their number. A level at a time in native batches, where the library makes an object of every chunk.
 */
export function chunkListRoot(chunks: readonly Uint8Array[], depth: number): Uint8Array {
  let length = chunks.length;
  let nodes = new Uint8Array(32 * length + 32);
  for (let i = 0; i < length; i++) nodes.set(chunks[i] as Uint8Array, 32 * i);
  for (let height = 0; height < depth && length > 0; height++) {
    if (length % 2 === 1) nodes.set(EMPTY_ROOTS[height] as Uint8Array, 32 * length);
    length = Math.ceil(length / 2);
    const parents = new Uint8Array(32 * length + 32);
    hashNodes(nodes.subarray(0, 64 * length), parents.subarray(0, 32 * length));
    nodes = parents;
  }
  const root = length === 0 ? (EMPTY_ROOTS[depth] as Uint8Array) : nodes.subarray(0, 32);
  return hashPair(root, uint64Chunk(chunks.length));
}
