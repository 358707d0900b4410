import { availableParallelism } from "node:os";
import { createApiServer } from "../api/index.ts";
import {
  type Chain,
  createHistoryIndex,
  createSignatureVerifier,
  type HistoryIndex,
  openChain,
} from "../chain/index.ts";
import { processStart } from "../files/index.ts";
import type { VerifyTasks } from "../keys/index.ts";
import { createGenesis } from "../ledger/index.ts";
import type { SearchTasks } from "../miner/index.ts";
import {
  createLibp2pNetwork,
  createProtocols,
  createSupervisor,
  PROTOCOL_VERSION,
  type Status,
} from "../network/index.ts";
import type { Logger } from "../ports/index.ts";
import { genesisDifficulty } from "../primitives/index.ts";
import { createBanList, createPeerBook } from "../sync/index.ts";
import { createMeasuredStore } from "./adapters/measured-store.ts";
import { createPrometheusMetrics } from "./adapters/prometheus-metrics.ts";
import { createSystemClock } from "./adapters/system-clock.ts";
import { createSystemRandom } from "./adapters/system-random.ts";
import { createSystemTimers } from "./adapters/system-timers.ts";
import { createThreadWorkerPool } from "./adapters/thread-worker-pool.ts";
import { createBans } from "./bans.ts";
import { createBlockRelay } from "./block-relay.ts";
import { choosePresence } from "./choose-presence.ts";
import { chooseNetwork, openDataDirectory } from "./data-directory.ts";
import { createDoctor, createRefusals } from "./doctor/index.ts";
import { createNodeEvents } from "./events.ts";
import { createNodeLinks } from "./links.ts";
import { createNodeLogger } from "./logger.ts";
import { findFate } from "./lookups.ts";
import { createMining } from "./mining.ts";
import { checkAddresses, checkPruneDepth, givenReward, refuseUnsupported } from "./option-checks.ts";
import type { NodeOptions } from "./options.ts";
import { createPeerExchange } from "./peer-exchange.ts";
import { createPeerFinder, DEFAULT_MAX_OUTBOUND } from "./peer-finder.ts";
import { createPeersFile, readPeers } from "./peers-file.ts";
import { createPoolFile } from "./pool-file.ts";
import { createProtocolHandlers } from "./protocol-handlers.ts";
import { createNodeService } from "./service.ts";
import { createShutdown, type Shutdown } from "./shutdown.ts";
import { createSyncDriver } from "./sync-driver.ts";
import { openTimeline } from "./timeline/index.ts";
import { createTransactionPool } from "./transaction-pool.ts";
import { VERSION } from "./version.ts";
import { createWorkerMetrics } from "./worker-metrics.ts";

/** A node that answers. */
export interface RunningNode {
  /** URL of the API. */
  readonly api: string;
  readonly multiaddrs: readonly string[];
  readonly dataDir: string;
  /** Ends everything in reverse order of starting, within a few seconds; calling it twice is harmless. */
  stop(): Promise<void>;
  /** Settles when the node has stopped; rejects when it stopped itself because its store failed. */
  readonly done: Promise<void>;
}

