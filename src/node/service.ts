import {
  type AccountProof,
  type AccountStatus,
  type MiningStatus,
  type NodeService,
  type Page,
  type PendingTransaction,
  type Reorg,
  ServiceError,
  type Submission,
} from "../api/index.ts";
import type { Chain, HistoryIndex } from "../chain/index.ts";
import { formatWork, nextDifficulty } from "../consensus/index.ts";
import { accountKeyOf } from "../ledger/index.ts";
import { type Miner, MinerError } from "../miner/index.ts";
import type { Protocols, Supervisor } from "../network/index.ts";
import type { Clock, Network } from "../ports/index.ts";
import {
  type BlockId,
  bytesToHex,
  encodeAddress,
  hexToBytes,
  type SealedTransaction,
  specToJson,
} from "../primitives/index.ts";
import { createBackups } from "./backup.ts";
import type { Bans } from "./bans.ts";
import { createBlockMarks } from "./block-marks.ts";
import { positionOf } from "./cursor.ts";
import { historyOf } from "./history-view.ts";
import type { NodeLinks } from "./links.ts";
import { createLookups } from "./lookups.ts";
import { createPeerService } from "./peer-service.ts";
import type { Presence } from "./presence.ts";
import { findIds } from "./short-ids.ts";
import type { SyncDriver } from "./sync-driver.ts";
import { syncView, tiedView } from "./sync-view.ts";
import type { Timeline } from "./timeline/index.ts";
import type { TransactionPool } from "./transaction-pool.ts";
import { treePage } from "./tree-view.ts";
import { headView, reorgView, tipView } from "./views.ts";

export interface NodeServiceDeps {
  readonly version: string;
  readonly clock: Clock;
  readonly chain: Chain;
  /** Undefined where this node keeps none. */
  readonly history: HistoryIndex | undefined;
  readonly timeline: Timeline;
  readonly pool: TransactionPool;
  readonly network: Network;
  readonly protocols: Protocols;
  readonly supervisor: Supervisor;
  readonly sync: SyncDriver;
  readonly bans: Bans;
  readonly links: NodeLinks;
  readonly forget: (peer: string) => void;
  readonly miner: Miner;
  readonly presence: Presence;
  readonly doctor: NodeService["doctor"];
  /** Public key that gets rewards. */
  readonly rewardTo: Uint8Array;
  readonly subscribe: NodeService["subscribe"];
}

/** Tips shown at most: a tree of many stale tips is not read by anybody to the end. */
const MAX_TIPS = 100;

