import type { AccountKey } from "../ledger/index.ts";
import {
  type KeyValueStore,
  type Logger,
  StoreError,
  type Timer,
  type Timers,
  type Write,
} from "../ports/index.ts";
import { type BlockId, bytesToHex, decodeBody, equalBytes } from "../primitives/index.ts";
import type { Chain } from "./chain.ts";
import { ChainError } from "./errors.ts";
import { allocationWrites, blockRemovals, blockWrites } from "./history-entries.ts";
import {
  decodeEntry,
  decodeHeight,
  encodeHeight,
  entriesBefore,
  type HistoryEntry,
  type HistoryPosition,
  heightKey,
  positionOf,
} from "./history-rows.ts";
import { checkJournal, createJournal, type Journal } from "./journal.ts";
import { createLock } from "./lock.ts";
import { keys } from "./schema.ts";

/** Of the index alone: another one is made anew. */
const HISTORY_VERSION = "1";
/** Blocks per batch, at most: the event loop and the disk are shared with those who import. */
const MAX_BATCH_BLOCKS = 64;
/** Bytes of a batch after which no block is added to it. */
const BATCH_BYTES = 1024 * 1024;
/** How often an index that has to wait looks whether it may go on. */
const WAIT_MS = 500;

export interface HistoryIndexDeps {
  readonly chain: Pick<
    Chain,
    "genesis" | "head" | "tree" | "blocks" | "firstHeight" | "isConnected" | "idAt" | "branchOf" | "on"
  >;
  /** Opens the index's own store. `anew`: without what it held. */
  readonly openStore: (options: { readonly anew: boolean }) => Promise<KeyValueStore>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** While true, others need the machine more: the index waits. */
  readonly isBusy: () => boolean;
  /** Told after each batch: blocks before `usedUpTo` may go. */
  readonly onIndexed?: () => void;
}

export interface HistoryItem extends HistoryEntry, HistoryPosition {
  readonly block: BlockId;
  readonly timestampMs: number;
}

export interface HistoryPage {
  /** Newest first. */
  readonly items: readonly HistoryItem[];
  /** Whether there are older ones. */
  readonly more: boolean;
  /** The block up to which all is in the index. It may be behind the head, or on a branch that the head just left. */
  readonly indexed: { readonly id: BlockId; readonly height: number };
  /** Lowest height in the index; above 0 where the blocks below were pruned before they were indexed. */
  readonly firstHeight: number;
}

/**
 * Who paid whom, by account: an index over the best chain, made beside it and after it. It follows the published head in
 * bounded batches, goes back over blocks that a reorg took out, and catches up after a start. All of it follows from the
 * blocks, so what is missing, damaged or of another version is made anew.
 */
export interface HistoryIndex {
  /** A page of an account's history, from `before` on. Rejects with CHAIN_STOPPED where the index failed. */
  page(
    account: AccountKey,
    options: { readonly limit: number; readonly before?: HistoryPosition },
  ): Promise<HistoryPage>;
  /** Height of the best chain up to which the index needs no block any more; all of them where it has stopped. */
  usedUpTo(): number;
  /** Settles when the index stands at the head, or has to wait. */
  caughtUp(): Promise<void>;
  /** Lets the batch being written end and closes the store. */
  close(): Promise<void>;
}

/** An open store with a whole index in it, up to `at`. */
interface Opened {
  readonly store: KeyValueStore;
  readonly journal: Journal;
  readonly at: BlockId;
  readonly firstHeight: number;
}

const FIRST_HEIGHT = keys.meta("firstHeight");
const text = (value: string | number): Uint8Array => new TextEncoder().encode(String(value));

