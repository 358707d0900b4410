import { PASSED, type Refusal, refuse, refuseForNow, type Verdict } from "../consensus/index.ts";
import {
  type Block,
  bytesToHex,
  type ChainSpec,
  MAX_ACCOUNTS,
  rewardAt,
  type SealedTransaction,
} from "../primitives/index.ts";
import type { AccountKey, AccountRecord, AccountView, LedgerTotals } from "./accounts.ts";
import { minimumFee } from "./transaction-rules.ts";
import type { Undo } from "./undo.ts";

/** What one block does to the state, both ways. */
export interface StateChange {
  /** Every account touched, with its new values, in order of first touch. */
  readonly accounts: readonly AccountRecord[];
  readonly totals: LedgerTotals;
  readonly undo: Undo;
}

/** A block's execution in progress. */
export interface Transition {
  /** Executes one transaction (already sane); a refusal leaves everything as it was. */
  apply(transaction: SealedTransaction): Verdict;
  /** Pays fees and reward to the proposer and closes the transition. */
  finish(proposer: Uint8Array): StateChange;
}

/** Keys that executing the block may read; fetch them before calling `applyBlock`. */
export function touchedKeys(
  transactions: Iterable<SealedTransaction>,
  proposer: Uint8Array,
): Set<AccountKey> {
  const keys = new Set<AccountKey>();
  for (const { sender, recipient } of transactions) keys.add(sender).add(recipient);
  return keys.add(bytesToHex(proposer));
}

interface Touched {
  readonly index: number;
  readonly key: AccountKey;
  balance: number;
  nonce: number;
  readonly before: AccountRecord | undefined;
}

/** Starts executing a block of `height` on the state shown by `view` and `totals`. */
export function createTransition(
  spec: ChainSpec,
  view: AccountView,
  totals: LedgerTotals,
  height: number,
): Transition {
  const touched = new Map<AccountKey, Touched>();
  let accounts = totals.accounts;
  let burned = totals.burned;
  let fees = 0;

  function load(key: AccountKey): Touched | undefined {
    const already = touched.get(key);
    if (already !== undefined) return already;
    const before = view.get(key);
    if (before === undefined) return undefined;
    const account = { index: before.index, key, balance: before.balance, nonce: before.nonce, before };
    touched.set(key, account);
    return account;
  }

  function create(key: AccountKey): Touched {
    if (accounts >= MAX_ACCOUNTS) throw new Error("the list of accounts is full");
    const account = { index: accounts++, key, balance: 0, nonce: 0, before: undefined };
    touched.set(key, account);
    return account;
  }

  return {
    apply(sealed) {
      const { nonce, fee, expiry, amount } = sealed;
      if (expiry < height) return refuse("TX-07", `transaction ${sealed.txid} expired at height ${expiry}`);
      const sender = load(sealed.sender);
      const expected = sender?.nonce ?? 0;
      if (nonce !== expected) {
        const detail = `transaction ${sealed.txid} has nonce ${nonce}; the sender's next is ${expected}`;
        return nonce > expected ? refuseForNow("TX-08", detail) : refuse("TX-08", detail);
      }
      const cost = amount + fee;
      if (sender === undefined || sender.balance < cost) {
        return refuseForNow(
          "TX-09",
          `transaction ${sealed.txid} costs ${cost}; the sender has ${sender?.balance ?? 0}`,
        );
      }
      let recipient = load(sealed.recipient);
      const creationFee = recipient === undefined ? spec.accountCreationFee : 0;
      const least = minimumFee(spec, sealed.bytes.length) + creationFee;
      if (fee < least) {
        return refuseForNow(
          "TX-10",
          `transaction ${sealed.txid} creates an account; its fee ${fee} is below ${least}`,
        );
      }
      recipient ??= create(sealed.recipient);
      sender.balance -= cost;
      sender.nonce += 1;
      recipient.balance += amount;
      burned += creationFee;
      fees += fee - creationFee;
      return PASSED;
    },
    finish(proposer) {
      const reward = rewardAt(spec, height);
      if (reward + fees > 0) {
        const key = bytesToHex(proposer);
        const account = load(key) ?? create(key);
        account.balance += reward + fees;
      }
      const after = { accounts, issued: totals.issued + reward, burned };
      const change = toChange(touched, totals, after);
      assertSupplyKept(change);
      return change;
    },
  };
}

function toChange(
  touched: Map<AccountKey, Touched>,
  before: LedgerTotals,
  totals: LedgerTotals,
): StateChange {
  const accounts: AccountRecord[] = [];
  const restored: AccountRecord[] = [];
  const created: AccountKey[] = [];
  for (const { index, key, balance, nonce, before: old } of touched.values()) {
    if (old === undefined) created.push(key);
    else if (old.balance === balance && old.nonce === nonce) continue;
    else restored.push(old);
    accounts.push({ index, key, balance, nonce });
  }
  return { accounts, totals, undo: { before, restored, created } };
}

/** Balances + burned = issued, by this block's exact difference. A violation is our bug, never a peer's fault. */
function assertSupplyKept({ accounts, totals, undo }: StateChange): void {
  let balances = 0;
  for (const { balance } of accounts) {
    if (!(balance >= 0 && Number.isSafeInteger(balance))) throw new Error(`a balance became ${balance}`);
    balances += balance;
  }
  for (const { balance } of undo.restored) balances -= balance;
  const issued = totals.issued - undo.before.issued;
  const burned = totals.burned - undo.before.burned;
  if (balances + burned !== issued) {
    throw new Error(
      `supply broken: balances changed by ${balances}, burned by ${burned}, issued by ${issued}`,
    );
  }
}

export type Execution = { readonly ok: true; readonly change: StateChange } | Refusal;

/** Executes a whole block (already sane). Any refusal refuses the block, for good: its parent state is fixed. */
export function applyBlock(
  spec: ChainSpec,
  view: AccountView,
  totals: LedgerTotals,
  block: Block,
): Execution {
  const { height, proposer } = block.header.header.core;
  const transition = createTransition(spec, view, totals, height);
  for (const transaction of block.transactions) {
    const verdict = transition.apply(transaction);
    if (!verdict.ok) return { ...verdict, permanence: "permanent" };
  }
  return { ok: true, change: transition.finish(proposer) };
}
