import type { ForkTree } from "../consensus/index.ts";
import { type Clock, eachOf, type Metrics, SECONDS_BUCKETS } from "../ports/index.ts";
import type { ImportResult } from "./chain.ts";
import type { ChainEvents, Emitter } from "./events.ts";
import type { Journal } from "./journal.ts";
import type { LedgerState } from "./ledger-state.ts";
import type { Publisher } from "./publisher.ts";

const RESULTS = ["connected", "side", "known", "ignored", "refused", "failed"] as const;
const REORG_DEPTHS = [1, 2, 3, 5, 10, 20, 50, 100, 500, 1_000];

/** What is measured of the chain, and of the pure rooms that work in it. */
export interface ChainMetrics {
  /** Runs an import, and counts how it ended. */
  timeImport(run: () => Promise<ImportResult>): Promise<ImportResult>;
  /** The journal, with each batch measured. */
  measured(journal: Journal): Journal;
  /** Reads from these when it is asked, and listens to what the chain tells. */
  watch(parts: {
    readonly tree: ForkTree;
    readonly state: LedgerState;
    readonly publisher: Publisher;
    readonly emitter: Emitter<ChainEvents>;
  }): void;
  /** Blocks and body bytes that wait for the writer. */
  watchQueue(read: { readonly blocks: () => number; readonly bytes: () => number }): void;
}

export function createChainMetrics(metrics: Metrics, clock: Clock): ChainMetrics {
  const imports = eachOf(RESULTS, (result) =>
    metrics.counter({
      name: "cumulo_chain_imports_total",
      help: "Blocks handed to the chain, by what became of them",
      labels: { result },
    }),
  );
  const importSeconds = metrics.histogram({
    name: "cumulo_chain_import_seconds",
    help: "Time from handing a block in until its outcome is durable",
    buckets: SECONDS_BUCKETS,
  });
  const flushSeconds = metrics.histogram({
    name: "cumulo_chain_flush_seconds",
    help: "Time to write one synced batch",
    buckets: SECONDS_BUCKETS,
  });
  const batchBytes = metrics.counter({
    name: "cumulo_chain_batch_bytes_total",
    help: "Bytes of keys and values in synced batches",
  });
  const reorgs = metrics.counter({ name: "cumulo_chain_reorgs_total", help: "Reorgs since the start" });
  const reorgDepth = metrics.histogram({
    name: "cumulo_chain_reorg_depth_blocks",
    help: "Blocks disconnected by a reorg",
    buckets: REORG_DEPTHS,
  });
  const reorgSeconds = metrics.histogram({
    name: "cumulo_chain_reorg_seconds",
    help: "Time from the start of a reorg until it is durable",
    buckets: SECONDS_BUCKETS,
  });
  const moved = eachOf(["connected", "disconnected"], (what) =>
    metrics.counter({
      name: "cumulo_chain_moved_blocks_total",
      help: "Blocks put into the best chain and taken out of it",
      labels: { what },
    }),
  );
  const transactions = metrics.counter({
    name: "cumulo_chain_stored_transactions_total",
    help: "Transactions of blocks that were stored, side branches too",
  });
  const secondsSince = (startedMs: number): number => (clock.monotonicMs() - startedMs) / 1_000;

  return {
    async timeImport(run) {
      const startedMs = clock.monotonicMs();
      try {
        const result = await run();
        imports[result.status].increment();
        return result;
      } catch (error) {
        imports.failed.increment();
        throw error;
      } finally {
        importSeconds.observe(secondsSince(startedMs));
      }
    },
    measured: (journal) => ({
      async commit(writes, head) {
        const startedMs = clock.monotonicMs();
        const sizeBytes = await journal.commit(writes, head);
        flushSeconds.observe(secondsSince(startedMs));
        batchBytes.increment(sizeBytes);
        return sizeBytes;
      },
    }),
    watch({ tree, state, publisher, emitter }) {
      const gauge = (name: string, help: string, read: () => number) => metrics.gaugeOf({ name, help }, read);
      const { lookups } = state;
      gauge("cumulo_chain_head_height", "Height of the head", () => publisher.head.height);
      gauge(
        "cumulo_chain_head_timestamp_seconds",
        "Unix time that the head says it was made at",
        () => publisher.head.timestampMs / 1_000,
      );
      gauge(
        "cumulo_chain_reorg_records",
        "Reorgs since the chain's data was made",
        () => publisher.lastReorg,
      );
      gauge("cumulo_consensus_tree_blocks", "Blocks in the fork tree", () => tree.size);
      gauge("cumulo_consensus_tree_tips", "Tips of the fork tree", () => tree.tips().length);
      gauge("cumulo_ledger_accounts", "Accounts in the state", () => publisher.totals.accounts);
      for (const from of ["cache", "store"] as const)
        metrics.counterOf(
          {
            name: "cumulo_ledger_account_reads_total",
            help: "Accounts that were asked for, by where they were found",
            labels: { from },
          },
          () => lookups[from],
        );
      emitter.on("head", ({ connected, disconnected }) => {
        moved.connected.increment(connected.length);
        moved.disconnected.increment(disconnected.length);
      });
      emitter.on("reorg", ({ depth, durationMs }) => {
        reorgs.increment();
        reorgDepth.observe(depth);
        reorgSeconds.observe(durationMs / 1_000);
      });
      emitter.on("block", ({ block, status }) => {
        if (status !== "invalid") transactions.increment(block.transactions.length);
      });
    },
    watchQueue({ blocks, bytes }) {
      metrics.gaugeOf(
        { name: "cumulo_chain_queued_blocks", help: "Blocks that wait for the writer" },
        blocks,
      );
      metrics.gaugeOf(
        { name: "cumulo_chain_queued_bytes", help: "Body bytes that wait for the writer" },
        bytes,
      );
    },
  };
}