export async function createHistoryIndex(deps: HistoryIndexDeps): Promise<HistoryIndex> {
  const { chain, logger, timers } = deps;
  const { genesis, tree } = chain;
  const lock = createLock();
  let opened = await open();
  let failed: ChainError | undefined;
  let closed = false;
  let following: Promise<void> | undefined;
  let waiting: Timer | undefined;

  /** What is there, where it is whole and of this chain. */
  async function load(store: KeyValueStore): Promise<Opened | undefined> {
    const names = [keys.meta("schema"), keys.meta("chain"), keys.meta("head"), FIRST_HEIGHT];
    const [version, chainId, head, first] = await store.getMany(names);
    if (head === undefined || version === undefined || chainId === undefined) return undefined;
    const check = await checkJournal(store);
    const at = bytesToHex(head);
    const isOurs = equalBytes(version, text(HISTORY_VERSION)) && equalBytes(chainId, genesis.chainId);
    if (!isOurs || check.last === undefined || check.stranded.length > 0 || tree.get(at) === undefined)
      return undefined;
    const firstHeight = first === undefined ? 0 : Number(new TextDecoder().decode(first));
    return { store, journal: createJournal(store, check), at, firstHeight };
  }

  async function create(): Promise<Opened> {
    const store = await deps.openStore({ anew: true });
    const journal = createJournal(store, { last: undefined, stranded: [], links: [] });
    const at = genesis.block.header.id;
    const identity = [
      { key: keys.meta("schema"), value: text(HISTORY_VERSION) },
      { key: keys.meta("chain"), value: genesis.chainId },
    ];
    await journal.commit([...identity, ...allocationWrites(genesis)], at);
    return { store, journal, at, firstHeight: 0 };
  }

  async function open(): Promise<Opened> {
    try {
      const store = await deps.openStore({ anew: false });
      const found = await load(store).catch((error: unknown) => {
        if (error instanceof StoreError && error.code !== "STORE_CORRUPT") throw error;
        return undefined;
      });
      if (found !== undefined) return found;
      await store.close();
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "STORE_CORRUPT")) throw error;
    }
    if (chain.head.height > 0) logger.info({ height: chain.head.height }, "the history index is made anew");
    return await create();
  }

  async function rebuild(): Promise<void> {
    await opened.store.close();
    logger.warn({}, "the history index cannot be brought to the head's branch; it is made anew");
    opened = await create();
  }

  async function read(id: BlockId) {
    const [header, bytes] = await Promise.all([chain.blocks.header(id), chain.blocks.bodyBytes(id)]);
    const body = bytes === undefined ? undefined : decodeBody(bytes);
    return header === undefined || body === undefined
      ? undefined
      : { header, transactions: body.transactions };
  }

  /** Rows that bring a connected block in; "wait": its data is not there for the moment. */
  async function connect(id: BlockId, height: number): Promise<Write[] | "pruned" | "wait"> {
    const block = await read(id);
    if (block === undefined) return "pruned";
    // In the middle of a reorg that is not told yet, undo data of a block that is still the head's is gone.
    const undo = await chain.blocks.undo(id).catch(() => undefined);
    if (undo === undefined) return height < chain.firstHeight ? "pruned" : "wait";
    return blockWrites(genesis.spec, { ...block, created: undo.created });
  }

  interface Batch {
    readonly writes: Write[];
    at: BlockId;
    firstHeight: number;
    /** What ends the batch early. */
    end?: "caught up" | "wait" | "rebuild";
  }

  /** Goes one block towards the head. */
  async function step(batch: Batch): Promise<void> {
    const here = tree.get(batch.at);
    if (here === undefined) {
      batch.end = "rebuild";
    } else if (!chain.isConnected(here.id)) {
      const block = await read(here.id);
      if (block === undefined) batch.end = "rebuild";
      else {
        batch.writes.push(...blockRemovals(block));
        batch.at = here.parent;
      }
    } else if (here.id === chain.head.id) {
      batch.end = "caught up";
    } else {
      const id = chain.idAt(here.height + 1) ?? "";
      const writes = await connect(id, here.height + 1);
      const next = tree.get(id);
      if (writes === "wait" || next === undefined) batch.end = "wait";
      else {
        if (writes === "pruned") {
          batch.firstHeight = next.height + 1;
          batch.writes.push({ key: FIRST_HEIGHT, value: text(batch.firstHeight) });
          batch.writes.push({
            key: heightKey(next.height),
            value: encodeHeight({ block: id, timestampMs: next.timestampMs }),
          });
        } else batch.writes.push(...writes);
        batch.at = id;
      }
    }
  }

  /** One batch towards the head; settles with whether there is more to do. */
  async function advance(): Promise<Batch["end"]> {
    const batch: Batch = { writes: [], at: opened.at, firstHeight: opened.firstHeight };
    let bytes = 0;
    for (let blocks = 0; blocks < MAX_BATCH_BLOCKS && bytes < BATCH_BYTES && !closed; blocks++) {
      const before = batch.writes.length;
      await step(batch);
      if (batch.end !== undefined) break;
      for (const { key, value } of batch.writes.slice(before)) bytes += key.length + (value?.length ?? 0);
    }
    const { writes, at, firstHeight } = batch;
    const before = opened.at;
    if (at !== before)
      await lock.run(async () => {
        await opened.journal.commit(writes, at);
        opened = { ...opened, at, firstHeight };
      });
    if (at !== before) deps.onIndexed?.();
    if (batch.end === "rebuild") await lock.run(rebuild);
    return batch.end;
  }

  async function follow(): Promise<void> {
    try {
      while (!closed && opened.at !== chain.head.id) {
        if (!deps.isBusy() && (await advance()) !== "wait") continue;
        waiting ??= timers.set(WAIT_MS, () => {
          waiting = undefined;
          start();
        });
        return;
      }
    } catch (error) {
      const reason = (error as Error).message;
      failed = new ChainError("CHAIN_STOPPED", `the history index stopped: ${reason}`, { cause: error });
      logger.error({ error: reason }, "the history index stopped; the node goes on without it");
    }
  }

  /** Nothing that is not caught comes out of `follow`. */
  function start(): void {
    if (closed || failed !== undefined || following !== undefined) return;
    following = follow().finally(() => {
      following = undefined;
      // The head may have moved after the last look.
      if (waiting === undefined && opened.at !== chain.head.id) start();
    });
  }

  chain.on("head", start);
  start();

  return {
    page: (account, { limit, before }) =>
      lock.run(async () => {
        if (failed !== undefined) throw failed;
        const { store, at, firstHeight } = opened;
        const rows: [Uint8Array, Uint8Array][] = [];
        for await (const [key, value] of store.scan({ ...entriesBefore(account, before), limit: limit + 1 }))
          rows.push([key, value]);
        const more = rows.length > limit;
        const found = rows
          .slice(0, limit)
          .map(([key, value]) => ({ ...positionOf(key), ...decodeEntry(value) }));
        const heights = [...new Set(found.map(({ height }) => height))];
        const blocks = await store.getMany(heights.map(heightKey));
        const byHeight = new Map(heights.map((height, i) => [height, blocks[i]] as const));
        const items = found.map((item) => {
          const row = byHeight.get(item.height);
          if (row === undefined)
            throw new ChainError("CHAIN_CORRUPT", `height ${item.height} is not indexed`);
          return { ...item, ...decodeHeight(row) };
        });
        return { items, more, indexed: { id: at, height: tree.get(at)?.height ?? 0 }, firstHeight };
      }),
    usedUpTo() {
      // Not where it is closed: the next start goes on with it.
      if (failed !== undefined) return Number.MAX_SAFE_INTEGER;
      const at = tree.get(opened.at);
      // It is made anew.
      return at === undefined ? 0 : chain.branchOf(at).forkPoint.height;
    },
    async caughtUp() {
      await following;
    },
    async close() {
      closed = true;
      if (waiting !== undefined) timers.clear(waiting);
      await following;
      await lock.run(() => opened.store.close());
    },
  };
}
