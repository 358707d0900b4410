import { refuse, type TreeBlock, type Verdict } from "../consensus/index.ts";
import type { AccountKey, AccountRecord } from "../ledger/index.ts";
import { StoreError, type StoreErrorCode } from "../ports/index.ts";
import { type Block, type BlockId, stateRootBranch } from "../primitives/index.ts";
import { snapshotChain } from "./backup.ts";
import type { BlockChecks } from "./block-checks.ts";
import type { BlockStore } from "./block-store.ts";
import { type Chain, type ChainDeps, type ImportResult, STALE_BRANCH_BLOCKS } from "./chain.ts";
import type { Connector } from "./connector.ts";
import { ChainError } from "./errors.ts";
import type { ChainEvents, Emitter } from "./events.ts";
import type { LedgerState } from "./ledger-state.ts";
import { createLock } from "./lock.ts";
import type { ChainMetrics } from "./metrics.ts";
import { createOperatorMarks } from "./operator-marks.ts";
import { createPruner } from "./pruner.ts";
import type { Publisher } from "./publisher.ts";
import { isDamage, markForRebuild, type RecoveredChain } from "./recovery.ts";
import type { BlockSource } from "./reorg.ts";
import { keys } from "./schema.ts";
import { buildTemplate } from "./template.ts";

/** Blocks waiting for the writer, at most: several windows of a sync. */
const MAX_QUEUED_BLOCKS = 1_024;
/** Body bytes waiting for the writer, at most. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
/**
 * Blocks per synced batch, at most. A sync's blocks are told as imported only when their batch is written, so it should
 * be a small part of what a sync has in hand, and no reader should wait long for the writer.
 */
const MAX_BATCH_BLOCKS = 64;
/** What to do about a store that failed. */
const AFTER_FAILURE: Partial<Record<StoreErrorCode, string>> = {
  STORE_FULL: "; make room on the disk and start the node again, nothing acknowledged is lost (STORE_FULL)",
  STORE_IO: "; see to the disk and start the node again, nothing acknowledged is lost (STORE_IO)",
};

