import type { Arrival, TimelineEntry, TimelinePage } from "../../api/index.ts";
import { type KeyValueStore, type Logger, StoreError, type Write } from "../../ports/index.ts";
import { type BlockId, equalBytes } from "../../primitives/index.ts";
import {
  allEntries,
  arrivalKey,
  decodeArrival,
  decodeEntry,
  encodeArrival,
  encodeEntry,
  entryKey,
  entryRange,
  metaKey,
  type NewEntry,
  sequenceOf,
} from "./rows.ts";

/** Of the timeline alone: another one is begun anew. */
const TIMELINE_VERSION = "1";
/** Entries kept; the oldest go. Some 500 bytes each, so some 100 MB. */
export const MAX_ENTRIES = 200_000;
/** Entries per batch, at most: the event loop and the disk are shared with those who import. */
const MAX_BATCH_ENTRIES = 1_000;
/** Entries that wait for a slow disk, at most; what is above is not noted, and has no number. */
const MAX_WAITING = 20_000;

export interface TimelineLogDeps {
  /** Opens the timeline's own store. `anew`: without what it held. */
  readonly openStore: (options: { readonly anew: boolean }) => Promise<KeyValueStore>;
  readonly chainId: Uint8Array;
  readonly logger: Logger;
}

export interface TimelineLogOptions {
  /** Default `MAX_ENTRIES`. */
  readonly maxEntries?: number;
}

/** What belongs to an entry in the index of arrivals. */
export interface NotedArrival {
  readonly id: BlockId;
  readonly arrival: Arrival;
}

/**
 * Numbered entries in a store of their own, written in batches and not synced: an import never waits for them. What cannot
 * be written switches the log off, and never the node.
 */
