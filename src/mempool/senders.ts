import type { SealedTransaction } from "../primitives/index.ts";
import { costOf, feeRate, type PendingEntry, type SenderState } from "./types.ts";

/** One account with pending transactions. */
export interface PendingSender {
  /** By nonce, ascending. */
  readonly entries: PendingEntry[];
  /** The account's, as far as this pool has been told. */
  accountNonce: number;
  balance: number;
  /** Cost of everything pending, base units. */
  cost: number;
  /** First nonce from the account's on that is not pending. */
  gaplessEnd: number;
  /** From the account's nonce up to this one the sender can pay: with its balance and what pending transfers bring. */
  payableEnd: number;
  payableCost: number;
  /** The account's nonce has moved on: what is below it must leave. */
  hasUsedNonces: boolean;
  /** The lowest fee per byte of all; undefined after the lowest has left. Read it with `lowestRateOf`. */
  lowestRate: number | undefined;
}

/**
 * Pending transactions by sender, and what they would bring to whom. Only a transfer that its own sender can pay, with
 * nothing missing before it, counts for its recipient; otherwise one transfer that never runs would let any number of
 * others in. Counting is a fixed point over chains of transfers: losses spread at once (`shrink`), gains where the
 * accounts are up to date (`grow`); as each only goes one way, both end.
 */
export interface Senders {
  get(key: string): PendingSender | undefined;
  /** What the account can spend, pending transfers to it included. */
  funds(key: string, balance: number): number;
  insert(entry: PendingEntry, state: SenderState): void;
  remove(entry: PendingEntry): void;
  /**
   * A block executed it: its nonce is used, money moved, and what was pending with that nonce is out, and handed back. What
   * comes later of its sender stays as it was, so that a block costs what it is long and not what is pending.
   */
  mined(transaction: SealedTransaction): PendingEntry | undefined;
  /** Learns accounts at a new head; no effect for those with nothing pending. */
  setAccounts(states: ReadonlyMap<string, SenderState>): void;
  /** Takes accounts that lost funds or moved on, one by one, so that they must be looked at again; also those that do so meanwhile. */
  takeDirty(): Iterable<string>;
}

/** Where the entry with this nonce is among the sender's, or would be. */
function placeOf({ entries }: PendingSender, nonce: number): number {
  const [first] = entries;
  if (first === undefined) return 0;
  // Without gaps it is where it must be; with gaps before it, lower.
  let high = Math.min(Math.max(nonce - first.transaction.nonce, 0), entries.length);
  const guessed = entries[high];
  if (guessed !== undefined && guessed.transaction.nonce === nonce) return high;
  let low = 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as PendingEntry).transaction.nonce < nonce) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function entryAt(sender: PendingSender, nonce: number): PendingEntry | undefined {
  const entry = sender.entries[placeOf(sender, nonce)];
  return entry !== undefined && entry.transaction.nonce === nonce ? entry : undefined;
}

/** The lowest fee per byte of all the sender has pending. */
export function lowestRateOf(sender: PendingSender): number {
  sender.lowestRate ??= sender.entries.reduce(
    (lowest, { transaction }) => Math.min(lowest, feeRate(transaction)),
    Number.POSITIVE_INFINITY,
  );
  return sender.lowestRate;
}

