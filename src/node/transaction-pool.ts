import type { Chain, Settlement, SignatureVerifier, TransactionFate } from "../chain/index.ts";
import { type AccountKey, checkTransactionSanity, type Genesis } from "../ledger/index.ts";
import {
  type Admission,
  createMempool,
  createTransactionHistory,
  type Mempool,
  type Removal,
  type TransactionHistory,
} from "../mempool/index.ts";
import type { Clock } from "../ports/index.ts";
import type { BlockId, Leaf, SealedTransaction, TxId } from "../primitives/index.ts";

/** Blocks whose transactions peers may still ask for, to put an announced block together. */
const RECENT_BLOCKS = 8;
/** Transactions kept of them; about three full blocks. */
const MAX_RECENTLY_MINED = 16_384;

export interface TransactionPoolDeps {
  readonly genesis: Genesis;
  readonly clock: Clock;
  readonly signatures: SignatureVerifier;
  /** Set once the chain is open. */
  readonly chain: () => Chain;
  /** While it answers true nothing is admitted: what is pending could not be judged. */
  readonly isSyncing: () => boolean;
  /** Told of transactions that became pending, and of those whose fate changed, once that is public. */
  readonly onChange: (txids: readonly TxId[], arrived: boolean) => void;
}

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
  /** Judges and admits, one answer per transaction in order. */
  admit(transactions: readonly SealedTransaction[]): Promise<Judged[]>;
  /** For the chain: called with the state at the new head, before it is published. */
  settle(settlement: Settlement): Promise<TransactionFate[]>;
  /** A transaction of one of the latest blocks: peers that rebuild a block ask for what has just left the mempool. */
  recentlyMined(leaf: Leaf): SealedTransaction | undefined;
  /** Call when the head change is public: tells of what `settle` changed. */
  published(): void;
}

const refused = (rule: string, detail: string): Admission => ({ status: "refused", rule, detail });

