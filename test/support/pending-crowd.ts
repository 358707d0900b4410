import type { Genesis } from "../../src/ledger/index.ts";
import { decodeTransaction, type SealedTransaction } from "../../src/primitives/index.ts";
import { transfer } from "./block-builder.ts";

export interface CrowdMember {
  /** Whose key it is: a number, four bytes of it. */
  readonly sender: number;
  readonly nonce: number;
  readonly to?: number;
  readonly fee?: number;
  readonly expiry?: number;
}

/**
 * Makes transfers of many keys by the hundred thousand, which signing would take minutes for: each has the bytes of a real
 * one with other numbers and keys in it, and so a signature that is none.
 */
export function createCrowd(genesis: Genesis): (member: CrowdMember) => SealedTransaction {
  const pattern = transfer(genesis, { from: "alice", to: "bob", amount: 1_000, nonce: 0 }).bytes;
  return ({ sender, nonce, to = 0, fee = 20_000, expiry = 1_000_000 }) => {
    const bytes = pattern.slice();
    const view = new DataView(bytes.buffer);
    // docs/protocol.md, "Transaction".
    view.setUint32(100, sender, true);
    view.setBigUint64(132, BigInt(nonce), true);
    view.setBigUint64(140, BigInt(fee), true);
    view.setBigUint64(148, BigInt(expiry), true);
    view.setUint32(161, to, true);
    const sealed = decodeTransaction(bytes);
    if (sealed === undefined) throw new Error("a crowd's transfer does not decode");
    return sealed;
  };
}