/** Starts a node: reads top to bottom what the daemon is made of. Fails with a typed error, with nothing left running. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const logger = createNodeLogger(options.logLevel);
  const shutdown = createShutdown(logger);
  try {
    return await compose(options, logger, shutdown);
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

async function compose(options: NodeOptions, logger: Logger, shutdown: Shutdown): Promise<RunningNode> {
  const clock = createSystemClock();
  const timers = createSystemTimers();
  const random = createSystemRandom();
  const metrics = createPrometheusMetrics();
  // What is refused is refused before anything is written, and what fails later takes away what it made.
  const chosen = await chooseNetwork(options);
  const { spec } = chosen;
  refuseUnsupported(spec);
  const genesis = createGenesis(spec);
  const given = givenReward(options);
  checkAddresses(options);
  checkPruneDepth(options);
  const directory = await openDataDirectory(options, chosen, random);
  let stands = false;
  let hasFailed = false;
  shutdown.add("data directory", () => (stands ? directory.close() : directory.abandon()));
  const rewardTo = given ?? (await directory.rewardKey());
  const failure = Promise.withResolvers<Error>();
  /** Tells this start apart from others of this node. */
  const run = clock.nowMs().toString(36);

  const threads = availableParallelism();
  const verifiers = createThreadWorkerPool<VerifyTasks>({
    module: new URL("../keys/verify-tasks.ts", import.meta.url),
    size: threads,
    observer: createWorkerMetrics(metrics, "keys"),
  });
  shutdown.add("signature workers", () => verifiers.close());
  const searchers = createThreadWorkerPool<SearchTasks>({
    module: new URL("../miner/search-tasks.ts", import.meta.url),
    size: threads,
    observer: createWorkerMetrics(metrics, "miner"),
  });
  shutdown.add("mining workers", () => searchers.close());
  const signatures = createSignatureVerifier(verifiers, metrics);

  const peersPlace = { path: directory.peersFile, chain: genesis.block.header.id };
  const kept = await readPeers(peersPlace, logger);
  const banList = createBanList(kept.bans);
  const network = await createLibp2pNetwork(
    { clock, timers, random, logger, metrics },
    {
      privateKeySeed: directory.networkSeed,
      listen: options.listen,
      announce: options.announce,
      ...(options.mdns === true && {
        discover: {
          tag: genesis.block.header.id.slice(0, 8),
          found: (peer: string, addresses: readonly string[]) => finder.discovered(peer, addresses),
        },
      }),
      wanted: () => supervisor.wanted(),
      isBanned: (subject) => isBanned(subject),
      ...(options.maxInbound !== undefined && { maxInbound: options.maxInbound }),
      ...(options.maxInboundPerIp !== undefined && { maxInboundPerIp: options.maxInboundPerIp }),
    },
  );
  const events = createNodeEvents({ clock, logger });

  // The chain settles transactions through the pool, which judges them by the chain's accounts: the one knot that two
  // constructors cannot tie. Nothing calls it before both are there.
  let opened: Chain | undefined;
  let history: HistoryIndex | undefined;
  const pool = createTransactionPool({
    genesis,
    clock,
    metrics,
    signatures,
    chain: () => opened as Chain,
    isSyncing: () => sync.isSyncing,
    onHappening: (...happened) => timeline.happened(...happened),
    onChange: (txids, arrived) => {
      if (arrived) mining.miner.transactionsArrived();
      events.transactionsChanged(txids);
    },
  });
  const chain = await openChain({
    store: createMeasuredStore(directory.store, { metrics, clock }, "chain"),
    metrics,
    genesis,
    clock,
    logger,
    signatures,
    node: network.self,
    settle: pool.settle,
    ...(options.pruneDepth !== undefined && {
      pruning: {
        depth: options.pruneDepth,
        timers,
        // The index is opened after the chain, and reads nothing before.
        usedUpTo: () => (options.history === false ? Number.MAX_SAFE_INTEGER : (history?.usedUpTo() ?? 0)),
      },
    }),
  });
  opened = chain;
  shutdown.add("chain", () => chain.close());
  const { id, height } = chain.head;
  logger.info({ height, head: id, firstHeight: chain.firstHeight }, "the chain is open");
  if (chain.isNew && directory.hadChain) {
    const message =
      "the chain's folder was there and held nothing: any blocks that this node had are lost, and come from peers again";
    logger.warn({ data: directory.path }, message);
  }
  // Only now is it certain that its chain is of this network.
  await directory.keepGenesis();

  const ownStatus = (): Status => ({
    version: PROTOCOL_VERSION,
    chain: genesis.block.header.id,
    head: chain.head.id,
    height: chain.head.height,
    work: chain.head.work,
    firstHeight: chain.firstHeight,
  });
  const refusals = createRefusals(clock);
  const sync = createSyncDriver({
    noteRefusal: refusals.note,
    chain,
    clock,
    timers,
    logger,
    metrics,
    network,
    protocols: () => protocols,
    ownStatus,
    onIdle: () => exchange.reconcileAll(),
    onFirstStatus: (peer) => finder.introduced(peer),
    onPeerReorg: (peer) => exchange.reconcile(peer),
  });
  const presence = await choosePresence(options.attack, {
    ...{ chain, network, clock, timers, logger, searchers },
    tellPeers: () => exchange.reconcileAll(),
  });
  const { punish } = network;
  const { mempool, admit } = pool;
  const relay = createBlockRelay({
    ...{ chain, punish, mempool, clock, logger },
    noteRefusal: refusals.note,
    protocols: () => protocols,
    askStatus: (peer) => void sync.exchangeStatus(peer),
    headerSeen: (header, source) => timeline.headerSeen(header, source),
  });
  const answers = createProtocolHandlers({
    ...{ chain, pool, sync, relay, ownStatus, punish },
    toldPeers: (peer, limit) => finder.told(peer, limit),
  });
  const protocols = presence.requests(
    createProtocols(
      { network, clock, timers, logger },
      { chain: genesis.block.header.id },
      presence.answers(answers),
    ),
  );
  const exchange = createPeerExchange({
    ...{ network, sync, mempool, timers, logger, admit, punish },
    protocols: () => protocols,
  });
  const supervisor = createSupervisor(
    { network, clock, timers, random, logger },
    { addresses: options.peers },
  );
  const book = createPeerBook(network.self, kept.peers);
  const peersFile = createPeersFile(
    { current: () => ({ peers: book.list(), bans: banList.list(clock.nowMs()) }), timers, logger },
    peersPlace,
  );
  const isBanned = (subject: string): boolean => banList.isBanned(subject, clock.nowMs());
  const finder = createPeerFinder(
    { network, protocols: () => protocols, supervisor, book, isBanned, clock, timers, random, logger },
    { exchange: options.exchange ?? true, maxOutbound: options.maxOutbound ?? DEFAULT_MAX_OUTBOUND },
  );
  const bans = createBans({
    ...{ network, supervisor, banList, clock, logger, metrics },
    save: () => peersFile.save(),
  });
  const mining = createMining(
    {
      ...{ pool, relay, clock, timers, random, logger, metrics, searchers },
      chain: presence.mining(chain),
      isSyncing: () => sync.isSyncing,
    },
    {
      rewardTo,
      defaultHashRate: (Number(genesisDifficulty(spec)) * 1_000) / spec.intervalMs / (options.miners ?? 1),
    },
  );

  const timeline = await openTimeline(
    {
      openStore: async (how) =>
        createMeasuredStore(await directory.openTimeline(how), { metrics, clock }, "timeline"),
      ...{ clock, timers, chain, mempool: pool.mempool, tell: events.tell, logger },
    },
    { isKept: options.timeline !== false, run, version: VERSION },
  );
  shutdown.add("timeline", () => timeline.close({ isCleanStop: stands && !hasFailed }));
  timeline.attach(network);
  // What the chain settled while it was opened.
  pool.published();

  chain.on("head", ({ disconnected }) => {
    mining.miner.headChanged();
    pool.published();
    if (disconnected.length > 0) exchange.reconcileAll();
    else exchange.headChanged();
  });
  chain.on("fatal", (error) => {
    logger.error({ error: error.message }, "the chain stopped; the node stops too");
    hasFailed = true;
    failure.resolve(error);
  });
  network.on("connect", ({ peer }) => exchange.connected(peer));
  network.on("disconnect", (peer) => sync.peerGone(peer));

  if (options.history !== false) {
    const index = await createHistoryIndex({
      chain,
      openStore: async (how) =>
        createMeasuredStore(await directory.openHistory(how), { metrics, clock }, "history"),
      timers,
      logger,
      // Where blocks are going to be deleted it must read them in time.
      isBusy: () => options.pruneDepth === undefined && sync.isSyncing,
      onIndexed: () => void chain.prune(),
    });
    history = index;
    // It may have read all before.
    void chain.prune();
    shutdown.add("history index", () => index.close());
  }
  const links = createNodeLinks({ network, supervisor, clock, timers, logger, metrics });
  shutdown.add("links", () => links.stop());
  links.onChange(timeline.linkChanged);
  const doctor = createDoctor(
    {
      ...{ chain, clock, timers, network, supervisor, sync, relay, bans, links, pool, refusals },
      miner: () => mining.miner.status(),
    },
    { ...options, dataDir: directory.path },
  );
  const service = createNodeService({
    ...{ chain, clock, network, supervisor, sync, bans, links, pool, history, timeline, protocols, presence },
    ...{ rewardTo, doctor },
    version: VERSION,
    forget: book.forget,
    miner: mining.miner,
    subscribe: events.subscribe,
  });
  events.attach((id) => findFate({ chain, pool }, id));

  const poolFile = createPoolFile(
    { mempool: pool.mempool, admit: pool.admit, timers, logger },
    { path: directory.poolFile, chainId: genesis.chainId },
  );
  // Before there are peers, as far as there is time: a node that has begun to sync takes nothing in.
  await poolFile.restore();
  poolFile.start();
  shutdown.add("pending transactions", () => poolFile.stop());
  peersFile.start();
  shutdown.add("known peers", () => peersFile.stop({ save: stands }));
  shutdown.add("network", () => network.stop());
  shutdown.add("protocols", () => protocols.stop());
  shutdown.add("exchange", () => exchange.stop());
  shutdown.add("sync", () => sync.stop());
  await network.start();
  // Before there are connections that it would not hear of.
  finder.start();
  shutdown.add("finder", () => finder.stop());
  supervisor.start();
  shutdown.add("supervisor", () => supervisor.stop());
  presence.start();
  shutdown.add("presence", () => presence.stop());
  shutdown.add("miner", () => mining.miner.stop());

  const api = createApiServer(
    { node: service, clock, timers, logger, metrics },
    {
      ...options.api,
      version: VERSION,
      token: directory.token,
      apiRead: options.apiRead,
      hostNames: [],
      run,
    },
  );
  options.onServing?.();
  const url = await api.start();
  shutdown.add("api", () => api.close());
  const started = await processStart(process.pid).catch(() => undefined);
  const self = { pid: process.pid, ...(started === undefined ? {} : { started }) };
  await directory.writeNodeFile({ ...self, api: url, multiaddrs: network.addresses() });
  shutdown.add("node file", () => directory.removeNodeFile());
  stands = true;
  if (options.mine) mining.miner.startContinuous(options.hashRate);
  logger.info({ api: url, peer: network.self, chain: genesis.block.header.id }, "the node runs");

  const done = Promise.withResolvers<void>();
  const stop = async (): Promise<void> => {
    await shutdown.run();
    done.resolve();
  };
  void failure.promise.then(async (error) => {
    await shutdown.run();
    done.reject(error);
  });
  return { api: url, multiaddrs: network.addresses(), dataDir: directory.path, stop, done: done.promise };
}
