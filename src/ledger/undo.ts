import { ContainerType, ListCompositeType } from "@chainsafe/ssz";
import {
  Bytes32,
  bytesToHex,
  MAX_BLOCK_TRANSACTIONS,
  setHex,
  setUint32,
  setUint64,
  Uint32,
  Uint64,
} from "../primitives/index.ts";
import type { AccountKey, AccountRecord, LedgerTotals } from "./accounts.ts";

/** What a block overwrote: enough to put the state back exactly as it was before. */
export interface Undo {
  readonly before: LedgerTotals;
  /** Accounts that existed before, with their old values. */
  readonly restored: readonly AccountRecord[];
  /** Accounts that the block created, in index order from `before.accounts` on; they vanish. */
  readonly created: readonly AccountKey[];
}

// A transaction touches two accounts at most, the reward one more.
const MAX_TOUCHED = 2 * MAX_BLOCK_TRANSACTIONS + 1;
const UndoSsz = new ContainerType({
  accounts: Uint64,
  issued: Uint64,
  burned: Uint64,
  restored: new ListCompositeType(
    new ContainerType({ index: Uint32, key: Bytes32, balance: Uint64, nonce: Uint64 }),
    MAX_TOUCHED,
  ),
  created: new ListCompositeType(Bytes32, MAX_TOUCHED),
});

/** Three totals, then the offsets of the two lists. */
const FIXED_BYTES = 32;
const RESTORED_BYTES = 52;

/** By hand, as every block of a sync has some hundred records; tests decode it with the library. */
export function encodeUndo({ before, restored, created }: Undo): Uint8Array {
  const createdAt = FIXED_BYTES + restored.length * RESTORED_BYTES;
  const bytes = new Uint8Array(createdAt + created.length * 32);
  setUint64(bytes, 0, before.accounts);
  setUint64(bytes, 8, before.issued);
  setUint64(bytes, 16, before.burned);
  setUint32(bytes, 24, FIXED_BYTES);
  setUint32(bytes, 28, createdAt);
  let at = FIXED_BYTES;
  for (const { index, key, balance, nonce } of restored) {
    setUint32(bytes, at, index);
    setHex(bytes, at + 4, key);
    setUint64(bytes, at + 36, balance);
    setUint64(bytes, at + 44, nonce);
    at += RESTORED_BYTES;
  }
  created.forEach((key, i) => {
    setHex(bytes, createdAt + i * 32, key);
  });
  return bytes;
}

/** Throws where the bytes are not undo data: they come from our own store. */
export function decodeUndo(bytes: Uint8Array): Undo {
  const { restored, created, ...before } = UndoSsz.deserialize(bytes);
  return {
    before,
    restored: restored.map((record) => ({ ...record, key: bytesToHex(record.key) })),
    created: created.map(bytesToHex),
  };
}
