import {
  type Clock,
  delay,
  type Logger,
  type Metrics,
  type Random,
  silentMetrics,
  type Timers,
  type WorkerPool,
} from "../ports/index.ts";
import {
  type BlockId,
  bigintToBytes,
  type HeaderCore,
  headerCoreRoot,
  type SealedHeader,
  sealHeader,
} from "../primitives/index.ts";
import { createMinerMetrics } from "./metrics.ts";
import { createRateMeter } from "./rate-meter.ts";
import type { SearchTasks } from "./search-tasks.ts";

/** A block that lacks only its nonce. */
export interface MiningTemplate {
  readonly core: HeaderCore;
  /** A valid id, read big-endian, is below it: floor(2^256 / difficulty). */
  readonly target: bigint;
}

export interface MinerDeps<Template extends MiningTemplate> {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  readonly pool: WorkerPool<SearchTasks>;
  /** The next block on our head, with a fresh timestamp. Undefined while the node must not mine (it is syncing). */
  readonly buildTemplate: () => Promise<Template | undefined>;
  /** Hands in a block with valid work. `connected`: it is part of the best chain now. */
  readonly submit: (header: SealedHeader, template: Template) => Promise<{ readonly connected: boolean }>;
}

export interface MinerOptions {
  /** Tries a second in continuous mode when none is given. */
  readonly defaultHashRate: number;
}

export interface MinerStatus {
  readonly mode: "off" | "continuous" | "blocks";
  /** Tries a second, measured over the last seconds. */
  readonly hashRate: number;
  /** What continuous mode is throttled to, or would be. */
  readonly targetHashRate: number;
}

export type MinerErrorCode = "MINER_BUSY" | "MINER_REFUSED" | "MINER_STOPPED" | "MINER_NOT_READY";

