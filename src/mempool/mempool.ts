import { minimumFee } from "../ledger/index.ts";
import type { ChainSpec, Leaf, SealedTransaction, TxId } from "../primitives/index.ts";
import { createArrivalIndex, createExpiryIndex, createLeafIndex } from "./indexes.ts";
import { createRanking, isWorthMore, type Worth } from "./ranking.ts";
import { createSenders, entryAt, lowestRateOf } from "./senders.ts";
import {
  type Admission,
  costOf,
  DEFAULT_MEMPOOL_OPTIONS,
  feeRate,
  type MempoolOptions,
  type PendingEntry,
  type RefusalRule,
  type Refused,
  type Removal,
  replacementFee,
  type SenderState,
} from "./types.ts";

/**
 * Transactions that wait for a block. Signatures and sanity were checked by whoever adds them; here it is decided
 * whether one could still be executed on the head, and what goes first.
 */
export interface Mempool {
  readonly size: number;
  readonly bytes: number;
  /** Changes whenever something comes in or leaves. */
  readonly revision: number;
  get(txid: TxId): PendingEntry | undefined;
  getByLeaf(leaf: Leaf): SealedTransaction | undefined;
  /** All of them; for who needs a part, there are `entriesAfter` and `leavesAfter`. */
  entries(): Iterable<PendingEntry>;
  /** In order of arrival: the first `limit` after the one with this `order`. */
  entriesAfter(order: number, limit: number): PendingEntry[];
  /** In bytewise order: the first `limit` leaves greater than `after`. */
  leavesAfter(after: Leaf, limit: number): Leaf[];
  /**
   * What can be said before the signature was verified, which costs more: a refusal here is one `add` would give too.
   * A transaction that passes may still be refused for what others of its batch change.
   */
  check(transaction: SealedTransaction, sender: SenderState, height: number): Refused | undefined;
  /** `height` is the head's; `nowMs` Unix ms. What had to leave for it comes from `takeEvicted`. */
  add(transaction: SealedTransaction, sender: SenderState, height: number, nowMs: number): Admission;
  /** What was evicted or replaced since the last call. */
  takeEvicted(): Removal[];
  /** The nonce the sender's next transaction should carry: after the pending ones that follow the account's without a gap. */
  nextNonce(sender: string, accountNonce: number): number;
  countOf(sender: string): number;
  /** Whether nothing is missing before it; `accountNonce` is its sender's. */
  isReady(transaction: SealedTransaction, accountNonce: number): boolean;
  /** Takes out what a connected block mined, and what its transactions rule out. */
  removeMined(transactions: readonly SealedTransaction[]): Removal[];
  /** Takes out what has expired for the block after `height`, at most `limit`; fewer where no more has. */
  removeExpired(height: number, limit?: number): Removal[];
  /** Takes out what was tried on the head with everything else and could not be executed. */
  removeUnexecutable(transactions: readonly { txid: TxId; rule: RefusalRule; detail: string }[]): Removal[];
  /** Learns accounts at a new head. Nothing leaves before `revalidate`, so that transactions can be given back first. */
  setAccounts(states: ReadonlyMap<string, SenderState>): void;
  /**
   * Takes out what its sender can no longer pay or has sent otherwise, and whatever depended on that. It ends with the sender
   * who brings it to `limit`; where there are fewer, nothing is left to do.
   */
  revalidate(limit?: number): Removal[];
  /**
   * Everything that can be executed as far as is known, best first; the nonces of one sender come in order. Taking the first
   * few costs no more than they are; not to be gone on with after a change.
   */
  select(): Iterable<SealedTransaction>;
}

