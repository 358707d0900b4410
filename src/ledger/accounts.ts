import { type AccountSsz, bytesToHex, hexToBytes } from "../primitives/index.ts";

/** Hex of an account's public key. */
export type AccountKey = string;

/** One account with its place in the state's list. Immutable. */
export interface AccountRecord {
  /** Position in the list of accounts; given when the account is first touched, kept for ever. */
  readonly index: number;
  readonly key: AccountKey;
  /** Base units. */
  readonly balance: number;
  /** Transactions sent so far, which is the nonce of the next. */
  readonly nonce: number;
}

/** Sums over the whole state. Balances + burned = issued, always. */
export interface LedgerTotals {
  /** How many accounts there are; also the index of the next one. */
  readonly accounts: number;
  /** Base units ever issued: allocations and rewards. */
  readonly issued: number;
  readonly burned: number;
}

/**
 * The state before a block, as far as the block touches it. Synchronous: whoever runs a transition fetches beforehand
 * (`touchedKeys` says what), so that the ledger needs no I/O.
 */
export interface AccountView {
  get(key: AccountKey): AccountRecord | undefined;
}

/** The SSZ value of a record. */
export function accountValue({
  key,
  balance,
  nonce,
}: AccountRecord): ReturnType<typeof AccountSsz.defaultValue> {
  return { key: hexToBytes(key), balance, nonce };
}

export function accountKeyOf(publicKey: Uint8Array): AccountKey {
  return bytesToHex(publicKey);
}