/** Counted mining could not be done; the message says what to do. */
export class MinerError extends Error {
  override readonly name = "MinerError";
  readonly code: MinerErrorCode;
  constructor(code: MinerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface Miner {
  /** Mines at `hashRate` tries a second (> 0, default: the option) until told otherwise. */
  startContinuous(hashRate?: number): void;
  /** Ends continuous mining; counted mining goes on. */
  stopContinuous(): void;
  /**
   * Mines `count` blocks (>= 1) on whatever is the head, unthrottled, and settles with their ids once all are
   * connected; aborted, with those connected until then. Continuous mining pauses meanwhile. Fails with a `MinerError`,
   * MINER_NOT_READY when the node does not mine for 10 s.
   */
  mineBlocks(count: number, signal: AbortSignal): Promise<BlockId[]>;
  /** The head moved: the template is stale at once. */
  headChanged(): void;
  /** Transactions arrived: the template is worth renewing, at most every second. */
  transactionsArrived(): void;
  status(): MinerStatus;
  /** Ends all mining and settles when nothing runs any more. */
  stop(): Promise<void>;
}

/** Continuous mining works in bursts of this length's worth of tries. */
const SLICE_MS = 250;
/** Tries per thread and call when unthrottled: some 10 ms natively, so that a new head is noticed soon. */
const ROUND_TRIES = 2 ** 18;
/** Below so many expected tries a second thread would mostly find blocks that are thrown away. */
const ONE_LANE_BELOW = 2n ** 18n;
const RENEW_FOR_TRANSACTIONS_MS = 1_000;
/** A template's timestamp must not grow old: adjusting difficulty reads it as the time the block took. */
const RENEW_MS = 5_000;
/** Blocks of ours refused in a row with no new head in between: then something is wrong and trying on is a hot loop. */
const MAX_REFUSED = 8;
/** Counted mining waits so long, looking so often, for a node that does not mine just now, say because it fetches a block. */
const NOT_READY_MS = 10_000;
const NOT_READY_POLL_MS = 100;
const MAX_NONCE = 2 ** 53;
const MAX_ID = 2n ** 256n - 1n;

interface Search<Template> {
  readonly template: Template;
  readonly coreRoot: Uint8Array;
  readonly target: Uint8Array;
  readonly lanes: number;
  readonly builtMs: number;
  readonly headVersion: number;
  readonly transactionsVersion: number;
  nextNonce: number;
}

export function createMiner<Template extends MiningTemplate>(
  deps: MinerDeps<Template>,
  options: MinerOptions,
): Miner {
  const { clock, timers, random, pool } = deps;
  const logger = deps.logger.child({ module: "miner" });
  const meter = createRateMeter(clock);
  let targetHashRate = options.defaultHashRate;
  const counted = createMinerMetrics(deps.metrics ?? silentMetrics, {
    perSecond: meter.perSecond,
    wanted: () => (continuous === undefined ? 0 : targetHashRate),
  });
  let headVersion = 0;
  let transactionsVersion = 0;
  let refusedInARow = 0;
  let counting: Promise<unknown> | undefined;
  let continuous: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  const stopped = new AbortController();

  async function newSearch(): Promise<Search<Template> | undefined> {
    // Read before building: a change during the build makes the template stale, not fresh.
    const versions = { headVersion, transactionsVersion };
    const template = await deps.buildTemplate();
    if (template === undefined) return undefined;
    counted.templates.increment();
    const expectedTries = template.target === 0n ? MAX_ID : MAX_ID / template.target;
    return {
      ...versions,
      template,
      coreRoot: headerCoreRoot(template.core),
      // At difficulty 1 the target is 2^256, which 32 bytes do not hold; one id in 2^256 is not worth more.
      target: bigintToBytes(template.target > MAX_ID ? MAX_ID : template.target, 32),
      lanes: expectedTries < ONE_LANE_BELOW ? 1 : pool.size,
      builtMs: clock.monotonicMs(),
      // A random start, so that two miners with one key and clock do not try the same ids. Below 2^52: room to go on.
      nextNonce: Math.floor(random.fraction() * 2 ** 52),
    };
  }

  function isStale(search: Search<Template>): boolean {
    const ageMs = clock.monotonicMs() - search.builtMs;
    if (search.headVersion !== headVersion || ageMs >= RENEW_MS) return true;
    return search.transactionsVersion !== transactionsVersion && ageMs >= RENEW_FOR_TRANSACTIONS_MS;
  }

  /** One burst of about `tries`; the sealed header when it found one. */
  async function tryNonces(search: Search<Template>, tries: number): Promise<SealedHeader | undefined> {
    const perLane = Math.max(1, Math.floor(tries / search.lanes));
    if (search.nextNonce + perLane * search.lanes >= MAX_NONCE) search.nextNonce = 0;
    const start = search.nextNonce;
    search.nextNonce += perLane * search.lanes;
    const { coreRoot, target, template } = search;
    const results = await Promise.all(
      Array.from({ length: search.lanes }, (_, lane) =>
        pool.run("searchNonce", { coreRoot, target, startNonce: start + lane * perLane, count: perLane }),
      ),
    );
    const tried = results.reduce((sum, result) => sum + result.tried, 0);
    meter.add(tried);
    counted.tries.increment(tried);
    const nonce = results.find((result) => result.nonce !== undefined)?.nonce;
    return nonce === undefined ? undefined : sealHeader({ core: template.core, nonce });
  }

  /** Hands a block in; true when it is connected. Throws when the node keeps refusing our own blocks. */
  async function handIn(header: SealedHeader, search: Search<Template>): Promise<boolean> {
    const { connected } = await deps.submit(header, search.template);
    counted.blocks[connected ? "connected" : "other"].increment();
    if (connected) {
      refusedInARow = 0;
      return true;
    }
    refusedInARow = search.headVersion === headVersion ? refusedInARow + 1 : 0;
    if (refusedInARow >= MAX_REFUSED) {
      refusedInARow = 0;
      throw new MinerError(
        "MINER_REFUSED",
        `the node refused ${MAX_REFUSED} of its own blocks in a row; its log says why`,
      );
    }
    return false;
  }

  /** A search, as soon as the node mines; undefined when aborted before. */
  async function nextSearch(progress: string, signal: AbortSignal): Promise<Search<Template> | undefined> {
    const startedMs = clock.monotonicMs();
    while (!signal.aborted) {
      const search = await newSearch();
      if (search !== undefined) return search;
      if (clock.monotonicMs() - startedMs >= NOT_READY_MS) {
        const message = `the node does not mine now, it is syncing (${progress}); wait until its status says synced`;
        throw new MinerError("MINER_NOT_READY", message);
      }
      await delay(timers, NOT_READY_POLL_MS, signal).catch(() => {});
    }
    return undefined;
  }

  async function countBlocks(count: number, signal: AbortSignal): Promise<BlockId[]> {
    const mined: BlockId[] = [];
    let search: Search<Template> | undefined;
    while (mined.length < count && !signal.aborted) {
      if (search === undefined || isStale(search))
        search = await nextSearch(`${mined.length} of ${count} blocks are mined`, signal);
      if (search === undefined) break;
      const found = await tryNonces(search, ROUND_TRIES);
      if (found === undefined) continue;
      if (await handIn(found, search)) mined.push(found.id);
      search = undefined;
    }
    return mined;
  }

  /** Spends `targetHashRate` tries a second in bursts; what a slow machine cannot do is not owed. */
  async function mineContinuously(signal: AbortSignal): Promise<void> {
    let search: Search<Template> | undefined;
    let owed = 0;
    let lastMs = clock.monotonicMs();
    while (!signal.aborted) {
      await delay(timers, SLICE_MS, signal);
      if (counting !== undefined) await counting.catch(() => {});
      const nowMs = clock.monotonicMs();
      const perSlice = (targetHashRate * SLICE_MS) / 1_000;
      owed = Math.min(owed + (targetHashRate * (nowMs - lastMs)) / 1_000, 2 * perSlice + 1);
      lastMs = nowMs;
      while (owed >= 1 && !signal.aborted) {
        if (search === undefined || isStale(search)) search = await newSearch();
        if (search === undefined) break;
        const tries = Math.min(Math.floor(owed), ROUND_TRIES * search.lanes);
        owed -= tries;
        const found = await tryNonces(search, tries);
        if (found === undefined) continue;
        await handIn(found, search);
        search = undefined;
      }
    }
  }

  async function runContinuous(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await mineContinuously(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, "mining failed, goes on in a moment");
        await delay(timers, 1_000, signal).catch(() => {});
      }
    }
  }