export interface TimelineLog {
  readonly isOn: boolean;
  /** Why it was switched off. */
  readonly problem: string | undefined;
  /** 0 before the first. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /**
   * Hands an entry over. Settles with its number when it is written, so that nobody is told of one that a killed process
   * would number again; undefined where it was not taken.
   */
  add(entry: NewEntry, arrival?: NotedArrival): Promise<number | undefined>;
  /** Rows of others in the same store, in the next batch; they may be read once `read` or `scan` is called after it. */
  addWrites(writes: readonly Write[]): void;
  /** One answer per key, in order. */
  read(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  scan: KeyValueStore["scan"];
  page(options: {
    readonly limit: number;
    /** Sequence number; those beyond it in the order asked for. */
    readonly after?: number;
    readonly order: "oldest" | "newest";
  }): Promise<TimelinePage>;
  /** One answer per block, in order. */
  arrivals(ids: readonly BlockId[]): Promise<(Arrival | undefined)[]>;
  /** Lets what was handed over be written and closes the store. */
  close(): Promise<void>;
}

interface Waiting {
  readonly writes: readonly Write[];
  readonly sequence: number;
  readonly settle: (sequence: number | undefined) => void;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Opens the timeline, or begins it where there is none, or one that is damaged. Never rejects: it may be off, though. */
export async function openTimelineLog(
  deps: TimelineLogDeps,
  { maxEntries = MAX_ENTRIES }: TimelineLogOptions = {},
): Promise<TimelineLog> {
  const { logger } = deps;
  let store: KeyValueStore | undefined;
  let problem: string | undefined;
  let first = 1;
  let last = 0;
  /** Of the newest that is written. */
  let written = 0;
  const waiting: Waiting[] = [];
  let others: Write[] = [];
  /** How often rows of others were handed over, and how many of those times are written. */
  let othersHanded = 0;
  let othersWritten = 0;
  let writing: Promise<void> | undefined;
  let hasDropped = false;
  let closed = false;

  function switchOff(error: unknown): void {
    if (problem !== undefined) return;
    problem = error instanceof Error ? error.message : String(error);
    logger.error({ error: problem }, "the timeline is switched off until the next start; the node goes on");
    for (const { settle } of waiting.splice(0)) settle(undefined);
    others = [];
  }

  async function begin(anew: boolean): Promise<KeyValueStore> {
    const opened = await deps.openStore({ anew });
    try {
      const [version, chain] = await opened.getMany([metaKey("schema"), metaKey("chain")]);
      const isOurs =
        version !== undefined &&
        chain !== undefined &&
        equalBytes(version, text(TIMELINE_VERSION)) &&
        equalBytes(chain, deps.chainId);
      const [lowest, highest] = [await edge(opened, false), await edge(opened, true)];
      if (!isOurs) {
        if (!anew && (version !== undefined || highest !== undefined))
          throw new StoreError("STORE_CORRUPT", "it is of another chain or version");
        await opened.write(
          [
            { key: metaKey("schema"), value: text(TIMELINE_VERSION) },
            { key: metaKey("chain"), value: deps.chainId },
          ],
          { sync: false },
        );
      }
      first = lowest ?? 1;
      last = highest ?? 0;
      written = last;
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  try {
    store = await begin(false).catch(async (error: unknown) => {
      if (!(error instanceof StoreError && error.code === "STORE_CORRUPT")) throw error;
      logger.warn({ error: error.message }, "the timeline cannot be read, and is begun anew");
      return await begin(true);
    });
  } catch (error) {
    switchOff(error);
  }

  /** What goes out with a batch, so that no more than the bound stays. */
  async function removals(open: KeyValueStore, upTo: number): Promise<Write[]> {
    const oldestKept = upTo - maxEntries + 1;
    if (oldestKept <= first) return [];
    const writes: Write[] = [];
    // At most two batches' worth at a time: a bound that was lowered is reached in steps.
    const to = Math.min(oldestKept - 1, first + 2 * MAX_BATCH_ENTRIES);
    for await (const [key, value] of open.scan(entryRange(first, to))) {
      writes.push({ key, value: undefined });
      const entry = decodeEntry(sequenceOf(key) ?? 0, value);
      if (entry?.type === "header" && typeof entry.data.id === "string")
        writes.push({ key: arrivalKey(entry.data.id), value: undefined });
    }
    first = to + 1;
    return writes;
  }

  const isIdle = (): boolean => problem !== undefined || (waiting.length === 0 && others.length === 0);

  async function writeBatch(open: KeyValueStore): Promise<void> {
    const batch = waiting.splice(0, MAX_BATCH_ENTRIES);
    const more = others;
    const moreUpTo = othersHanded;
    others = [];
    const newest = batch.at(-1)?.sequence;
    try {
      const gone = newest === undefined ? [] : await removals(open, newest);
      await open.write([...gone, ...batch.flatMap(({ writes }) => writes), ...more], { sync: false });
      written = newest ?? written;
      othersWritten = moreUpTo;
      for (const { sequence, settle } of batch) settle(sequence);
      hasDropped &&= waiting.length > MAX_WAITING / 2;
    } catch (error) {
      for (const { settle } of batch) settle(undefined);
      switchOff(error);
    }
  }

  /** In the next step, so that what is noted in this one goes in one batch. */
  function start(): void {
    if (writing !== undefined || store === undefined || isIdle()) return;
    const open = store;
    writing = Promise.resolve()
      .then(() => writeBatch(open))
      .finally(() => {
        writing = undefined;
        start();
      });
  }

  /** With what was handed over until now; fails where there is nothing to read. */
  async function readable(): Promise<KeyValueStore> {
    const upTo = last;
    const othersUpTo = othersHanded;
    await writing;
    while (writing !== undefined && (written < upTo || othersWritten < othersUpTo)) await writing;
    if (store === undefined || closed) throw new StoreError("STORE_CLOSED", "the timeline is off");
    return store;
  }

  function full(): boolean {
    if (waiting.length < MAX_WAITING) return false;
    if (!hasDropped) logger.warn({}, "the disk is too slow for the timeline: some entries are left out");
    hasDropped = true;
    return true;
  }

  return {
    get isOn() {
      return problem === undefined;
    },
    get problem() {
      return problem;
    },
    get firstSequence() {
      return written === 0 ? 0 : first;
    },
    get lastSequence() {
      return written;
    },
    add(entry, noted) {
      if (problem !== undefined || closed || full()) return Promise.resolve(undefined);
      last += 1;
      const writes = [{ key: entryKey(last), value: encodeEntry(entry) }];
      if (noted !== undefined)
        writes.push({ key: arrivalKey(noted.id), value: encodeArrival(noted.arrival) });
      const { promise, resolve } = Promise.withResolvers<number | undefined>();
      waiting.push({ writes, sequence: last, settle: resolve });
      start();
      return promise;
    },
    addWrites(writes) {
      if (problem !== undefined || closed) return;
      others.push(...writes);
      othersHanded += 1;
      start();
    },
    async page({ limit, after, order }) {
      const open = await readable();
      const newest = written;
      const reverse = order === "newest";
      const from = reverse || after === undefined ? first : Math.max(first, after + 1);
      const to = !reverse || after === undefined ? newest : Math.min(newest, after - 1);
      const items: TimelineEntry[] = [];
      let seen = 0;
      let place = 0;
      if (from <= to)
        for await (const [key, value] of open.scan({ ...entryRange(from, to), reverse, limit: limit + 1 })) {
          if (++seen > limit) break;
          place = sequenceOf(key) ?? place;
          const entry = decodeEntry(place, value);
          if (entry === undefined)
            logger.warn({ sequence: place }, "a damaged entry of the timeline is left out");
          else items.push(entry);
        }
      return {
        items,
        next: seen > limit ? String(place) : null,
        firstSequence: newest === 0 ? 0 : first,
        lastSequence: newest,
      };
    },
    read: async (keys) => (await readable()).getMany(keys),
    async *scan(range) {
      yield* (await readable()).scan(range);
    },
    async arrivals(ids) {
      const rows = await (await readable()).getMany(ids.map(arrivalKey));
      return rows.map((row) => (row === undefined ? undefined : decodeArrival(row)));
    },
    async close() {
      closed = true;
      while (writing !== undefined) await writing;
      await store?.close();
    },
  };
}

/** The lowest or highest number there is. */
async function edge(store: KeyValueStore, reverse: boolean): Promise<number | undefined> {
  for await (const [key] of store.scan({ ...allEntries, reverse })) {
    const sequence = sequenceOf(key);
    if (sequence !== undefined) return sequence;
  }
  return undefined;
}
