import { minimumFee } from "../ledger/index.ts";
import type { ChainSpec, Leaf, SealedTransaction, TxId } from "../primitives/index.ts";

export interface MempoolOptions {
  /** Transactions in all; bounds memory at about 1 KB each. */
  readonly maxTransactions: number;
  /** Serialized bytes in all. */
  readonly maxBytes: number;
  /** Transactions of one sender; also how far a nonce may lie ahead of the account's. */
  readonly maxPerSender: number;
}

export const DEFAULT_MEMPOOL_OPTIONS: MempoolOptions = {
  maxTransactions: 50_000,
  maxBytes: 32 * 1024 * 1024,
  maxPerSender: 5_000,
};

/** Reasons of policy, not consensus: another node may take what this one refuses. */
export const MEMPOOL_RULES = {
  "MEM-01": "the mempool has room",
  "MEM-02": "no other transaction of the sender with this nonce is pending",
  "MEM-03": "the nonce is not too far ahead of the account's",
  "MEM-04": "the node takes no transactions while it is syncing",
} as const;

/** The sender's account at the head; both 0 where it does not exist. */
export interface SenderState {
  readonly nonce: number;
  readonly balance: number;
}

export type Admission =
  | { readonly status: "pending" }
  | { readonly status: "known" }
  | { readonly status: "refused"; readonly rule: string; readonly detail: string };

export interface PendingEntry {
  readonly transaction: SealedTransaction;
  /** Unix ms. */
  readonly receivedMs: number;
  /** Counts up; the order of arrival. */
  readonly order: number;
}

/** A pending transaction that another one ruled out, or that can no longer be executed. */
export type Removal =
  | { readonly transaction: SealedTransaction; readonly fate: "conflicted"; readonly by: TxId }
  | {
      readonly transaction: SealedTransaction;
      readonly fate: "dropped";
      readonly rule: string;
      readonly detail: string;
    };

/**
 * Transactions that wait for a block. Signatures and sanity were checked by whoever adds them; here it is decided
 * whether one could still be executed on the head, and what goes first.
 */
export interface Mempool {
  readonly size: number;
  readonly bytes: number;
  get(txid: TxId): PendingEntry | undefined;
  getByLeaf(leaf: Leaf): SealedTransaction | undefined;
  /** In order of arrival. */
  entries(): Iterable<PendingEntry>;
  /** `height` is the head's; `nowMs` Unix ms. */
  add(transaction: SealedTransaction, sender: SenderState, height: number, nowMs: number): Admission;
  /** The nonce the sender's next transaction should carry: after the pending ones that follow the account's without a gap. */
  nextNonce(sender: string, accountNonce: number): number;
  countOf(sender: string): number;
  /** Whether nothing is missing before it; `accountNonce` is its sender's. */
  isReady(transaction: SealedTransaction, accountNonce: number): boolean;
  /** Takes out what a connected block mined, and what its transactions rule out. */
  removeMined(transactions: readonly SealedTransaction[]): Removal[];
  /** Takes out what has expired for the block after `height`. */
  removeExpired(height: number): Removal[];
  /** Takes out what the sender can no longer pay or has already sent otherwise. */
  revalidate(sender: string, state: SenderState): Removal[];
  /** What a block should try, best first, of about `maxBytes`; the nonces of one sender come in order. */
  select(maxBytes: number): SealedTransaction[];
}

/** Serialized size of an offset in the body's list. */
const OFFSET_BYTES = 4;

const costOf = ({ transaction }: SealedTransaction): number =>
  transaction.body.fee + transaction.body.action.value.amount;
const nonceOf = ({ transaction }: SealedTransaction): number => transaction.body.nonce;
const feeRate = ({ transaction, bytes }: SealedTransaction): number => transaction.body.fee / bytes.length;

interface Sender {
  readonly byNonce: Map<number, PendingEntry>;
  /** Lowest nonce that may be pending: the account's, as far as this pool has been told. */
  accountNonce: number;
  /** Cost of everything pending, base units. */
  cost: number;
}

