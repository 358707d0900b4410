import { createHash } from "node:crypto";

/** Numbers that follow from a seed, so that what was drawn once can be drawn again. */
export interface SeededRandom {
  bytes(length: number): Uint8Array;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
}

const BLOCK_BYTES = 32;

/** SHA-256 of the seed and a counter: nothing here needs to be fast. */
export function createSeededRandom(seed: number): SeededRandom {
  let counter = 0;
  const block = (): Buffer => createHash("sha256").update(`cumulo scenario ${seed} ${counter++}`).digest();
  return {
    bytes(length) {
      const blocks = Array.from({ length: Math.ceil(length / BLOCK_BYTES) }, block);
      return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
    },
    between: (least, most) => least + (block().readUInt32BE(0) % (most - least + 1)),
  };
}
