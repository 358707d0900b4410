import { setImmediate } from "node:timers/promises";
import type { Chain, Settlement, SignatureVerifier, Template, TransactionFate } from "../chain/index.ts";
import { type AccountKey, checkTransactionSanity, type Genesis, touchedKeys } from "../ledger/index.ts";
import {
  type Admission,
  createMempool,
  createRecentMap,
  createTransactionHistory,
  type Mempool,
  type RefusalRule,
  type Removal,
  type TransactionHistory,
} from "../mempool/index.ts";
import { type Clock, type Metrics, silentMetrics } from "../ports/index.ts";
import type { Block, BlockId, Leaf, SealedTransaction, TxId } from "../primitives/index.ts";
import { createAdmissionQueue } from "./admission-queue.ts";
import { createHappenings, type OnHappening } from "./happenings.ts";
import { createPoolMetrics } from "./pool-metrics.ts";
import { createReorgIndex, type ReorgIndex } from "./reorg-index.ts";
import { detached, mergeFates } from "./transaction-fates.ts";

/** Blocks whose transactions peers may still ask for, to put an announced block together. */
const RECENT_BLOCKS = 8;
/** Transactions kept of them, at most, and at least half as many: three full blocks. */
const MAX_RECENTLY_MINED = 32_768;
/**
 * Transactions that leave in one turn of the event loop, give or take one sender's: all that is pending may expire with one
 * block, and that takes more than a second.
 */
const MAX_LEAVING_AT_ONCE = 2_000;

export interface TransactionPoolDeps {
  readonly genesis: Genesis;
  readonly clock: Clock;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  readonly signatures: SignatureVerifier;
  /** Set once the chain is open. */
  readonly chain: () => Chain;
  /** While it answers true nothing is admitted: what is pending could not be judged. */
  readonly isSyncing: () => boolean;
  /** Told of transactions that became pending, and of those whose fate changed, once that is public. */
  readonly onChange: (txids: readonly TxId[], arrived: boolean) => void;
  /** Told of each thing that happened to a transaction, once that is public. */
  readonly onHappening?: OnHappening;
}

type RefusedTransactions = Template["refused"];

export interface Judged {
  readonly transaction: SealedTransaction;
  readonly admission: Admission;
  /** It breaks a rule that anybody can check without state: whoever passed it on should have. */
  readonly senderAtFault: boolean;
}

/** Pending transactions with everything around them: checks, admission, and what becomes of them when the head moves. */
export interface TransactionPool {
  readonly mempool: Mempool;
  readonly history: TransactionHistory;
  /** Judges and admits, one answer per transaction in order. `from`: the peer that sent them. */
  admit(transactions: readonly SealedTransaction[], from?: string): Promise<Judged[]>;
  /** For the chain: called with the state at the new head, before it is published. */
  settle(settlement: Settlement): Promise<TransactionFate[]>;
  /** What a block template on `head` could not execute leaves, unless the head has moved since. */
  refusedOn(head: BlockId, transactions: RefusedTransactions): Promise<void>;
  /** A transaction of one of the latest blocks: peers that rebuild a block ask for what has just left the mempool. */
  recentlyMined(leaf: Leaf): SealedTransaction | undefined;
  /** Call when the head change is public: tells of what `settle` changed. */
  published(): void;
}

const refused = (rule: RefusalRule, detail: string): Admission => ({ status: "refused", rule, detail });