interface Job {
  readonly block: Block;
  readonly source: BlockSource;
  /** Never rejects: workers that fail are a fault of neither the block nor the store. */
  readonly signatures: Promise<Verdict | ChainError>;
  readonly resolve: (result: ImportResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What `accept` says of a block; "stored": what becomes of it shows when its batch has ended. */
type Accepted = ImportResult | ChainError | "stored";

interface WriterDeps extends Omit<ChainDeps, "metrics"> {
  readonly metrics: ChainMetrics;
  readonly recovered: RecoveredChain;
  readonly state: LedgerState;
  readonly blocks: BlockStore;
  readonly connector: Connector;
  readonly checks: BlockChecks;
  readonly emitter: Emitter<ChainEvents>;
  readonly publisher: Publisher;
}

export function createWriter(deps: WriterDeps): Chain & { resume(): Promise<void> } {
  const { connector, checks, emitter, publisher, clock, genesis, state } = deps;
  const { tree } = deps.recovered;
  const marks = createOperatorMarks({ tree, connector, publisher, clock });
  const lock = createLock();
  const queue: Job[] = [];
  const queued = new Map<BlockId, Promise<ImportResult>>();
  let queuedBytes = 0;
  let nextArrival = deps.recovered.nextArrival;
  let stopped: ChainError | undefined;
  let closed = false;
  let draining = false;
  let hasToldOfUnfollowable = false;
  let drained: Promise<void> = Promise.resolve();
  deps.metrics.watchQueue({ blocks: () => queue.length, bytes: () => queuedBytes });

  function stop(error: unknown): ChainError {
    if (stopped === undefined) {
      const reason = error instanceof Error ? error.message : String(error);
      const advice = error instanceof StoreError ? (AFTER_FAILURE[error.code] ?? "") : "";
      stopped = new ChainError("CHAIN_STOPPED", `the chain stopped: ${reason}${advice}`, { cause: error });
      emitter.emit("fatal", stopped);
    }
    return stopped;
  }

  function refuseIfStopped(): void {
    if (stopped !== undefined) throw stopped;
    if (closed) throw new ChainError("CHAIN_STOPPED", "the chain is closed");
  }

  /** Runs with the state to itself; any failure in here is ours or the disk's, and ends the writing. */
  function exclusively<T>(holder: () => Promise<T>): Promise<T> {
    return lock.run(async () => {
      refuseIfStopped();
      try {
        return await holder();
      } catch (error) {
        // Stopping again and again at the same gap helps nobody: the next start executes the blocks anew.
        if (isDamage(error)) await markForRebuild(deps.store).catch(() => {});
        throw stop(error);
      }
    });
  }

  const pruner = createPruner({ ...deps, tree, exclusively }, deps.recovered, deps.pruning);

  /** Context checks and storing; *connect* happens to whatever branch is best afterwards. */
  async function accept({ block, source, signatures }: Job): Promise<Accepted> {
    const { id } = block.header;
    if (tree.get(id) !== undefined) return known(id);
    const context = checks.context(block.header);
    const verdict = context.ok ? await signatures : context;
    if (verdict instanceof ChainError) return verdict;
    if (!verdict.ok) {
      if (verdict.permanence === "permanent") checks.rememberInvalid(id, verdict);
      if (verdict.code === "HDR-14") tellOfUnfollowable(block);
      return { status: "refused", verdict };
    }
    const parent = tree.get(block.header.parent);
    const { difficulty } = block.header.header.core;
    const work = (parent?.work ?? 0n) + difficulty;
    if (source.message === "gossip" && work + STALE_BRANCH_BLOCKS * difficulty < connector.position.work) {
      return { status: "ignored" };
    }
    connector.add(block, {
      header: block.header.bytes,
      arrival: nextArrival++,
      status: "stored",
      transactions: block.transactions.length,
      bodyBytes: block.bodyBytes.length,
      receivedMs: source.receivedMs,
      source: source.peer,
      refusal: "",
    });
    publisher.note(id, source);
    await connector.activateBest();
    return "stored";
  }

  /** Once: a peer on such a branch comes with it again and again. */
  function tellOfUnfollowable({ header }: Block): void {
    if (hasToldOfUnfollowable) return;
    hasToldOfUnfollowable = true;
    const advice =
      "if your peers agree on it, restore a backup of a node on it, or sync anew with an empty --data directory";
    const fields = {
      block: header.id,
      height: header.header.core.height,
      firstHeight: tree.floor.height + 1,
    };
    deps.logger.warn(
      fields,
      `a branch leaves ours below what is kept here and cannot be followed; ${advice}`,
    );
  }

  function known(id: BlockId): ImportResult {
    return tree.get(id)?.status === "invalid" ? outcome(id) : { status: "known" };
  }

  /** Of a stored block, once its batch is published. */
  function outcome(id: BlockId): ImportResult {
    if (tree.get(id)?.status !== "invalid")
      return { status: publisher.isConnected(id) ? "connected" : "side" };
    const own = connector.refusalOf(id);
    return { status: "refused", verdict: own ?? refuse("HDR-12", `block ${id} or an ancestor is invalid`) };
  }

  /** Takes what is queued, a batch at a time, until nothing is left. */
  async function drainQueue(): Promise<void> {
    draining = true;
    while (queue.length > 0) {
      const batch: { readonly job: Job; result: Accepted }[] = [];
      await exclusively(async () => {
        for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
          queuedBytes -= job.block.bodyBytes.length;
          batch.push({ job, result: { status: "known" } });
          const last = batch[batch.length - 1];
          if (last !== undefined) last.result = await accept(job);
          if (batch.length >= MAX_BATCH_BLOCKS || connector.pendingBytes > publisher.batchBytes) break;
        }
        await publisher.publish(() => {
          for (const one of batch) {
            if (one.result === "stored") one.result = outcome(one.job.block.header.id);
            if (!(one.result instanceof ChainError)) tell(one.job, one.result);
          }
        });
      }).then(
        () => {
          for (const { job, result } of batch) {
            if (result === "stored" || result instanceof ChainError) fail(job, result);
            else settle(job, result);
          }
        },
        (error: unknown) => {
          for (const { job } of batch) fail(job, error);
          failQueued(error);
        },
      );
    }
    // In the same step as the check above: whoever queues after it must start anew.
    draining = false;
  }

  function tell({ block, source }: Job, result: ImportResult): void {
    if (result.status === "connected" || result.status === "side") {
      emitter.emit("block", { block, source, status: result.status });
    } else if (result.status === "refused" && result.verdict.permanence === "permanent") {
      emitter.emit("block", { block, source, status: "invalid", refusal: result.verdict });
    }
  }

  function settle(job: Job, result: ImportResult): void {
    queued.delete(job.block.header.id);
    job.resolve(result);
  }

  function fail(job: Job, error: unknown): void {
    queued.delete(job.block.header.id);
    job.reject(error);
  }

  function failQueued(error: unknown): void {
    for (const job of queue.splice(0)) fail(job, error);
    queuedBytes = 0;
  }

  function enqueue(block: Block, source: BlockSource): Promise<ImportResult> {
    const promise = new Promise<ImportResult>((resolve, reject) => {
      const remember = source.message !== "sync";
      const signatures = checks.signatures(block, { remember }).catch((cause: unknown) => {
        const message = `the signatures of block ${block.header.id} could not be verified; try again`;
        return new ChainError("CHAIN_BUSY", message, { cause });
      });
      queue.push({ block, source, signatures, resolve, reject });
    });
    queuedBytes += block.bodyBytes.length;
    queued.set(block.header.id, promise);
    if (!draining) drained = drainQueue();
    return promise;
  }

  async function importBlock(block: Block, source: BlockSource): Promise<ImportResult> {
    refuseIfStopped();
    const { id } = block.header;
    const refusal = checks.knownInvalid(id);
    if (refusal !== undefined) return { status: "refused", verdict: refusal };
    const waiting = queued.get(id);
    // A block that waits, or whose batch is being written, may be in the tree already, but is not durable.
    if (waiting === undefined && tree.get(id) !== undefined) return known(id);
    const verdict = checks.sanity(block);
    if (!verdict.ok) {
      // A header that fails is cheap to judge again; a body that belongs to its header and fails is not.
      if (!verdict.mutated && !verdict.code.startsWith("HDR")) checks.rememberInvalid(id, verdict);
      return { status: "refused", verdict };
    }
    if (waiting !== undefined) return await waiting;
    if (queue.length >= MAX_QUEUED_BLOCKS || queuedBytes + block.bodyBytes.length > MAX_QUEUED_BYTES) {
      throw new ChainError("CHAIN_BUSY", `${queue.length} blocks are waiting to be imported; try again`);
    }
    return await enqueue(block, source);
  }

  async function withAccounts<T>(
    accountKeys: readonly AccountKey[],
    read: (accounts: (AccountRecord | undefined)[], head: TreeBlock) => T,
  ): Promise<T> {
    const answer = await exclusively(async () => {
      await state.prefetch(new Set(accountKeys));
      const accounts = accountKeys.map((key) => state.get(key));
      try {
        return { value: read(accounts, publisher.head) };
      } catch (error) {
        // The caller's failure, not ours: the chain goes on.
        return { error };
      }
    });
    if ("error" in answer) throw answer.error;
    return answer.value;
  }

  return {
    genesis,
    tree,
    blocks: deps.blocks,
    checks,
    rebuilt: deps.recovered.reset,
    isNew: deps.recovered.isNew,
    get firstHeight() {
      return tree.floor.height === 0 ? 0 : tree.floor.height + 1;
    },
    get head() {
      return publisher.head;
    },
    on: emitter.on,
    idAt: publisher.idAt,
    isConnected: publisher.isConnected,
    branchOf(block) {
      let forkPoint = block;
      while (!publisher.isConnected(forkPoint.id)) forkPoint = tree.get(forkPoint.parent) ?? tree.genesis;
      return { forkPoint, length: block.height - forkPoint.height };
    },
    reorgs: publisher.reorgs,
    invalidate: (id) => exclusively(() => marks.invalidate(id)),
    reconsider: (id) => exclusively(() => marks.reconsider(id)),
    get totals() {
      return publisher.totals;
    },
    get lastReorg() {
      return publisher.lastReorg;
    },
    import: (block, source) => deps.metrics.timeImport(() => importBlock(block, source)),
    accounts: (accountKeys) => withAccounts(accountKeys, (accounts) => accounts),
    withAccounts,
    proveAccount: (key) =>
      exclusively(async () => {
        const proven = await state.prove(key);
        const { head } = publisher;
        const header = await deps.blocks.header(head.id);
        if (proven === undefined || header === undefined) return undefined;
        return { ...proven, head, siblings: [...proven.siblings, ...stateRootBranch(header.header)] };
      }),
    buildTemplate: (request) =>
      exclusively(() =>
        buildTemplate({ genesis, tree, state, head: publisher.head, nowMs: clock.nowMs() }, request),
      ),
    snapshot: () => exclusively(() => snapshotChain(deps.store, genesis, clock.nowMs())),
    async resume() {
      await exclusively(async () => {
        publisher.note(tree.best().id, { peer: "local", message: "recovery", receivedMs: clock.nowMs() });
        const replayed = deps.recovered.reset ? tree.best().height - tree.floor.height : 0;
        await connector.activateBest((height) => deps.onReplay?.(height, tree.best().height));
        // Whoever asked for a reindex has it now.
        if ((await deps.store.get(keys.meta("reindex"))) !== undefined)
          connector.write({ key: keys.meta("reindex"), value: undefined });
        await publisher.publish();
        if (replayed > 0) deps.logger.info({ blocks: replayed }, "executed the stored blocks again");
      });
      emitter.on("head", () => void pruner.run());
      void pruner.run();
    },
    prune: pruner.run,
    async close() {
      closed = true;
      failQueued(new ChainError("CHAIN_STOPPED", "the chain was closed before the block's turn came"));
      await drained;
      await pruner.close();
      await lock.run(async () => {});
      await deps.store.close();
    },
  };
}
