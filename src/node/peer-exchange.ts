import type { Mempool } from "../mempool/index.ts";
import { MAX_LEAVES_PER_LIST, MAX_TRANSACTIONS_PER_REQUEST, type Protocols } from "../network/index.ts";
import type { Logger, Network, Timer, Timers } from "../ports/index.ts";
import type { SealedTransaction } from "../primitives/index.ts";
import type { Punish } from "./punish.ts";
import type { SyncDriver } from "./sync-driver.ts";
import type { Judged } from "./transaction-pool.ts";

/** A changed head is told to peers so long after the first change; more changes meanwhile go along. */
const TELL_AFTER_MS = 500;
/** Peers that stayed quiet are asked again: a gossip message may have been lost while links came and went. */
const ASK_EVERY_MS = 10_000;
/** Leaves listed of one peer's mempool, at most, per comparison: more than a full one has. */
const MAX_RECONCILED = 262_144;
/**
 * Comparisons in a row. What waits for too many earlier ones of its sender is refused, and those come with a later page:
 * after each pass that brought some, the next one may bring more.
 */
const MAX_PASSES = 16;
const NO_LEAF = "0".repeat(64);

/** Of one comparison: transactions taken, and refused because too many of their sender's are missing before them. */
interface Outcome {
  admitted: number;
  gapped: number;
}

export interface PeerExchangeDeps {
  readonly network: Network;
  readonly protocols: () => Protocols;
  readonly sync: SyncDriver;
  readonly mempool: Mempool;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Judges and admits transactions that a peer had pending. */
  readonly admit: (transactions: readonly SealedTransaction[], from: string) => Promise<readonly Judged[]>;
  readonly punish: Punish;
}

/**
 * What gossip does not carry: a message published just after connecting, or while split, reaches nobody, and publishing
 * it again counts as a duplicate. So on connect, after a sync and after a reorg, peers tell each other their head and
 * compare mempools.
 */
export interface PeerExchange {
  connected(peer: string): void;
  /** Tells all peers our head soon. */
  headChanged(): void;
  /** Compares mempools with one peer. */
  reconcile(peer: string): void;
  /** After a sync or a reorg: heads and mempools with everybody. */
  reconcileAll(): void;
  stop(): void;
}

export function createPeerExchange(deps: PeerExchangeDeps): PeerExchange {
  const { network, sync, mempool, timers } = deps;
  const logger = deps.logger.child({ module: "exchange" });
  /** Peers being compared with; true: once more, as something has changed since it began. */
  const reconciling = new Map<string, boolean>();
  const stopping = new AbortController();
  const { signal } = stopping;
  let telling: Timer | undefined;
  let asking: Timer | undefined;

  const peers = (): string[] => network.connections().map(({ peer }) => peer);

  /** Fetches what the peer has pending and we do not. */
  async function reconcile(peer: string): Promise<void> {
    if (reconciling.has(peer)) return void reconciling.set(peer, true);
    // When the sync ends, all are compared with.
    if (sync.isSyncing) return;
    try {
      for (let pass = 1; pass <= MAX_PASSES; pass++) {
        reconciling.set(peer, false);
        const { admitted, gapped } = await compare(peer);
        const isWorthAnother = reconciling.get(peer) === true || (admitted > 0 && gapped > 0);
        if (!isWorthAnother || sync.isSyncing) return;
      }
    } catch (error) {
      if (!signal.aborted) logger.debug({ peer, error: String(error) }, "mempools were not compared");
    } finally {
      reconciling.delete(peer);
    }
  }

  async function compare(peer: string): Promise<Outcome> {
    const outcome = { admitted: 0, gapped: 0 };
    let after = NO_LEAF;
    for (let seen = 0; seen < MAX_RECONCILED; ) {
      const leaves = await deps.protocols().listMempool(peer, after, MAX_LEAVES_PER_LIST, { signal });
      const missing = leaves.filter((leaf) => mempool.getByLeaf(leaf) === undefined);
      await fetch(peer, missing, outcome);
      const last = leaves.at(-1);
      if (last === undefined || leaves.length < MAX_LEAVES_PER_LIST) break;
      after = last;
      seen += leaves.length;
    }
    return outcome;
  }

  async function fetch(peer: string, leaves: readonly string[], outcome: Outcome): Promise<void> {
    for (let from = 0; from < leaves.length; ) {
      const wanted = leaves.slice(from, from + MAX_TRANSACTIONS_PER_REQUEST);
      const transactions = await deps.protocols().requestTransactions(peer, wanted, { signal });
      // They come in the order of their leaves, in which the later ones of a sender would seem to wait for a missing one.
      const judged = await deps.admit(
        [...transactions].sort((a, b) => a.nonce - b.nonce),
        peer,
      );
      const fresh = judged.flatMap(({ transaction, admission }) =>
        admission.status === "pending" ? [transaction] : [],
      );
      outcome.admitted += fresh.length;
      outcome.gapped += judged.filter(
        ({ admission }) => admission.status === "refused" && admission.rule === "MEM-03",
      ).length;
      // Others behind us may lack them too, and the peer's own gossip of them has long passed.
      if (fresh.length > 0) deps.protocols().publishTransactions(fresh);
      const fault = judged.find(({ senderAtFault }) => senderAtFault);
      if (fault?.admission.status === "refused")
        return deps.punish(peer, `had a transaction against rule ${fault.admission.rule} pending`);
      if (transactions.length === 0) return;
      // An answer may end early where it is full; what is missing then comes first in the next request.
      const got = new Set(transactions.map(({ leaf }) => leaf));
      const lastGot = wanted.findLastIndex((leaf) => got.has(leaf));
      from += lastGot + 1;
    }
  }

  async function meet(peer: string): Promise<void> {
    await sync.exchangeStatus(peer);
    await reconcile(peer);
  }

  function tellSoon(): void {
    if (signal.aborted) return;
    telling ??= timers.set(TELL_AFTER_MS, () => {
      telling = undefined;
      for (const peer of peers()) void sync.exchangeStatus(peer);
    });
  }

  function askRegularly(): void {
    asking = timers.set(ASK_EVERY_MS, () => {
      for (const peer of peers()) void sync.exchangeStatus(peer);
      askRegularly();
    });
  }
  askRegularly();

  return {
    connected: (peer) => void meet(peer),
    headChanged: tellSoon,
    reconcile: (peer) => void reconcile(peer),
    reconcileAll() {
      for (const peer of peers()) void meet(peer);
    },
    stop() {
      stopping.abort();
      if (telling !== undefined) timers.clear(telling);
      if (asking !== undefined) timers.clear(asking);
    },
  };
}
