import type { SealedTransaction } from "../primitives/index.ts";
import { createHeap, NO_SLOT } from "./heap.ts";
import { entryAt, lowestRateOf, type Senders } from "./senders.ts";
import { feeRate, type PendingEntry } from "./types.ts";

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
 * What goes into a block first, and what leaves a full mempool first. Along one sender's nonces worth only falls, so one
 * sender is ranked by its first transaction for the one and by its last for the other, and the rest follows: whatever
 * happens to a transaction, one sender changes its place in two heaps, and nobody ever sorts everything.
 */
export interface Ranking {
  /** Something of the sender's has changed. */
  touch(sender: string): void;
  /** Takes in what has changed; whoever asks for the ranking does so too. */
  refresh(): void;
  /** What leaves next: the last nonce of the sender whose last is worth least, of equals the newest. */
  lowest(): Victim | undefined;
  /**
   * Everything that can be paid, best first, the nonces of one sender in order; of equals the oldest. A part of it costs
   * what that part is long. Not to be gone on with after a change.
   */
  select(): Generator<SealedTransaction>;
}

/** Where a sender stood when it was looked at last. */
interface Standing {
  readonly key: string;
  /** Of the first that can be paid. */
  rate: number;
  order: number;
  /** Of the last. */
  gapped: boolean;
  lowestRate: number;
  lastOrder: number;
  /** Its place in either heap. */
  firstSlot: number;
  lastSlot: number;
}

/** One that may go into a block once those before it are in. */
interface Candidate {
  readonly key: string;
  readonly entry: PendingEntry;
  /** The lowest on the way to it. */
  readonly rate: number;
  /** The newest on the way to it: what spends another one's money comes after that at equal rates. */
  readonly order: number;
  /** Where its sender stands among the firsts; undefined for later nonces. */
  readonly firstSlot: number | undefined;
  slot: number;
}

const isBetter = (a: { rate: number; order: number }, b: { rate: number; order: number }): boolean =>
  a.rate === b.rate ? a.order < b.order : a.rate > b.rate;

function leavesBefore(a: Standing, b: Standing): boolean {
  if (a.gapped !== b.gapped) return a.gapped;
  return a.lowestRate === b.lowestRate ? a.lastOrder > b.lastOrder : a.lowestRate < b.lowestRate;
}

const newStanding = (key: string): Standing => ({
  key,
  rate: 0,
  order: 0,
  gapped: false,
  lowestRate: 0,
  lastOrder: 0,
  firstSlot: NO_SLOT,
  lastSlot: NO_SLOT,
});

export function createRanking(senders: Senders): Ranking {
  const standings = new Map<string, Standing>();
  const touched = new Set<string>();
  const firsts = createHeap<"firstSlot", Standing>("firstSlot", isBetter);
  const lasts = createHeap<"lastSlot", Standing>("lastSlot", leavesBefore);

  function place(key: string): void {
    const sender = senders.get(key);
    const last = sender?.entries.at(-1);
    const known = standings.get(key);
    if (sender === undefined || last === undefined) {
      if (known === undefined) return;
      firsts.remove(known);
      lasts.remove(known);
      standings.delete(key);
      return;
    }
    const standing = known ?? newStanding(key);
    if (known === undefined) standings.set(key, standing);
    const canBePaid = sender.payableEnd > sender.accountNonce;
    const first = canBePaid ? entryAt(sender, sender.accountNonce) : undefined;
    if (first === undefined) firsts.remove(standing);
    else {
      standing.rate = feeRate(first.transaction);
      standing.order = first.order;
      firsts.place(standing);
    }
    standing.gapped = last.transaction.nonce >= sender.gaplessEnd;
    standing.lowestRate = lowestRateOf(sender);
    standing.lastOrder = last.order;
    lasts.place(standing);
  }

  function refresh(): void {
    for (const key of touched) place(key);
    touched.clear();
  }

  function candidate(
    key: string,
    nonce: number,
    before?: Candidate,
    firstSlot?: number,
  ): Candidate | undefined {
    const sender = senders.get(key);
    if (sender === undefined || nonce >= sender.payableEnd) return undefined;
    const entry = entryAt(sender, nonce);
    if (entry === undefined) return undefined;
    const rate = Math.min(before?.rate ?? Number.POSITIVE_INFINITY, feeRate(entry.transaction));
    return { key, entry, rate, order: Math.max(before?.order ?? 0, entry.order), firstSlot, slot: NO_SLOT };
  }

  return {
    touch: (key) => void touched.add(key),
    refresh,
    lowest() {
      refresh();
      const { first: standing } = lasts;
      const entry = standing && senders.get(standing.key)?.entries.at(-1);
      return entry && { entry, gapped: standing.gapped, rate: standing.lowestRate };
    },
    *select() {
      refresh();
      const next = createHeap<"slot", Candidate>("slot", isBetter);
      const offer = (one: Candidate | undefined): void => {
        if (one !== undefined) next.place(one);
      };
      const offerFirst = (slot: number): void => {
        const standing = firsts.at(slot);
        const sender = standing && senders.get(standing.key);
        if (sender !== undefined) offer(candidate(standing?.key ?? "", sender.accountNonce, undefined, slot));
      };
      offerFirst(0);
      for (let best = next.first; best !== undefined; best = next.first) {
        next.remove(best);
        yield best.entry.transaction;
        offer(candidate(best.key, best.entry.transaction.nonce + 1, best));
        if (best.firstSlot === undefined) continue;
        offerFirst(2 * best.firstSlot + 1);
        offerFirst(2 * best.firstSlot + 2);
      }
    },
  };
}
