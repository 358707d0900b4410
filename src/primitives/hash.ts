import { digest } from "@chainsafe/as-sha256";
import { setHasher } from "@chainsafe/persistent-merkle-tree";

/** SHA-256 of any bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // The library answers with a piece of a shared pool, which one long-lived hash would keep alive as a whole.
  const hash = new Uint8Array(32);
  hash.set(digest(bytes));
  return hash;
}

/** Hashes each 64-byte node of `input` to 32 bytes of `output`; lengths must be a multiple of 64, and half of it. */
type HashNodes = (input: Uint8Array, output: Uint8Array) => void;

/** The same function in portable JavaScript: slower, everywhere the native one is not built for. */
export const hashNodesPortable: HashNodes = (input, output) => {
  for (let from = 0, to = 0; from < input.length; from += 64, to += 32) {
    output.set(sha256(input.subarray(from, from + 64)), to);
  }
};

// Native SHA-NI hashing of whole Merkle levels does 28M nodes/s against 0.6M in JavaScript. It is an optional binary:
// where npm has none for this machine, SSZ keeps its own portable hasher, with the same results (tested).
async function loadNative(): Promise<HashNodes | undefined> {
  try {
    const [{ hashInto }, { hasher }] = await Promise.all([
      import("@chainsafe/hashtree"),
      import("@chainsafe/persistent-merkle-tree/hasher/hashtree"),
    ]);
    setHasher(hasher);
    return hashInto;
  } catch {
    return undefined;
  }
}

const native = await loadNative();

/** Hashes a batch of 64-byte nodes: one Merkle level, or one batch of mining attempts. */
export const hashNodes: HashNodes = native ?? hashNodesPortable;

/** SHA-256 of two 32-byte chunks. */
export function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const node = new Uint8Array(64);
  node.set(left, 0);
  node.set(right, 32);
  return sha256(node);
}
