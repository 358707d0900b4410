/**
 * Primitives: what everybody shares. Formats (SSZ types, ids, leaves), hashing, addresses, amounts, the chain spec.
 * Pure. Knows encodings and identities, not validity: rules live in `consensus/` and `ledger/`.
 *
 * Invariants: for every accepted byte string encode(decode(bytes)) = bytes; sealed values are immutable and their ids
 * match their bytes; ids are lowercase hex without prefix where they are map keys, bytes where they are hashed.
 */
export * from "./address.ts";
export * from "./amount.ts";
export * from "./block.ts";
export * from "./bytes.ts";
export * from "./hash.ts";
export * from "./merkle.ts";
export * from "./spec.ts";
export * from "./ssz.ts";
export * from "./transaction.ts";
