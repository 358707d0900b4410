// Computation only: the one thing of node:crypto that a pure folder may use, and only here.
import { hash } from "node:crypto";
import { setHasher } from "@chainsafe/persistent-merkle-tree";

/** SHA-256 of any bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // As text and back, one byte a character: twice as fast as asking for a Buffer, three times as WebAssembly.
  const text = hash("sha256", bytes, "binary");
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/** The same in lowercase hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
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
