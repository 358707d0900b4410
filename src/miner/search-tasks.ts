/** Nonce search as a worker task: a pure function of its input, run on threads by the worker pool. */
// Straight to the native hasher where there is one: all of primitives/ would cost each thread 20 MiB and a quarter of
// a second. Elsewhere its portable form, with the same results, is worth that.
const hashNodes: (input: Uint8Array, output: Uint8Array) => void = await import("@chainsafe/hashtree").then(
  ({ hashInto }) => hashInto,
  async () => (await import("../primitives/index.ts")).hashNodesPortable,
);

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

/** The part that is the same for every attempt of one search. */
function fillRoot(coreRoot: Uint8Array, count: number): void {
  for (let i = 0; i < count; i++) input.set(coreRoot, i * NODE_BYTES);
}

function fillNonces(startNonce: number, count: number): void {
  for (let i = 0, at = 32; i < count; i++, at += NODE_BYTES) {
    const nonce = startNonce + i;
    inputView.setUint32(at, nonce >>> 0, true);
    inputView.setUint32(at + 4, Math.floor(nonce / 2 ** 32), true);
  }
}

/** Both big-endian and of one length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at !== -1 && (a[at] as number) < (b[at] as number);
}

/** Tries nonces upwards from `startNonce` until an id is below the target. */
export function searchNonce({ coreRoot, target, startNonce, count }: SearchInput): SearchResult {
  const end = Math.min(startNonce + count, Number.MAX_SAFE_INTEGER + 1);
  // Nearly every id fails on its first four bytes; only the rest are compared whole.
  const targetHead = new DataView(target.buffer, target.byteOffset).getUint32(0, false);
  fillRoot(coreRoot, Math.min(BATCH, Math.max(0, end - startNonce)));
  for (let start = startNonce; start < end; start += BATCH) {
    const batch = Math.min(BATCH, end - start);
    fillNonces(start, batch);
    hashNodes(input.subarray(0, batch * NODE_BYTES), output.subarray(0, batch * ID_BYTES));
    for (let i = 0; i < batch; i++) {
      if (outputView.getUint32(i * ID_BYTES, false) > targetHead) continue;
      const id = output.subarray(i * ID_BYTES, (i + 1) * ID_BYTES);
      if (isBelow(id, target)) {
        return { nonce: start + i, id: id.slice(), tried: start + batch - startNonce };
      }
    }
  }
  return { nonce: undefined, id: undefined, tried: Math.max(0, end - startNonce) };
}

/** What the worker pool runs by name. */
export const tasks = { searchNonce };
export type SearchTasks = typeof tasks;
