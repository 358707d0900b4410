import { setTimeout as pause } from "node:timers/promises";
import type { NodeEvent, TimelineEntry, TimelineType } from "../api/index.ts";
import { ApiError, type Client } from "../client/index.ts";
import type { Logger } from "../ports/index.ts";

/** Those of the stream that are in the timeline. */
const KINDS = ["head", "reorg", "header", "block", "peer", "link"] as const;
const PAGE_ENTRIES = 1_000;
/** Between looks at a node that does not run, or does not answer. */
const RETRY_MS = 250;

export interface NodeTimelineDeps {
  readonly n: number;
  /** Undefined while it does not run. */
  readonly client: () => Client | undefined;
  readonly logger: Logger;
  readonly take: (entry: TimelineEntry) => void;
}

/** The entry that an event of the stream tells. */
export function entryOf({ type, data }: NodeEvent): TimelineEntry | undefined {
  const { timeMs, sequence } = data;
  if (type === "tx" || sequence === null) return undefined;
  if (type === "reorg") {
    const { id, oldHead, newHead, forkPoint, depth, receivedMs, durationMs } = data;
    const reorg = { reorg: id, oldHead, newHead, forkPoint, depth, receivedMs, durationMs };
    return { sequence, timeMs, type, data: reorg };
  }
  const { timeMs: _timeMs, sequence: _sequence, ...own } = data;
  return { sequence, timeMs, type: type as TimelineType, data: own } as TimelineEntry;
}

/**
 * Reads one node's timeline through all its starts, until the signal is aborted: what it kept, then what it tells, joined
 * by number, so that each entry is taken once and in order. At most `most` of what it kept before is read.
 */
export async function followTimeline(
  deps: NodeTimelineDeps,
  { most }: { readonly most: number },
  signal: AbortSignal,
): Promise<void> {
  let last: number | undefined;

  /** Takes what the node has and we lack. */
  async function fill(client: Client, until: AbortSignal): Promise<void> {
    if (last === undefined) {
      const newest = await client.timeline({ limit: 1, order: "newest", signal: until });
      last = Math.max(0, newest.lastSequence - most);
    }
    for (;;) {
      const page = await client.timeline({ limit: PAGE_ENTRIES, after: String(last), signal: until });
      // Begun anew, or a power cut took what we have: it counts from there again.
      if (page.lastSequence < last) last = 0;
      else if (page.items.length === 0) return;
      for (const entry of page.items) takeNext(entry);
      if (page.next === null && page.items.length > 0) return;
    }
  }

  function takeNext(entry: TimelineEntry): void {
    last = entry.sequence;
    deps.take(entry);
  }

  async function follow(client: Client): Promise<void> {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    let filling: Promise<void> = Promise.resolve();
    let failure: unknown;
    // What it tells is kept by the stream meanwhile.
    const begin = (): void => {
      filling = fill(client, either).catch((error: unknown) => {
        failure = error;
        ended.abort();
      });
    };
    try {
      for await (const event of client.events(either, { kinds: KINDS, retryForMs: 0, onConnected: begin })) {
        await filling;
        if (failure !== undefined) throw failure;
        const entry = event.type === "gap" ? undefined : entryOf(event);
        if (event.type === "gap" || (entry !== undefined && entry.sequence > (last ?? 0) + 1))
          await fill(client, either);
        if (entry !== undefined && entry.sequence === (last ?? 0) + 1) takeNext(entry);
      }
    } finally {
      ended.abort();
      await filling;
    }
    if (failure !== undefined) throw failure;
  }

  let isTold = false;
  while (!signal.aborted) {
    const client = deps.client();
    if (client !== undefined)
      await follow(client).catch((error: unknown) => {
        if (signal.aborted) return;
        // A node that runs without a timeline would be asked for ever: it may be started again with one.
        const isOff = error instanceof ApiError && error.code === "TIMELINE_OFF";
        if (isOff && !isTold)
          deps.logger.info({ node: deps.n }, "a node keeps no timeline: it is not recorded");
        isTold ||= isOff;
        deps.logger.debug({ node: deps.n, error: String(error) }, "a node's timeline cannot be read now");
      });
    await pause(RETRY_MS, undefined, { signal }).catch(() => {});
  }
}
