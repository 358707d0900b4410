import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import { bech32m } from "@scure/base";
import type { AccountProof } from "../api/index.ts";

/**
 * Which side each step of the way stands on above the list of accounts, from below: the list beside its length, slot 0 of
 * the state's 16, field 6 (`stateRoot`) of the header's 16, the header's core beside its nonce. 1: on the right.
 */
const SIDES_ABOVE = [0, 0, 0, 0, 0, 0, 1, 1, 0, 0];
/** Levels of the list of accounts. */
const LIST_DEPTH = 32;

const uint64Chunk = (value: number): Uint8Array => {
  const chunk = new Uint8Array(32);
  new DataView(chunk.buffer).setBigUint64(0, BigInt(value), true);
  return chunk;
};

/**
 * The id of the block in whose state the account stands as the proof says: hashing leads nowhere else. It is worth as much
 * as that id, so compare it with one that you trust. Throws where the proof has no such form. docs/protocol.md, "Proofs".
 *
 * @example
 * const proof = await client.accountProof(address);
 * if (provenBlock(proof) !== trustedId) throw new Error("not in that block");
 * console.log(proof.balance);
 */
export function provenBlock({ address, index, balance, nonce, siblings }: AccountProof): string {
  if (siblings.length !== LIST_DEPTH + SIDES_ABOVE.length)
    throw new RangeError("an account's proof has 42 hashes");
  const key = bech32m.fromWords(bech32m.decode(address as `${string}1${string}`).words);
  const hash = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(concatBytes(left, right));
  let node = hash(hash(key, uint64Chunk(balance)), hash(uint64Chunk(nonce), new Uint8Array(32)));
  siblings.forEach((hex, level) => {
    const isRight = level < LIST_DEPTH ? Math.floor(index / 2 ** level) % 2 : SIDES_ABOVE[level - LIST_DEPTH];
    const sibling = hexToBytes(hex);
    node = isRight === 1 ? hash(sibling, node) : hash(node, sibling);
  });
  return bytesToHex(node);
}