export function createNodeService(deps: NodeServiceDeps): NodeService {
  const { chain, pool, network, sync, miner, clock } = deps;
  const { mempool } = pool;
  const startedMs = clock.monotonicMs();
  const { spec } = chain.genesis;

  function mining(): MiningStatus {
    const { mode, hashRate, targetHashRate } = miner.status();
    const { head, tree } = chain;
    const difficulty = nextDifficulty(spec, head, head.height === 0 ? undefined : tree.get(head.parent));
    return {
      mode,
      on: mode !== "off",
      hashRate,
      targetHashRate,
      difficulty: formatWork(difficulty),
      rewardTo: encodeAddress(deps.rewardTo),
    };
  }

  async function submit(transactions: readonly SealedTransaction[]): Promise<Submission[]> {
    const judged = await pool.admit(transactions);
    const fresh = judged.filter(({ admission }) => admission.status === "pending");
    if (fresh.length > 0) deps.protocols.publishTransactions(fresh.map((one) => one.transaction));
    return await Promise.all(
      judged.map(async ({ transaction: { txid }, admission }) => {
        if (admission.status !== "refused") return { id: txid, accepted: true };
        // Submitting again what is mined already is harmless, and its nonce is of course used.
        if (admission.rule === "TX-08" && (await chain.blocks.place(txid)) !== undefined)
          return { id: txid, accepted: true };
        const { rule: code, detail: message, numbers } = admission;
        return { id: txid, accepted: false, code, message, ...(numbers && { details: { ...numbers } }) };
      }),
    );
  }

  async function account(publicKey: Uint8Array): Promise<AccountStatus> {
    const key = accountKeyOf(publicKey);
    return await chain.withAccounts([key], ([record], head) => {
      const nonce = record?.nonce ?? 0;
      return {
        address: encodeAddress(publicKey),
        exists: record !== undefined,
        balance: record?.balance ?? 0,
        nonce,
        nextNonce: mempool.nextNonce(key, nonce),
        pending: mempool.countOf(key),
        head: { id: head.id, height: head.height },
      };
    });
  }

  async function accountProof(publicKey: Uint8Array): Promise<AccountProof | undefined> {
    const proof = await chain.proveAccount(accountKeyOf(publicKey));
    if (proof === undefined) return undefined;
    const { record, head, siblings } = proof;
    return {
      address: encodeAddress(publicKey),
      index: record.index,
      balance: record.balance,
      nonce: record.nonce,
      siblings: siblings.map(bytesToHex),
      block: { id: head.id, height: head.height },
    };
  }

  async function reorgs({ limit, after }: { limit: number; after?: string }): Promise<Page<Reorg>> {
    const before = after === undefined ? undefined : positionOf(after);
    const records = await chain.reorgs({ limit: limit + 1, ...(before === undefined ? {} : { before }) });
    const page = records.slice(0, limit);
    const arrivals = await deps.timeline.arrivals(page.map(({ cause }) => cause.block));
    const items = page.map((record, i) => reorgView(chain, record, arrivals[i] ?? null));
    return { items, next: records.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  async function pendingPage({
    limit,
    after,
  }: {
    limit: number;
    after?: string;
  }): Promise<Page<PendingTransaction>> {
    const from = after === undefined ? -1 : positionOf(after);
    const entries = mempool.entriesAfter(from, limit + 1);
    const page = entries.slice(0, limit);
    const accounts = await chain.accounts(page.map(({ transaction: { sender } }) => sender));
    const items = page.map(({ transaction: sealed, receivedMs }, i) => {
      const { senderBytes, recipient, amount, fee, nonce } = sealed;
      return {
        id: sealed.txid,
        sender: encodeAddress(senderBytes),
        to: encodeAddress(hexToBytes(recipient)),
        amount,
        fee,
        nonce,
        sizeBytes: sealed.bytes.length,
        receivedMs,
        ready: mempool.isReady(sealed, accounts[i]?.nonce ?? 0),
      };
    });
    return { items, next: entries.length > limit ? String(page.at(-1)?.order) : null };
  }

  async function mineBlocks(count: number, signal: AbortSignal): Promise<BlockId[]> {
    try {
      return await miner.mineBlocks(count, signal);
    } catch (error) {
      if (error instanceof MinerError)
        throw new ServiceError(error.code, 409, error.message, { cause: error });
      throw error;
    }
  }

  return {
    async status() {
      const { issued, burned } = chain.totals;
      return {
        version: deps.version,
        uptimeMs: Math.round(clock.monotonicMs() - startedMs),
        timeMs: clock.nowMs(),
        chain: chain.genesis.block.header.id,
        network: spec.name,
        node: { peer: network.self, multiaddrs: [...network.addresses()] },
        head: headView(chain.head),
        tied: tiedView(deps),
        ...syncView(deps),
        firstHeight: chain.firstHeight,
        peers: network.connections().length,
        mempool: { transactions: mempool.size, bytes: mempool.bytes },
        mining: mining(),
        reorgs: chain.lastReorg,
        timeline: deps.timeline.status(),
        supply: { issued, burned },
        attack: deps.presence.role,
      };
    },
    genesis: () => specToJson(spec),
    ...createPeerService(deps),
    links: deps.links.links,
    setLink: deps.links.setLink,
    healLink: deps.links.healLink,
    tips: () => {
      // The head need be neither the heaviest nor a leaf: what is above it may be invalid, or invalidated.
      const { head } = chain;
      const others = chain.tree.tips().filter(({ id }) => id !== head.id);
      return Promise.all([head, ...others].slice(0, MAX_TIPS).map((tip) => tipView(chain, tip)));
    },
    tree: (window) => treePage(chain, window, deps.timeline.arrivals),
    reorgs,
    timeline: deps.timeline.page,
    mempool: pendingPage,
    ...createLookups(deps),
    ...createBackups(chain),
    ...createBlockMarks({
      chain,
      askPeers() {
        for (const { peer } of network.connections()) void sync.exchangeStatus(peer);
      },
    }),
    findIds: async (kind, prefix, limit) =>
      findIds({ tree: chain.tree, headHeight: chain.head.height, pool }, kind, prefix, limit),
    account,
    accountProof,
    accountHistory: (publicKey, page) => historyOf(deps, publicKey, page),
    submit,
    mineBlocks,
    mineContinuously: async (hashRate) => miner.startContinuous(hashRate),
    stopMining: async () => miner.stopContinuous(),
    mining: async () => mining(),
    doctor: deps.doctor,
    async releaseAttack() {
      const { release } = deps.presence;
      if (release !== undefined) return release();
      const message =
        "this node holds no blocks back: it was not started with --attack withhold or selfish-miner";
      throw new ServiceError("ATTACK_OFF", 404, message);
    },
    subscribe: deps.subscribe,
  };
}
