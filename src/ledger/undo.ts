import { ContainerType, ListCompositeType } from "@chainsafe/ssz";
import {
  Bytes32,
  bytesToHex,
  hexToBytes,
  MAX_BLOCK_TRANSACTIONS,
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

export function encodeUndo({ before, restored, created }: Undo): Uint8Array {
  return UndoSsz.serialize({
    ...before,
    restored: restored.map((record) => ({ ...record, key: hexToBytes(record.key) })),
    created: created.map(hexToBytes),
  });
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