export function createMempool(spec: ChainSpec, options: MempoolOptions = DEFAULT_MEMPOOL_OPTIONS): Mempool {
  const byId = new Map<TxId, PendingEntry>();
  const byLeaf = new Map<Leaf, SealedTransaction>();
  const senders = new Map<string, Sender>();
  // What pending transfers would pay to whom: a transfer may spend what another pending one brings.
  const incoming = new Map<string, number>();
  let bytes = 0;
  let order = 0;
  let earliestExpiry = Number.POSITIVE_INFINITY;

  function addIncoming(key: string, amount: number): void {
    const sum = (incoming.get(key) ?? 0) + amount;
    if (sum > 0) incoming.set(key, sum);
    else incoming.delete(key);
  }

  function insert(entry: PendingEntry, accountNonce: number): void {
    const { transaction } = entry;
    const sender = senders.get(transaction.sender) ?? { byNonce: new Map(), accountNonce, cost: 0 };
    sender.accountNonce = accountNonce;
    senders.set(transaction.sender, sender);
    sender.byNonce.set(nonceOf(transaction), entry);
    sender.cost += costOf(transaction);
    byId.set(transaction.txid, entry);
    byLeaf.set(transaction.leaf, transaction);
    bytes += transaction.bytes.length;
    addIncoming(transaction.recipient, transaction.transaction.body.action.value.amount);
    earliestExpiry = Math.min(earliestExpiry, transaction.transaction.body.expiry);
  }

  function remove(transaction: SealedTransaction): void {
    const sender = senders.get(transaction.sender);
    if (sender === undefined || !byId.delete(transaction.txid)) return;
    sender.byNonce.delete(nonceOf(transaction));
    sender.cost -= costOf(transaction);
    if (sender.byNonce.size === 0) senders.delete(transaction.sender);
    byLeaf.delete(transaction.leaf);
    bytes -= transaction.bytes.length;
    addIncoming(transaction.recipient, -transaction.transaction.body.action.value.amount);
  }

  function refusal(
    transaction: SealedTransaction,
    state: SenderState,
    height: number,
  ): Admission | undefined {
    const { nonce, expiry, fee } = transaction.transaction.body;
    const refused = (rule: string, detail: string): Admission => ({ status: "refused", rule, detail });
    if (expiry <= height)
      return refused("TX-07", `expired at height ${expiry}; the next block has ${height + 1}`);
    if (nonce < state.nonce)
      return refused("TX-08", `nonce ${nonce} was used; the sender's next is ${state.nonce}`);
    if (nonce >= state.nonce + options.maxPerSender) {
      return refused("MEM-03", `nonce ${nonce} is more than ${options.maxPerSender} ahead of ${state.nonce}`);
    }
    const minimum = minimumFee(spec, transaction.bytes.length);
    if (fee < minimum) return refused("TX-06", `fee ${fee}; the least is ${minimum}`);
    const sender = senders.get(transaction.sender);
    const rival = sender?.byNonce.get(nonce);
    if (rival !== undefined)
      return refused("MEM-02", `${rival.transaction.txid} with nonce ${nonce} is pending`);
    const pendingCost = sender?.cost ?? 0;
    const funds = state.balance + (incoming.get(transaction.sender) ?? 0);
    if (pendingCost + costOf(transaction) > funds) {
      return refused(
        "TX-09",
        `costs ${costOf(transaction)}; ${Math.max(0, funds - pendingCost)} is left of the sender's`,
      );
    }
    if (byId.size >= options.maxTransactions || bytes + transaction.bytes.length > options.maxBytes) {
      return refused("MEM-01", `${byId.size} transactions of ${bytes} bytes are pending; try again later`);
    }
    return undefined;
  }

  return {
    get size() {
      return byId.size;
    },
    get bytes() {
      return bytes;
    },
    get: (txid) => byId.get(txid),
    getByLeaf: (leaf) => byLeaf.get(leaf),
    entries: () => byId.values(),
    add(transaction, state, height, nowMs) {
      if (byId.has(transaction.txid)) return { status: "known" };
      const refused = refusal(transaction, state, height);
      if (refused !== undefined) return refused;
      insert({ transaction, receivedMs: nowMs, order: order++ }, state.nonce);
      return { status: "pending" };
    },
    nextNonce(key, accountNonce) {
      const pending = senders.get(key)?.byNonce;
      let nonce = accountNonce;
      while (pending?.has(nonce)) nonce++;
      return nonce;
    },
    countOf: (key) => senders.get(key)?.byNonce.size ?? 0,
    isReady(transaction, accountNonce) {
      const pending = senders.get(transaction.sender)?.byNonce;
      for (let nonce = accountNonce; nonce < nonceOf(transaction); nonce++)
        if (!pending?.has(nonce)) return false;
      return true;
    },
    removeMined(transactions) {
      const removals: Removal[] = [];
      for (const mined of transactions) {
        const sender = senders.get(mined.sender);
        if (sender === undefined) continue;
        const rival = sender.byNonce.get(nonceOf(mined))?.transaction;
        if (rival !== undefined) {
          remove(rival);
          if (rival.txid !== mined.txid)
            removals.push({ transaction: rival, fate: "conflicted", by: mined.txid });
        }
        sender.accountNonce = Math.max(sender.accountNonce, nonceOf(mined) + 1);
      }
      return removals;
    },
    removeExpired(height) {
      if (earliestExpiry > height) return [];
      const removals: Removal[] = [];
      earliestExpiry = Number.POSITIVE_INFINITY;
      for (const { transaction } of [...byId.values()]) {
        const { expiry } = transaction.transaction.body;
        if (expiry > height) {
          earliestExpiry = Math.min(earliestExpiry, expiry);
          continue;
        }
        remove(transaction);
        const detail = `expired at height ${expiry}`;
        removals.push({ transaction, fate: "dropped", rule: "TX-07", detail });
      }
      return removals;
    },
    revalidate(key, state) {
      const sender = senders.get(key);
      if (sender === undefined) return [];
      sender.accountNonce = state.nonce;
      const removals: Removal[] = [];
      const drop = (transaction: SealedTransaction, rule: string, detail: string): void => {
        remove(transaction);
        removals.push({ transaction, fate: "dropped", rule, detail });
      };
      const inOrder = [...sender.byNonce.values()].sort(
        (a, b) => nonceOf(a.transaction) - nonceOf(b.transaction),
      );
      let funds = state.balance + (incoming.get(key) ?? 0);
      for (const { transaction } of inOrder) {
        const cost = costOf(transaction);
        if (nonceOf(transaction) < state.nonce)
          drop(transaction, "TX-08", `nonce ${nonceOf(transaction)} was used`);
        else if (cost > funds) drop(transaction, "TX-09", `costs ${cost}; ${funds} is left of the sender's`);
        else funds -= cost;
      }
      return removals;
    },
    select(maxBytes) {
      // Along one sender's nonces the rate may only fall and the arrival only rise, so that sorting by both keeps the
      // nonces in order, and a transfer that spends another pending one's money comes after it at equal rates.
      const ready: {
        readonly transaction: SealedTransaction;
        readonly rate: number;
        readonly order: number;
      }[] = [];
      for (const { byNonce, accountNonce } of senders.values()) {
        let rate = Number.POSITIVE_INFINITY;
        let latest = 0;
        for (let entry = byNonce.get(accountNonce); entry !== undefined; ) {
          rate = Math.min(rate, feeRate(entry.transaction));
          latest = Math.max(latest, entry.order);
          ready.push({ transaction: entry.transaction, rate, order: latest });
          entry = byNonce.get(nonceOf(entry.transaction) + 1);
        }
      }
      ready.sort(
        (a, b) => b.rate - a.rate || a.order - b.order || nonceOf(a.transaction) - nonceOf(b.transaction),
      );
      const selected: SealedTransaction[] = [];
      let left = maxBytes;
      for (const { transaction } of ready) {
        left -= transaction.bytes.length + OFFSET_BYTES;
        if (left < 0) break;
        selected.push(transaction);
      }
      return selected;
    },
  };
}
