import type { AccountKey, Genesis } from "../ledger/index.ts";
import type { Write } from "../ports/index.ts";
import {
  type BlockBody,
  bytesToHex,
  type ChainSpec,
  rewardAt,
  type SealedHeader,
} from "../primitives/index.ts";
import { encodeEntry, encodeHeight, entryKey, heightKey, REWARD_POSITION } from "./history-rows.ts";

/** Rows of what genesis gave. */
export function allocationWrites({ block, state }: Genesis): Write[] {
  const entry = { direction: "allocation", transaction: undefined, counterpart: undefined, fee: 0 } as const;
  const { id, header } = block.header;
  return [
    ...state.accounts.map(({ key, balance }) => ({
      key: entryKey(key, { height: 0, position: 0 }),
      value: encodeEntry({ ...entry, amount: balance }),
    })),
    { key: heightKey(0), value: encodeHeight({ block: id, timestampMs: header.core.timestampMs }) },
  ];
}

/** A connected block as the index reads it. */
export interface ConnectedBlock {
  readonly header: SealedHeader;
  readonly transactions: BlockBody["transactions"];
  /** Accounts that it created. */
  readonly created: readonly AccountKey[];
}

/** Rows of what a block did to the accounts that it names. */
export function blockWrites(spec: ChainSpec, { header, transactions, created }: ConnectedBlock): Write[] {
  const { height, proposer, timestampMs } = header.header.core;
  const writes: Write[] = [
    { key: heightKey(height), value: encodeHeight({ block: header.id, timestampMs }) },
  ];
  const fresh = new Set(created);
  let income = rewardAt(spec, height);
  for (const [position, { txid, sender, recipient, fee, amount }] of transactions.entries()) {
    // The fee for a new account is burned out of the fee of the first transfer to it.
    income += fee - (fresh.delete(recipient) ? spec.accountCreationFee : 0);
    const at = { height, position };
    const value = (direction: "in" | "out" | "self", counterpart: AccountKey): Uint8Array =>
      encodeEntry({ direction, transaction: txid, counterpart, amount, fee });
    if (sender === recipient) writes.push({ key: entryKey(sender, at), value: value("self", sender) });
    else {
      writes.push({ key: entryKey(sender, at), value: value("out", recipient) });
      writes.push({ key: entryKey(recipient, at), value: value("in", sender) });
    }
  }
  if (income > 0) {
    const entry = { direction: "reward", transaction: undefined, counterpart: undefined, fee: 0 } as const;
    const key = entryKey(bytesToHex(proposer), { height, position: REWARD_POSITION });
    writes.push({ key, value: encodeEntry({ ...entry, amount: income }) });
  }
  return writes;
}

/** Takes away what `blockWrites` wrote, whatever that was. */
export function blockRemovals({ header, transactions }: Omit<ConnectedBlock, "created">): Write[] {
  const { height, proposer } = header.header.core;
  const removed = (account: AccountKey, position: number): Write => ({
    key: entryKey(account, { height, position }),
    value: undefined,
  });
  return [
    { key: heightKey(height), value: undefined },
    ...transactions.flatMap(({ sender, recipient }, position) => [
      removed(sender, position),
      removed(recipient, position),
    ]),
    removed(bytesToHex(proposer), REWARD_POSITION),
  ];
}