export function createMempool(spec: ChainSpec, overrides: Partial<MempoolOptions> = {}): Mempool {
  const options: MempoolOptions = { ...DEFAULT_MEMPOOL_OPTIONS, ...overrides };
  const byId = new Map<TxId, PendingEntry>();
  const byLeaf = new Map<Leaf, SealedTransaction>();
  const isPending = (entry: PendingEntry): boolean => byId.get(entry.transaction.txid) === entry;
  const senders = createSenders((key) => ranking.touch(key));
  const ranking = createRanking(senders);
  const expiries = createExpiryIndex();
  const arrivals = createArrivalIndex(isPending);
  const leaves = createLeafIndex();
  let evicted: Removal[] = [];
  let bytes = 0;
  let order = 0;
  let revision = 0;

  function insert(entry: PendingEntry, state: SenderState): void {
    const { transaction } = entry;
    senders.insert(entry, state);
    byId.set(transaction.txid, entry);
    byLeaf.set(transaction.leaf, transaction);
    leaves.add(transaction.leaf);
    expiries.add(entry);
    arrivals.add(entry);
    ranking.refresh();
    bytes += transaction.bytes.length;
    revision++;
  }

  function remove(entry: PendingEntry): void {
    if (!isPending(entry)) return;
    forget(entry);
    senders.remove(entry);
  }

  /** Takes it out everywhere but among its sender's. */
  function forget(entry: PendingEntry): void {
    const { transaction } = entry;
    byId.delete(transaction.txid);
    byLeaf.delete(transaction.leaf);
    leaves.remove(transaction.leaf);
    expiries.remove(entry);
    arrivals.removed();
    bytes -= transaction.bytes.length;
    revision++;
  }

  function drop(entry: PendingEntry, rule: RefusalRule, detail: string): Removal {
    remove(entry);
    return { transaction: entry.transaction, fate: "dropped", rule, detail };
  }

  const refused = (rule: RefusalRule, detail: string, numbers?: Refused["numbers"]): Refused => ({
    status: "refused",
    rule,
    detail,
    ...(numbers && { numbers }),
  });

  /** `leaving`: what goes when it comes. */
  const isFullFor = (transaction: SealedTransaction, leaving?: PendingEntry): boolean => {
    const freed = leaving?.transaction.bytes.length ?? 0;
    const count = byId.size - (leaving === undefined ? 0 : 1);
    return count >= options.maxTransactions || bytes - freed + transaction.bytes.length > options.maxBytes;
  };
  /** The one of the same sender and nonce. */
  const rivalOf = (transaction: SealedTransaction): PendingEntry | undefined => {
    const sender = senders.get(transaction.sender);
    return sender && entryAt(sender, transaction.nonce);
  };
  const noRoom = (): Refused =>
    refused(
      "MEM-01",
      `${byId.size} transactions of ${bytes} bytes that pay no less are pending; try again later`,
    );

  function check(transaction: SealedTransaction, state: SenderState, height: number): Refused | undefined {
    const { nonce, expiry, fee } = transaction;
    if (expiry <= height)
      return refused("TX-07", `expired at height ${expiry}; the next block has ${height + 1}`, {
        expiry,
        nextHeight: height + 1,
      });
    if (nonce < state.nonce)
      return refused("TX-08", `nonce ${nonce} was used; the sender's next is ${state.nonce}`, {
        nonce,
        nextNonce: state.nonce,
      });
    if (nonce >= state.nonce + options.maxPerSender) {
      const highest = state.nonce + options.maxPerSender - 1;
      const text = `nonce ${nonce} is too far ahead; the sender's next is ${state.nonce}, and up to ${highest} can wait for it`;
      return refused("MEM-03", text, { nonce, nextNonce: state.nonce, highest });
    }
    const minimum = minimumFee(spec, transaction.bytes.length);
    if (fee < minimum) return refused("TX-06", `fee ${fee}; the least is ${minimum}`);
    const sender = senders.get(transaction.sender);
    const rival = rivalOf(transaction);
    if (rival !== undefined) {
      const least = replacementFee(spec, rival.transaction, transaction);
      const text = `${rival.transaction.txid} with nonce ${nonce} is pending; a fee of ${least} base units replaces it`;
      if (fee < least) return refused("MEM-02", text, { nonce, least });
    }
    const freed = rival === undefined ? 0 : costOf(rival.transaction);
    const left = senders.funds(transaction.sender, state.balance) - (sender?.cost ?? 0) + freed;
    const cost = costOf(transaction);
    if (cost > left) {
      const available = Math.max(0, left);
      const text = `costs ${cost} base units; ${available} are left of the sender's`;
      return refused("TX-09", text, { cost, available });
    }
    if (isFullFor(transaction, rival)) {
      const lowest = ranking.lowest();
      const best = { gapped: false, rate: feeRate(transaction) };
      if (lowest === undefined || !isWorthMore(best, lowest)) return noRoom();
    }
    return undefined;
  }

  function worthOf(transaction: SealedTransaction, accountNonce: number): Worth {
    const sender = senders.get(transaction.sender);
    let rate = feeRate(transaction);
    let gapped = false;
    // Most come right after all of their sender's.
    const last = sender?.entries.at(-1);
    if (sender !== undefined && last !== undefined && last.transaction.nonce + 1 === transaction.nonce)
      return {
        gapped: sender.gaplessEnd < transaction.nonce,
        rate: Math.min(rate, lowestRateOf(sender)),
      };
    for (let nonce = accountNonce; nonce < transaction.nonce; nonce++) {
      const before = sender && entryAt(sender, nonce);
      if (before === undefined) gapped = true;
      else rate = Math.min(rate, feeRate(before.transaction));
    }
    return { gapped, rate };
  }

  /** Bounds what cannot go on yet, and makes room where the newcomer is worth it. */
  function refuseRoom(transaction: SealedTransaction, { nonce }: SenderState): Refused | undefined {
    const sender = senders.get(transaction.sender);
    const gaplessEnd = nextNonce(transaction.sender, nonce);
    const rival = rivalOf(transaction);
    if (transaction.nonce > gaplessEnd && rival === undefined) {
      const waiting = (sender?.entries.length ?? 0) - (gaplessEnd - nonce);
      if (waiting >= options.maxGappedPerSender)
        return refused("MEM-03", `nonce ${gaplessEnd} is missing and ${waiting} wait for it already`);
    }
    if (!isFullFor(transaction, rival)) return undefined;
    const worth = worthOf(transaction, nonce);
    const gone: { readonly entry: PendingEntry; readonly state: SenderState }[] = [];
    while (isFullFor(transaction, rivalOf(transaction))) {
      const victim = ranking.lowest();
      const owner = victim && senders.get(victim.entry.transaction.sender);
      if (victim === undefined || owner === undefined || !isWorthMore(worth, victim)) {
        // A long one may need the room of several; where one of them is worth more, all stay.
        for (const { entry, state } of gone.reverse()) insert(entry, state);
        return noRoom();
      }
      gone.push({ entry: victim.entry, state: { nonce: owner.accountNonce, balance: owner.balance } });
      remove(victim.entry);
    }
    const detail = `gave way to ${transaction.txid}, which pays more`;
    for (const { entry } of gone)
      evicted.push({ transaction: entry.transaction, fate: "dropped", rule: "MEM-01", detail });
    return undefined;
  }

  function nextNonce(key: string, accountNonce: number): number {
    const sender = senders.get(key);
    if (sender?.accountNonce === accountNonce) return sender.gaplessEnd;
    let nonce = accountNonce;
    while (sender !== undefined && entryAt(sender, nonce) !== undefined) nonce++;
    return nonce;
  }

  function* revalidateSender(key: string): Generator<Removal> {
    const sender = senders.get(key);
    if (sender === undefined) return;
    let funds = senders.funds(key, sender.balance);
    if (sender.cost <= funds && !sender.hasUsedNonces) return;
    sender.hasUsedNonces = false;
    for (const entry of [...sender.entries]) {
      const nonce = entry.transaction.nonce;
      const cost = costOf(entry.transaction);
      if (nonce < sender.accountNonce) yield drop(entry, "TX-08", `nonce ${nonce} was used`);
      else if (cost > funds)
        yield drop(entry, "TX-09", `costs ${cost} base units; ${funds} are left of the sender's`);
      else funds -= cost;
    }
  }

  return {
    get size() {
      return byId.size;
    },
    get bytes() {
      return bytes;
    },
    get revision() {
      return revision;
    },
    get: (txid) => byId.get(txid),
    getByLeaf: (leaf) => byLeaf.get(leaf),
    entries: () => byId.values(),
    entriesAfter: arrivals.after,
    leavesAfter: leaves.after,
    check,
    add(transaction, state, height, nowMs) {
      if (byId.has(transaction.txid)) return { status: "known" };
      const refusal = check(transaction, state, height) ?? refuseRoom(transaction, state);
      if (refusal !== undefined) return refusal;
      const rival = rivalOf(transaction);
      if (rival !== undefined) {
        remove(rival);
        // What the rival would have paid for may have been what pays for the newcomer.
        const left =
          senders.funds(transaction.sender, state.balance) - (senders.get(transaction.sender)?.cost ?? 0);
        if (costOf(transaction) > left) {
          insert(rival, state);
          return refused(
            "TX-09",
            "it would be paid for with what the pending one that it replaces brings in",
          );
        }
        evicted.push({ transaction: rival.transaction, fate: "conflicted", by: transaction.txid });
      }
      insert({ transaction, receivedMs: nowMs, order: order++ }, state);
      return { status: "pending" };
    },
    takeEvicted() {
      const taken = evicted;
      evicted = [];
      return taken;
    },
    nextNonce,
    countOf: (key) => senders.get(key)?.entries.length ?? 0,
    isReady: (transaction, accountNonce) => transaction.nonce < nextNonce(transaction.sender, accountNonce),
    removeMined(transactions) {
      const removals: Removal[] = [];
      for (const mined of transactions) {
        const rival = senders.mined(mined);
        if (rival === undefined) continue;
        forget(rival);
        const { transaction } = rival;
        if (transaction.txid !== mined.txid)
          removals.push({ transaction, fate: "conflicted", by: mined.txid });
      }
      return removals;
    },
    removeExpired(height, limit = Number.POSITIVE_INFINITY) {
      return expiries
        .takeUpTo(height, limit)
        .map((entry) => drop(entry, "TX-07", `expired at height ${entry.transaction.expiry}`));
    },
    removeUnexecutable(transactions) {
      return transactions.flatMap(({ txid, rule, detail }) => {
        const entry = byId.get(txid);
        return entry === undefined ? [] : [drop(entry, rule, detail)];
      });
    },
    setAccounts(states) {
      senders.setAccounts(states);
    },
    revalidate(limit = Number.POSITIVE_INFINITY) {
      const removals: Removal[] = [];
      for (const key of senders.takeDirty()) {
        for (const removal of revalidateSender(key)) removals.push(removal);
        if (removals.length >= limit) break;
      }
      return removals;
    },
    select: ranking.select,
  };
}