  function stopContinuous(): Promise<void> {
    const running = continuous;
    continuous = undefined;
    running?.abort.abort();
    return running?.done ?? Promise.resolve();
  }

  return {
    startContinuous(hashRate = options.defaultHashRate) {
      if (!(hashRate > 0)) throw new RangeError(`a hash rate is above 0, not ${hashRate}`);
      targetHashRate = hashRate;
      if (continuous !== undefined || stopped.signal.aborted) return;
      const abort = new AbortController();
      continuous = { abort, done: runContinuous(abort.signal) };
    },
    stopContinuous() {
      void stopContinuous();
    },
    async mineBlocks(count, signal) {
      if (stopped.signal.aborted)
        throw new MinerError("MINER_STOPPED", "the node is stopping; start it again to mine");
      if (counting !== undefined) {
        throw new MinerError(
          "MINER_BUSY",
          "another request mines a counted number of blocks; wait for it to end",
        );
      }
      const work = countBlocks(count, AbortSignal.any([signal, stopped.signal]));
      counting = work;
      try {
        return await work;
      } finally {
        counting = undefined;
      }
    },
    headChanged() {
      headVersion++;
    },
    transactionsArrived() {
      transactionsVersion++;
    },
    status() {
      const mode = counting !== undefined ? "blocks" : continuous !== undefined ? "continuous" : "off";
      return { mode, hashRate: meter.perSecond(), targetHashRate };
    },
    async stop() {
      stopped.abort();
      await Promise.all([stopContinuous(), counting?.catch(() => {})]);
    },
  };
}