/** `touched` is told of each sender of whose transactions something has changed. */
export function createSenders(touched: (key: string) => void): Senders {
  const senders = new Map<string, PendingSender>();
  const incoming = new Map<string, number>();
  const dirty = new Set<string>();

  /** A transfer to oneself brings nothing: it would pay for itself. */
  function credit({ transaction }: PendingEntry, sign: 1 | -1): string | undefined {
    if (transaction.recipient === transaction.sender) return undefined;
    const sum = (incoming.get(transaction.recipient) ?? 0) + sign * transaction.amount;
    if (sum > 0) incoming.set(transaction.recipient, sum);
    else incoming.delete(transaction.recipient);
    return transaction.recipient;
  }

  const funds = (key: string, balance: number): number => balance + (incoming.get(key) ?? 0);

  /** It counts as payable no more; answers who loses by it. */
  function unpay(sender: PendingSender, entry: PendingEntry, losers: string[]): void {
    sender.payableCost -= costOf(entry.transaction);
    const loser = credit(entry, -1);
    if (loser !== undefined) losers.push(loser);
  }

  /** Takes the payable ones back down to `end`. */
  function truncate(sender: PendingSender, end: number, losers: string[]): void {
    while (sender.payableEnd > Math.max(end, sender.accountNonce)) {
      const entry = entryAt(sender, --sender.payableEnd);
      if (entry !== undefined) unpay(sender, entry, losers);
    }
  }

  function shrink(losers: string[]): void {
    for (let key = losers.pop(); key !== undefined; key = losers.pop()) {
      const sender = senders.get(key);
      if (sender === undefined) continue;
      dirty.add(key);
      while (sender.payableCost > funds(key, sender.balance) && sender.payableEnd > sender.accountNonce) {
        truncate(sender, sender.payableEnd - 1, losers);
        touched(key);
      }
    }
  }

  function grow(winners: string[]): void {
    for (let key = winners.pop(); key !== undefined; key = winners.pop()) {
      const sender = senders.get(key);
      if (sender === undefined) continue;
      for (;;) {
        const entry = entryAt(sender, sender.payableEnd);
        if (entry === undefined) break;
        const cost = sender.payableCost + costOf(entry.transaction);
        if (cost > funds(key, sender.balance)) break;
        sender.payableCost = cost;
        sender.payableEnd++;
        touched(key);
        const winner = credit(entry, 1);
        if (winner !== undefined) winners.push(winner);
      }
    }
  }

  function extendGapless(sender: PendingSender): void {
    while (entryAt(sender, sender.gaplessEnd) !== undefined) sender.gaplessEnd++;
  }

  /** The account's nonce goes up to `nonce`: the payable ones below it are no more; what comes after them stays so. */
  function advance(sender: PendingSender, nonce: number, losers: string[]): void {
    for (let used = sender.accountNonce; used < Math.min(nonce, sender.payableEnd); used++) {
      const entry = entryAt(sender, used);
      if (entry !== undefined) unpay(sender, entry, losers);
    }
    sender.accountNonce = nonce;
    sender.payableEnd = Math.max(sender.payableEnd, nonce);
    sender.gaplessEnd = Math.max(sender.gaplessEnd, nonce);
  }

  function setAccount(key: string, { nonce, balance }: SenderState): void {
    const sender = senders.get(key);
    if (sender === undefined || (sender.accountNonce === nonce && sender.balance === balance)) return;
    const losers = [key];
    if (nonce > sender.accountNonce) {
      advance(sender, nonce, losers);
      sender.hasUsedNonces = true;
      extendGapless(sender);
    } else if (nonce < sender.accountNonce) {
      truncate(sender, 0, losers);
      sender.accountNonce = nonce;
      sender.payableEnd = nonce;
      sender.gaplessEnd = nonce;
      extendGapless(sender);
    }
    sender.balance = balance;
    touched(key);
    shrink(losers);
  }

  function takeOut(key: string, sender: PendingSender, entry: PendingEntry): void {
    const { entries } = sender;
    const place = placeOf(sender, entry.transaction.nonce);
    if (place === 0) entries.shift();
    else entries.splice(place, 1);
    sender.cost -= costOf(entry.transaction);
    if (feeRate(entry.transaction) === sender.lowestRate) sender.lowestRate = undefined;
    if (entries.length === 0) senders.delete(key);
    touched(key);
  }

  return {
    get: (key) => senders.get(key),
    funds,
    insert(entry, state) {
      const { sender: key } = entry.transaction;
      if (!senders.has(key)) {
        senders.set(key, {
          entries: [],
          accountNonce: state.nonce,
          balance: state.balance,
          cost: 0,
          gaplessEnd: state.nonce,
          payableEnd: state.nonce,
          payableCost: 0,
          hasUsedNonces: false,
          lowestRate: Number.POSITIVE_INFINITY,
        });
      }
      setAccount(key, state);
      const sender = senders.get(key);
      if (sender === undefined) return;
      // One that is put back after it made way: its sender may have been forgotten, and that it must be looked at.
      if (entry.transaction.nonce < sender.accountNonce) sender.hasUsedNonces = true;
      sender.entries.splice(placeOf(sender, entry.transaction.nonce), 0, entry);
      sender.cost += costOf(entry.transaction);
      if (sender.lowestRate !== undefined)
        sender.lowestRate = Math.min(sender.lowestRate, feeRate(entry.transaction));
      touched(key);
      extendGapless(sender);
      grow([key]);
    },
    remove(entry) {
      const { sender: key } = entry.transaction;
      const sender = senders.get(key);
      if (sender === undefined) return;
      const nonce = entry.transaction.nonce;
      const losers: string[] = [];
      if (nonce >= sender.accountNonce) {
        truncate(sender, nonce, losers);
        sender.gaplessEnd = Math.min(sender.gaplessEnd, nonce);
      }
      takeOut(key, sender, entry);
      shrink(losers);
    },
    mined(transaction) {
      const nonce = transaction.nonce;
      // What was counted as coming is there now.
      const recipient = senders.get(transaction.recipient);
      if (recipient !== undefined) recipient.balance += transaction.amount;
      const sender = senders.get(transaction.sender);
      if (sender === undefined) return undefined;
      sender.balance -= costOf(transaction);
      const entry = entryAt(sender, nonce);
      const losers = [transaction.sender];
      if (nonce === sender.accountNonce) {
        advance(sender, nonce + 1, losers);
        touched(transaction.sender);
      } else if (nonce > sender.accountNonce) truncate(sender, nonce, losers);
      if (entry !== undefined) takeOut(transaction.sender, sender, entry);
      extendGapless(sender);
      shrink(losers);
      return entry;
    },
    setAccounts(states) {
      for (const [key, state] of states) setAccount(key, state);
      grow([...states.keys(), ...dirty]);
    },
    *takeDirty() {
      for (const key of dirty) {
        dirty.delete(key);
        yield key;
      }
    },
  };
}
