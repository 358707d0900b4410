import { ServiceError, type Status, type TimelineOrder, type TimelinePage } from "../../api/index.ts";
import { type Logger, StoreError, type Timers } from "../../ports/index.ts";
import type { TxId } from "../../primitives/index.ts";
import { positionOf } from "../cursor.ts";
import type { OnHappening } from "../happenings.ts";
import { openTransactionLives, type TransactionLife } from "./lives.ts";
import { openTimelineLog, type TimelineLogDeps } from "./log.ts";
import { createTimelineRecorder, type TimelineRecorder, type TimelineRecorderDeps } from "./recorder.ts";

export interface TimelineDeps extends Omit<TimelineRecorderDeps, "log"> {
  readonly openStore: TimelineLogDeps["openStore"];
  readonly timers: Timers;
  readonly logger: Logger;
}

/** A node's timeline as the rest of the node uses it. */
export interface Timeline extends Omit<TimelineRecorder, "start" | "stop"> {
  /** When this start of the node was noted, Unix ms. */
  readonly startedMs: number;
  /** What happened to a transaction, once it is public. */
  happened: OnHappening;
  /** All that is kept of it, over earlier starts too; undefined where it was never pending here, or that is forgotten. */
  life(txid: TxId): Promise<TransactionLife | undefined>;
  status(): Status["timeline"];
  /** Fails with TIMELINE_OFF where nothing can be read. */
  page(page: {
    readonly limit: number;
    readonly after?: string;
    readonly order: TimelineOrder;
  }): Promise<TimelinePage>;
  /** Writes what there is. `isCleanStop`: the node ran, and was asked to end. */
  close(options: { readonly isCleanStop: boolean }): Promise<void>;
}

/** Opens the timeline and notes the start. Where it is not kept events are told none the less, without numbers. */
export async function openTimeline(
  deps: TimelineDeps,
  { isKept, run, version }: { readonly isKept: boolean; readonly run: string; readonly version: string },
): Promise<Timeline> {
  const logger = deps.logger.child({ module: "timeline" });
  const { chainId } = deps.chain.genesis;
  const log = isKept ? await openTimelineLog({ openStore: deps.openStore, chainId, logger }) : undefined;
  const { start, stop, ...recorder } = createTimelineRecorder({ ...deps, log });
  const startedMs = deps.clock.nowMs();
  start(run, version);
  const lives =
    log === undefined
      ? undefined
      : await openTransactionLives({
          ...{ log, timers: deps.timers, logger },
          reorgs: deps.chain.reorgs,
          lastReorg: () => deps.chain.lastReorg,
          receivedMs: async (block) => (await deps.chain.blocks.stored(block))?.receivedMs,
        });
  return {
    ...recorder,
    startedMs,
    happened: (transaction, happening) => lives?.note(transaction.txid, happening, transaction),
    // What is in memory is told, whatever the timeline is like.
    life: async (txid) => await lives?.get(txid).catch(() => undefined),
    status: () => ({
      on: log?.isOn ?? false,
      lastSequence: log?.lastSequence ?? 0,
      problem: log?.problem ?? null,
    }),
    async page({ limit, after, order }) {
      if (log?.isOn !== true) {
        const why = log === undefined ? "--no-timeline" : `it was switched off: ${log.problem}`;
        const message = `this node keeps no timeline (${why}); start it again without that, or ask another node`;
        throw new ServiceError("TIMELINE_OFF", 409, message);
      }
      const place = after === undefined ? {} : { after: positionOf(after) };
      return await log.page({ limit, order, ...place }).catch((cause: unknown) => {
        if (!(cause instanceof StoreError)) throw cause;
        const message = `the timeline cannot be read (${cause.message}); stop the node, delete its folder timeline, and start it again`;
        throw new ServiceError("TIMELINE_OFF", 409, message, { cause });
      });
    },
    async close({ isCleanStop }) {
      if (isCleanStop) stop("the node was asked to end");
      await lives?.close();
      await log?.close();
    },
  };
}