export function createTransactionPool(deps: TransactionPoolDeps): TransactionPool {
  const { genesis, clock, signatures } = deps;
  const mempool = createMempool(genesis.spec);
  const history = createTransactionHistory();
  const recent = new Map<Leaf, SealedTransaction>();
  let changed: TxId[] = [];

  function rememberMined(transaction: SealedTransaction): void {
    recent.set(transaction.leaf, transaction);
    if (recent.size <= MAX_RECENTLY_MINED) return;
    const [oldest] = recent.keys();
    if (oldest !== undefined) recent.delete(oldest);
  }

  async function precheck(
    transactions: readonly SealedTransaction[],
  ): Promise<Map<SealedTransaction, Judged>> {
    const judged = new Map<SealedTransaction, Judged>();
    const sane: SealedTransaction[] = [];
    for (const transaction of transactions) {
      // Only the same bytes are known to be good: another signature under a pending txid may be forged, and whoever
      // passes a forged one on is cut off by the next node.
      if (mempool.getByLeaf(transaction.leaf) !== undefined) {
        judged.set(transaction, { transaction, admission: { status: "known" }, senderAtFault: false });
        continue;
      }
      const verdict = checkTransactionSanity(genesis.spec, genesis.chainId, transaction);
      if (verdict.ok) sane.push(transaction);
      else
        judged.set(transaction, {
          transaction,
          admission: refused(verdict.code, verdict.detail),
          senderAtFault: true,
        });
    }
    for (const transaction of await signatures.findInvalid(sane)) {
      const admission = refused("TX-03", `transaction ${transaction.txid} has a bad signature`);
      judged.set(transaction, { transaction, admission, senderAtFault: true });
    }
    return judged;
  }

  async function admit(transactions: readonly SealedTransaction[]): Promise<Judged[]> {
    if (deps.isSyncing()) {
      const admission = refused("MEM-04", "the node is syncing; try again when its state is synced");
      return transactions.map((transaction) => ({ transaction, admission, senderAtFault: false }));
    }
    const judged = await precheck(transactions);
    const left = transactions.filter((transaction) => !judged.has(transaction));
    const arrived: TxId[] = [];
    await deps.chain().withAccounts(
      left.map(({ sender }) => sender),
      (accounts, head) => {
        left.forEach((transaction, i) => {
          const { nonce = 0, balance = 0 } = accounts[i] ?? {};
          const nowMs = clock.nowMs();
          const admission = mempool.add(transaction, { nonce, balance }, head.height, nowMs);
          judged.set(transaction, { transaction, admission, senderAtFault: false });
          if (admission.status !== "pending") return;
          history.add(transaction, { what: "received", timeMs: nowMs });
          arrived.push(transaction.txid);
        });
      },
    );
    if (arrived.length > 0) deps.onChange(arrived, true);
    return transactions.flatMap((transaction) => judged.get(transaction) ?? []);
  }

  function noteRemovals(removals: readonly Removal[]): TransactionFate[] {
    const timeMs = clock.nowMs();
    return removals.map((removal) => {
      const { txid } = removal.transaction;
      changed.push(txid);
      if (removal.fate === "conflicted") {
        history.add(removal.transaction, { what: "conflicted", timeMs, by: removal.by });
        return { txid, fate: "conflicted", by: removal.by };
      }
      history.add(removal.transaction, { what: "dropped", timeMs, rule: removal.rule });
      return { txid, fate: "dropped", rule: removal.rule, detail: removal.detail };
    });
  }

  async function connectAll(
    settlement: Settlement,
    reorg: ReorgIndex | undefined,
  ): Promise<TransactionFate[]> {
    const fates: TransactionFate[] = [];
    for (const id of settlement.connected) {
      const block = await settlement.load(id);
      const timeMs = clock.nowMs();
      const { height } = block.header.header.core;
      for (const transaction of block.transactions) {
        reorg?.add(transaction, id);
        if (height > settlement.height - RECENT_BLOCKS) rememberMined(transaction);
        // Those that were never pending here (a sync brings thousands) are not worth remembering.
        if (mempool.get(transaction.txid) === undefined && history.get(transaction.txid) === undefined)
          continue;
        history.add(transaction, { what: "mined", timeMs, block: id, height });
        changed.push(transaction.txid);
      }
      fates.push(...noteRemovals(mempool.removeMined(block.transactions)));
    }
    return fates;
  }

  async function returnAll(settlement: Settlement, reorg: ReorgIndex): Promise<TransactionFate[]> {
    const fates: TransactionFate[] = [];
    const touched = new Set<AccountKey>();
    for (const id of settlement.disconnected) {
      const block = await settlement.load(id);
      const { height, proposer } = block.header.header.core;
      touched.add(Buffer.from(proposer).toString("hex"));
      const accounts = await settlement.accounts(block.transactions.map(({ sender }) => sender));
      block.transactions.forEach((transaction, i) => {
        const { txid } = transaction;
        const timeMs = clock.nowMs();
        touched.add(transaction.sender).add(transaction.recipient);
        const minedIn = reorg.blockOf(txid);
        if (minedIn !== undefined) {
          fates.push({ txid, fate: "mined", block: minedIn });
          return;
        }
        history.add(transaction, { what: "disconnected", timeMs, block: id, height });
        const { nonce = 0, balance = 0 } = accounts[i] ?? {};
        fates.push(giveBack(transaction, { nonce, balance }, settlement.height, reorg));
      });
    }
    return [...fates, ...(await revalidate([...touched], settlement))];
  }

  function giveBack(
    transaction: SealedTransaction,
    sender: { nonce: number; balance: number },
    height: number,
    reorg: ReorgIndex,
  ): TransactionFate {
    const { txid } = transaction;
    const timeMs = clock.nowMs();
    changed.push(txid);
    const rival = reorg.rivalOf(transaction);
    if (rival !== undefined) {
      history.add(transaction, { what: "conflicted", timeMs, by: rival });
      return { txid, fate: "conflicted", by: rival };
    }
    const admission = mempool.add(transaction, sender, height, timeMs);
    if (admission.status !== "refused") {
      history.add(transaction, { what: "returned", timeMs });
      return { txid, fate: "returned" };
    }
    history.add(transaction, { what: "dropped", timeMs, rule: admission.rule });
    return { txid, fate: "dropped", rule: admission.rule, detail: admission.detail };
  }

  async function revalidate(touched: AccountKey[], { accounts }: Settlement): Promise<TransactionFate[]> {
    const pending = touched.filter((key) => mempool.countOf(key) > 0);
    const states = await accounts(pending);
    return pending.flatMap((key, i) => {
      const { nonce = 0, balance = 0 } = states[i] ?? {};
      return noteRemovals(mempool.revalidate(key, { nonce, balance }));
    });
  }

  return {
    mempool,
    history,
    admit,
    recentlyMined: (leaf) => recent.get(leaf),
    async settle(settlement) {
      const reorg = settlement.disconnected.length > 0 ? createReorgIndex() : undefined;
      const ruledOut = await connectAll(settlement, reorg);
      const returned = reorg === undefined ? [] : await returnAll(settlement, reorg);
      const expired = noteRemovals(mempool.removeExpired(settlement.height));
      return mergeFates([...returned, ...ruledOut, ...expired]);
    },
    published() {
      if (changed.length === 0) return;
      const txids = [...new Set(changed)];
      changed = [];
      deps.onChange(txids, false);
    },
  };
}

/** One fate per transaction: the last word counts, in the order of the first. */
function mergeFates(fates: readonly TransactionFate[]): TransactionFate[] {
  return [...new Map(fates.map((fate) => [fate.txid, fate])).values()];
}

/** What the new branch contains, so that the old branch's transactions can be told apart. */
interface ReorgIndex {
  add(transaction: SealedTransaction, block: BlockId): void;
  blockOf(txid: TxId): BlockId | undefined;
  /** The transaction of the new branch that used the same nonce. */
  rivalOf(transaction: SealedTransaction): TxId | undefined;
}

function createReorgIndex(): ReorgIndex {
  const blocks = new Map<TxId, BlockId>();
  const byNonce = new Map<string, TxId>();
  const slot = ({ sender, transaction }: SealedTransaction): string => `${sender}:${transaction.body.nonce}`;
  return {
    add(transaction, block) {
      blocks.set(transaction.txid, block);
      byNonce.set(slot(transaction), transaction.txid);
    },
    blockOf: (txid) => blocks.get(txid),
    rivalOf: (transaction) => byNonce.get(slot(transaction)),
  };
}