export function createTransactionPool(deps: TransactionPoolDeps): TransactionPool {
  const { genesis, clock, signatures } = deps;
  const mempool = createMempool(genesis.spec);
  const history = createTransactionHistory();
  const queue = createAdmissionQueue();
  const recent = createRecentMap<Leaf, SealedTransaction>(MAX_RECENTLY_MINED);
  let changed: TxId[] = [];
  const happenings = createHappenings(history, deps.onHappening);
  const counted = createPoolMetrics(deps.metrics ?? silentMetrics);
  counted.watch(mempool);

  /** Whom anybody can judge without state, signatures aside. */
  function precheck(transactions: readonly SealedTransaction[]): Map<SealedTransaction, Judged> {
    const judged = new Map<SealedTransaction, Judged>();
    for (const transaction of transactions) {
      // Only the same bytes are known to be good: another signature under a pending txid may be forged, and whoever
      // passes a forged one on is cut off by the next node.
      if (mempool.getByLeaf(transaction.leaf) !== undefined) {
        judged.set(transaction, { transaction, admission: { status: "known" }, senderAtFault: false });
        continue;
      }
      const verdict = checkTransactionSanity(genesis.spec, genesis.chainId, transaction);
      if (verdict.ok) continue;
      const admission = refused(verdict.code, verdict.detail);
      judged.set(transaction, { transaction, admission, senderAtFault: true });
    }
    return judged;
  }

  /** What can be refused before paying for signatures: anybody can make free transactions that no account stands for. */
  async function checkCheaply(
    transactions: readonly SealedTransaction[],
  ): Promise<Map<SealedTransaction, Admission>> {
    const refusals = new Map<SealedTransaction, Admission>();
    const paid = new Set(transactions.map(({ recipient }) => recipient));
    await deps.chain().withAccounts(
      transactions.map(({ sender }) => sender),
      (accounts, head) => {
        transactions.forEach((transaction, i) => {
          if (mempool.get(transaction.txid) !== undefined) return;
          const { nonce = 0, balance = 0 } = accounts[i] ?? {};
          // Another one of the same batch may bring the funds; adding them in order will tell.
          const most = paid.has(transaction.sender) ? Number.MAX_SAFE_INTEGER : balance;
          const refusal = mempool.check(transaction, { nonce, balance: most }, head.height);
          if (refusal !== undefined) refusals.set(transaction, refusal);
        });
      },
    );
    return refusals;
  }

  async function answerAll(
    transactions: readonly SealedTransaction[],
    from: string | null,
  ): Promise<Judged[]> {
    const refuseAll = (rule: RefusalRule, detail: string): Judged[] =>
      transactions.map((transaction) => ({
        transaction,
        admission: refused(rule, detail),
        senderAtFault: false,
      }));
    if (deps.isSyncing())
      return refuseAll("MEM-04", "the node is syncing; try again when its state is synced");
    return (
      (await queue.run(transactions.length, () => judge(transactions, from))) ??
      refuseAll(
        "MEM-05",
        "more transactions are waiting to be judged than the node can take; try again later",
      )
    );
  }

  async function admit(
    transactions: readonly SealedTransaction[],
    from: string | null = null,
  ): Promise<Judged[]> {
    const judged = await answerAll(transactions, from);
    for (const { admission } of judged) counted.judged(admission);
    return judged;
  }

  async function judge(transactions: readonly SealedTransaction[], from: string | null): Promise<Judged[]> {
    const judged = precheck(transactions);
    const sane = transactions.filter((transaction) => !judged.has(transaction));
    const refusals = await checkCheaply(sane);
    // If one may go on, the batch may be passed on whole, and then we answer for every signature in it.
    if (refusals.size < sane.length) {
      for (const transaction of await signatures.findInvalid(sane)) {
        const admission = refused("TX-03", `transaction ${transaction.txid} has a bad signature`);
        judged.set(transaction, { transaction, admission, senderAtFault: true });
      }
    }
    for (const [transaction, admission] of refusals) {
      if (!judged.has(transaction)) judged.set(transaction, { transaction, admission, senderAtFault: false });
    }
    await addAll(
      sane.filter((transaction) => !judged.has(transaction)),
      judged,
      from,
    );
    return transactions.flatMap((transaction) => judged.get(transaction) ?? []);
  }

  async function addAll(
    transactions: readonly SealedTransaction[],
    judged: Map<SealedTransaction, Judged>,
    from: string | null,
  ): Promise<void> {
    if (transactions.length === 0) return;
    const arrived: TxId[] = [];
    const left: TxId[] = [];
    await deps.chain().withAccounts(
      transactions.map(({ sender }) => sender),
      (accounts, head) => {
        transactions.forEach((transaction, i) => {
          const { nonce = 0, balance = 0 } = accounts[i] ?? {};
          const nowMs = clock.nowMs();
          const admission = mempool.add(transaction, { nonce, balance }, head.height, nowMs);
          judged.set(transaction, { transaction, admission, senderAtFault: false });
          if (admission.status !== "pending") return;
          happenings.add(transaction, { what: "received", timeMs: nowMs, peer: from });
          arrived.push(transaction.txid);
        });
        for (const { txid } of noteRemovals(takeEvicted())) left.push(txid);
      },
    );
    if (arrived.length > 0) deps.onChange(arrived, true);
    if (left.length > 0) deps.onChange(left, false);
  }

  /** What gave way to better ones, with whatever its money was for. */
  function takeEvicted(): Removal[] {
    const evicted = mempool.takeEvicted();
    // What is more than that leaves with the next ones, or when the head moves; until then no block has it either.
    return evicted.length === 0 ? [] : [...evicted, ...mempool.revalidate(MAX_LEAVING_AT_ONCE)];
  }

  async function refusedOn(head: BlockId, transactions: RefusedTransactions): Promise<void> {
    const left = await deps.chain().withAccounts([], (_, { id }) => {
      if (id !== head) return [];
      return noteRemovals([...mempool.removeUnexecutable(transactions), ...mempool.revalidate()]);
    });
    if (left.length > 0)
      deps.onChange(
        left.map(({ txid }) => txid),
        false,
      );
  }

  /** Takes out all that has to leave, in parts between which others get their turn; nobody adds meanwhile. */
  async function takeOut(take: (limit: number) => Removal[]): Promise<TransactionFate[]> {
    const fates: TransactionFate[] = [];
    for (;;) {
      const removals = take(MAX_LEAVING_AT_ONCE);
      for (const fate of noteRemovals(removals)) fates.push(fate);
      if (removals.length < MAX_LEAVING_AT_ONCE) return fates;
      await setImmediate();
    }
  }

  function noteRemovals(removals: readonly Removal[]): TransactionFate[] {
    const timeMs = clock.nowMs();
    return removals.map((removal) => {
      const { txid } = removal.transaction;
      counted.left(removal.fate, removal.fate === "dropped" ? removal.rule : undefined);
      if (removal.fate === "conflicted") {
        happenings.add(removal.transaction, { what: "conflicted", timeMs, by: removal.by });
        return { txid, fate: "conflicted", by: removal.by };
      }
      happenings.add(removal.transaction, {
        what: "dropped",
        timeMs,
        rule: removal.rule,
        detail: removal.detail,
      });
      return { txid, fate: "dropped", rule: removal.rule, detail: removal.detail };
    });
  }

  async function connectAll(
    settlement: Settlement,
    reorg: ReorgIndex,
    touched: Set<AccountKey>,
  ): Promise<TransactionFate[]> {
    const fates: TransactionFate[] = [];
    for (const id of settlement.connected) {
      const block = await settlement.load(id);
      const timeMs = clock.nowMs();
      const { height } = block.header.header.core;
      for (const transaction of block.transactions) {
        reorg.mined(transaction, id);
        if (height > settlement.height - RECENT_BLOCKS) recent.set(transaction.leaf, transaction);
        // Those that were never pending here (a sync brings thousands) are not worth remembering.
        if (mempool.get(transaction.txid) === undefined && history.get(transaction.txid) === undefined)
          continue;
        happenings.add(transaction, { what: "mined", timeMs, block: id, height });
        changed.push(transaction.txid);
      }
      touch(block, touched);
      for (const fate of noteRemovals(mempool.removeMined(block.transactions))) fates.push(fate);
    }
    return fates;
  }

  /** Accounts that a block changed, as far as something of theirs is pending. */
  function touch(block: Block, touched: Set<AccountKey>): void {
    if (mempool.size === 0) return;
    for (const key of touchedKeys(block.transactions, block.header.header.core.proposer)) {
      if (mempool.countOf(key) > 0) touched.add(key);
    }
  }

  /** Registers the old branch's transactions, so that the new branch's can be told apart by them. */
  async function disconnectAll(
    settlement: Settlement,
    reorg: ReorgIndex,
    touched: Set<AccountKey>,
  ): Promise<void> {
    for (const id of settlement.disconnected) {
      const block = await settlement.load(id);
      for (const transaction of block.transactions) reorg.disconnected(transaction);
      touch(block, touched);
    }
  }

  async function returnAll(settlement: Settlement, reorg: ReorgIndex): Promise<TransactionFate[]> {
    const fates: TransactionFate[] = [];
    for (const id of settlement.disconnected) {
      const block = await settlement.load(id);
      const { height } = block.header.header.core;
      const accounts = await settlement.accounts(block.transactions.map(({ sender }) => sender));
      block.transactions.forEach((ofBlock, i) => {
        const { txid } = ofBlock;
        const successor = reorg.successorOf(ofBlock);
        if (successor?.txid === txid) {
          fates.push({ txid, fate: "mined", block: successor.block });
          return;
        }
        const transaction = detached(ofBlock);
        happenings.add(transaction, { what: "disconnected", timeMs: clock.nowMs(), block: id, height });
        const { nonce = 0, balance = 0 } = accounts[i] ?? {};
        fates.push(giveBack(transaction, { nonce, balance }, settlement.height, successor?.txid));
      });
    }
    return fates;
  }

  function giveBack(
    transaction: SealedTransaction,
    sender: { nonce: number; balance: number },
    height: number,
    rival: TxId | undefined,
  ): TransactionFate {
    const { txid } = transaction;
    const timeMs = clock.nowMs();
    changed.push(txid);
    if (rival !== undefined) {
      counted.left("conflicted");
      happenings.add(transaction, { what: "conflicted", timeMs, by: rival });
      return { txid, fate: "conflicted", by: rival };
    }
    const admission = mempool.add(transaction, sender, height, timeMs);
    if (admission.status !== "refused") {
      counted.returned();
      happenings.add(transaction, { what: "returned", timeMs });
      return { txid, fate: "returned" };
    }
    counted.left("dropped", admission.rule);
    happenings.add(transaction, {
      what: "dropped",
      timeMs,
      rule: admission.rule,
      detail: admission.detail,
    });
    return { txid, fate: "dropped", rule: admission.rule, detail: admission.detail };
  }

  async function learnAccounts(touched: Set<AccountKey>, { accounts }: Settlement): Promise<void> {
    const keys = [...touched];
    const states = await accounts(keys);
    mempool.setAccounts(
      new Map(
        keys.map((key, i) => [key, { nonce: states[i]?.nonce ?? 0, balance: states[i]?.balance ?? 0 }]),
      ),
    );
  }

  return {
    mempool,
    history,
    admit,
    recentlyMined: recent.get,
    refusedOn,
    async settle(settlement) {
      happenings.hold();
      const reorg = createReorgIndex();
      const touched = new Set<AccountKey>();
      await disconnectAll(settlement, reorg, touched);
      const ruledOut = await connectAll(settlement, reorg, touched);
      await learnAccounts(touched, settlement);
      const returned = await returnAll(settlement, reorg);
      // Last, as what is given back may bring what others spend.
      const expired = await takeOut((limit) => mempool.removeExpired(settlement.height, limit));
      const evicted = noteRemovals(mempool.takeEvicted());
      const unpaid = await takeOut(mempool.revalidate);
      const gone = [...ruledOut, ...expired, ...evicted, ...unpaid];
      for (const { txid } of gone) changed.push(txid);
      return mergeFates([...returned, ...gone]);
    },
    published() {
      happenings.release();
      if (changed.length === 0) return;
      const txids = [...new Set(changed)];
      changed = [];
      deps.onChange(txids, false);
    },
  };
}
