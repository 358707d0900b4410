import type { PendingEntry, SenderState } from "./types.ts";
import { costOf, nonceOf } from "./types.ts";

/** One account with pending transactions. */
export interface PendingSender {
  readonly byNonce: Map<number, PendingEntry>;
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
}

/**
 * Pending transactions by sender, and what they would bring to whom. Only a transfer that its own sender can pay, with
 * nothing missing before it, counts for its recipient; otherwise one transfer that never runs would let any number of
 * others in. Counting is a fixed point over chains of transfers: losses spread at once (`shrink`), gains where the
 * accounts are up to date (`grow`); as each only goes one way, both end.
 */
export interface Senders {
  get(key: string): PendingSender | undefined;
  values(): Iterable<PendingSender>;
  /** What the account can spend, pending transfers to it included. */
  funds(key: string, balance: number): number;
  /** What pending transfers that can be paid bring to the account. */
  incoming(key: string): number;
  insert(entry: PendingEntry, state: SenderState): void;
  remove(entry: PendingEntry): void;
  /** Learns accounts at a new head; no effect for those with nothing pending. */
  setAccounts(states: ReadonlyMap<string, SenderState>): void;
  /** Accounts that lost funds or moved on since the last call, so that they must be looked at again. */
  takeDirty(): readonly string[];
}

export function createSenders(): Senders {
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

  /** Takes the payable ones back down to `end`; answers who loses by it. */
  function truncate(sender: PendingSender, end: number, losers: string[]): void {
    while (sender.payableEnd > Math.max(end, sender.accountNonce)) {
      const entry = sender.byNonce.get(--sender.payableEnd);
      if (entry === undefined) continue;
      sender.payableCost -= costOf(entry.transaction);
      const loser = credit(entry, -1);
      if (loser !== undefined) losers.push(loser);
    }
  }

  function shrink(losers: string[]): void {
    for (let key = losers.pop(); key !== undefined; key = losers.pop()) {
      const sender = senders.get(key);
      if (sender === undefined) continue;
      dirty.add(key);
      while (sender.payableCost > funds(key, sender.balance) && sender.payableEnd > sender.accountNonce) {
        truncate(sender, sender.payableEnd - 1, losers);
      }
    }
  }

  function grow(winners: string[]): void {
    for (let key = winners.pop(); key !== undefined; key = winners.pop()) {
      const sender = senders.get(key);
      if (sender === undefined) continue;
      for (;;) {
        const entry = sender.byNonce.get(sender.payableEnd);
        if (entry === undefined) break;
        const cost = sender.payableCost + costOf(entry.transaction);
        if (cost > funds(key, sender.balance)) break;
        sender.payableCost = cost;
        sender.payableEnd++;
        const winner = credit(entry, 1);
        if (winner !== undefined) winners.push(winner);
      }
    }
  }

  function extendGapless(sender: PendingSender): void {
    while (sender.byNonce.has(sender.gaplessEnd)) sender.gaplessEnd++;
  }

  function setAccount(key: string, { nonce, balance }: SenderState): void {
    const sender = senders.get(key);
    if (sender === undefined || (sender.accountNonce === nonce && sender.balance === balance)) return;
    const losers = [key];
    if (sender.accountNonce !== nonce) {
      truncate(sender, 0, losers);
      sender.hasUsedNonces ||= nonce > sender.accountNonce;
      sender.accountNonce = nonce;
      sender.gaplessEnd = nonce;
      sender.payableEnd = nonce;
      extendGapless(sender);
    }
    sender.balance = balance;
    shrink(losers);
  }

  return {
    get: (key) => senders.get(key),
    values: () => senders.values(),
    funds,
    incoming: (key) => incoming.get(key) ?? 0,
    insert(entry, state) {
      const { sender: key } = entry.transaction;
      if (!senders.has(key)) {
        senders.set(key, {
          byNonce: new Map(),
          accountNonce: state.nonce,
          balance: state.balance,
          cost: 0,
          gaplessEnd: state.nonce,
          payableEnd: state.nonce,
          payableCost: 0,
          hasUsedNonces: false,
        });
      }
      setAccount(key, state);
      const sender = senders.get(key);
      if (sender === undefined) return;
      sender.byNonce.set(nonceOf(entry.transaction), entry);
      sender.cost += costOf(entry.transaction);
      extendGapless(sender);
      grow([key]);
    },
    remove(entry) {
      const { sender: key } = entry.transaction;
      const sender = senders.get(key);
      if (sender === undefined) return;
      const nonce = nonceOf(entry.transaction);
      const losers: string[] = [];
      if (nonce >= sender.accountNonce) truncate(sender, nonce, losers);
      sender.byNonce.delete(nonce);
      sender.cost -= costOf(entry.transaction);
      if (nonce >= sender.accountNonce) sender.gaplessEnd = Math.min(sender.gaplessEnd, nonce);
      if (sender.byNonce.size === 0) senders.delete(key);
      shrink(losers);
    },
    setAccounts(states) {
      for (const [key, state] of states) setAccount(key, state);
      grow([...states.keys(), ...dirty]);
    },
    takeDirty() {
      const taken = [...dirty];
      dirty.clear();
      return taken;
    },
  };
}
