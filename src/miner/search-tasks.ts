/** Nonce search as a worker task: a pure function of its input, run on threads by the worker pool. */
import { compareBytes, hashNodes } from "../primitives/index.ts";

/** Attempts hashed per call of the native hasher: 64 KiB in and 32 KiB out, which stays in the processor's cache. */
const BATCH = 1_024;
const NODE_BYTES = 64;
const ID_BYTES = 32;

export interface SearchInput {
  /** hash_tree_root of the header core, 32 bytes. */
  readonly coreRoot: Uint8Array;
  /** 32 bytes, big-endian; an id must be below it. */
  readonly target: Uint8Array;
  /** The first nonce to try, in [0, 2^53). */
  readonly startNonce: number;
  /** How many nonces to try at most; the search also ends at 2^53. */
  readonly count: number;
}

export interface SearchResult {
  /** The lowest nonce of the range that makes a valid id; undefined when there is none. */
  readonly nonce: number | undefined;
  /** The block id it makes. */
  readonly id: Uint8Array | undefined;
  /** Nonces hashed. */
  readonly tried: number;
}

// Kept between calls: a thread runs one task at a time, and filling 64 KiB anew would cost more than a short search.
const input = new Uint8Array(BATCH * NODE_BYTES);
const output = new Uint8Array(BATCH * ID_BYTES);
const inputView = new DataView(input.buffer);
const outputView = new DataView(output.buffer);

function fill(coreRoot: Uint8Array, startNonce: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const at = i * NODE_BYTES;
    const nonce = startNonce + i;
    input.set(coreRoot, at);
    inputView.setUint32(at + 32, nonce >>> 0, true);
    inputView.setUint32(at + 36, Math.floor(nonce / 2 ** 32), true);
  }
}

/** Tries nonces upwards from `startNonce` until an id is below the target. */
export function searchNonce({ coreRoot, target, startNonce, count }: SearchInput): SearchResult {
  const end = Math.min(startNonce + count, Number.MAX_SAFE_INTEGER + 1);
  // Nearly every id fails on its first four bytes; only the rest are compared whole.
  const targetHead = new DataView(target.buffer, target.byteOffset).getUint32(0, false);
  for (let start = startNonce; start < end; start += BATCH) {
    const batch = Math.min(BATCH, end - start);
    fill(coreRoot, start, batch);
    hashNodes(input.subarray(0, batch * NODE_BYTES), output.subarray(0, batch * ID_BYTES));
    for (let i = 0; i < batch; i++) {
      if (outputView.getUint32(i * ID_BYTES, false) > targetHead) continue;
      const id = output.subarray(i * ID_BYTES, (i + 1) * ID_BYTES);
      if (compareBytes(id, target) < 0) {
        return { nonce: start + i, id: id.slice(), tried: start + batch - startNonce };
      }
    }
  }
  return { nonce: undefined, id: undefined, tried: Math.max(0, end - startNonce) };
}

/** What the worker pool runs by name. */
export const tasks = { searchNonce };
export type SearchTasks = typeof tasks;
