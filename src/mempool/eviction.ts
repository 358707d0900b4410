import type { PendingSender, Senders } from "./senders.ts";
import { feeRate, nonceOf, type PendingEntry } from "./types.ts";

/** What a transaction is worth keeping. */
export interface Worth {
  /** Waits behind a missing nonce: worth less than anything that can go on. */
  readonly gapped: boolean;
  /** The lowest fee per byte among it and what must be mined before it. */
  readonly rate: number;
}

export interface Victim extends Worth {
  readonly entry: PendingEntry;
}

export function isWorthMore(a: Worth, b: Worth): boolean {
  return a.gapped === b.gapped ? a.rate > b.rate : b.gapped;
}

/**
 * Which transaction leaves a full mempool next. All are sorted once, and the list is used up from its cheap end; what
 * comes in meanwhile is not in it, but paid more than what was evicted for it. A heap kept up to date would need
 * every sender's later transactions moved whenever an earlier one changes their worth; a list is sorted again only
 * after as many evictions as it has items, or after a head change.
 */
export interface EvictionOrder {
  lowest(): Victim | undefined;
  /** The order no longer fits: a head change took things out or opened gaps. */
  reset(): void;
}

export function createEvictionOrder(
  senders: Senders,
  isPending: (entry: PendingEntry) => boolean,
): EvictionOrder {
  /** Best first, so that the next one is at the end. */
  let victims: Victim[] = [];

  function build(): void {
    for (const sender of senders.values()) {
      let rate = Number.POSITIVE_INFINITY;
      for (const entry of inNonceOrder(sender)) {
        rate = Math.min(rate, feeRate(entry.transaction));
        victims.push({ entry, rate, gapped: nonceOf(entry.transaction) >= sender.gaplessEnd });
      }
    }
    // Of one sender, later nonces are never worth more than earlier ones and leave first.
    victims.sort(
      (a, b) =>
        Number(a.gapped) - Number(b.gapped) ||
        b.rate - a.rate ||
        nonceOf(a.entry.transaction) - nonceOf(b.entry.transaction),
    );
  }

  /** Later nonces that came in after the sorting leave first, or they would be left behind a gap. */
  function lastOfRun({ entry, rate, gapped }: Victim): Victim | undefined {
    const sender = senders.get(entry.transaction.sender);
    if (sender === undefined || !isPending(entry)) return undefined;
    let nonce = nonceOf(entry.transaction);
    if (gapped && nonce < sender.gaplessEnd) return undefined;
    while (sender.byNonce.has(nonce + 1)) nonce++;
    return { entry: sender.byNonce.get(nonce) ?? entry, rate, gapped };
  }

  function next(): Victim | undefined {
    for (let last = victims.at(-1); last !== undefined; last = victims.at(-1)) {
      const victim = lastOfRun(last);
      if (victim !== undefined) return victim;
      victims.pop();
    }
    return undefined;
  }

  return {
    lowest() {
      const victim = next();
      if (victim !== undefined) return victim;
      build();
      return next();
    },
    reset() {
      victims = [];
    },
  };
}

function inNonceOrder({ byNonce }: PendingSender): PendingEntry[] {
  return [...byNonce.values()].sort((a, b) => nonceOf(a.transaction) - nonceOf(b.transaction));
}
