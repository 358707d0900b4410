import type { ForkTree } from "../consensus/index.ts";
import {
  type Clock,
  type KeyRange,
  type KeyValueStore,
  type Logger,
  StoreError,
  type Timer,
  type Write,
} from "../ports/index.ts";
import type { BlockId } from "../primitives/index.ts";
import { encodePruned } from "./base.ts";
import { copyBase, type Exclusively, PART_ROWS, wipeOtherBases } from "./base-copy.ts";
import type { BlockStore } from "./block-store.ts";
import type { Pruning } from "./chain.ts";
import type { Connector } from "./connector.ts";
import { ChainError } from "./errors.ts";
import type { Publisher } from "./publisher.ts";
import type { RecoveredChain } from "./recovery.ts";
import { type Base, encodeBase, keys, partsOfTable } from "./schema.ts";

/** Deletions per batch, about: a full block has some 5,000. */
const DELETED_ROWS = 5_000;
/** Blocks per batch: each is read for the names of its transactions. */
const DELETED_BLOCKS = 64;
/** A copy of the state is made after nine times as long as the last one took: a tenth of the time at most. */
const REST_FACTOR = 9;
/** Room is given back in parts of so many deleted blocks, as a stop of the node waits for the one under way. */
const PART_BLOCKS = 256;
/** Each rewrites what lies around it, which a long chain of small blocks would do too often. */
const MAX_PARTS = 512;
/** Ids looked at to find where the parts end. */
const SAMPLED_IDS = 4_096;

interface PrunerDeps {
  readonly store: KeyValueStore;
  readonly tree: ForkTree;
  readonly blocks: BlockStore;
  readonly connector: Connector;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly exclusively: Exclusively;
}

/** Deletes what lies far below the head, beside those who import. */
export interface Pruner {
  /** Prunes what can be pruned by now, if it is not at it; settles when it has done that, never rejects. */
  run(): Promise<void>;
  /** Settles when nothing is under way; nothing begins any more. */
  close(): Promise<void>;
}

/**
 * A round, half of `depth` blocks after the last: the state `depth` below the head is copied and verified; then one synced
 * batch makes the copy the base, from where a replay begins; then the blocks up to it are deleted, and the former copy.
 * Both times between the old and the new is a move out of the log, so that no hole in it can take the one after the other
 * is gone. A crash leaves a copy that nobody names, or deletions to be finished, which the next start does.
 */
export function createPruner(
  deps: PrunerDeps,
  recovered: Pick<RecoveredChain, "base" | "pruned" | "cut">,
  pruning: Pruning | undefined,
): Pruner {
  const { store, tree, blocks, connector, publisher, clock, logger, exclusively } = deps;
  let { base, pruned } = recovered;
  /** Blocks of forgotten branches that are to be deleted, parents first. */
  let cut: readonly BlockId[] = recovered.cut;
  let isTidy = false;
  /** Deleted since the room was given back; what an interrupted run deleted is not known. */
  let deletedBlocks = base !== undefined && pruned <= base.height ? Number.POSITIVE_INFINITY : 0;
  /** Keys of copies that were deleted since then, `PART_ROWS` apart. */
  let wiped: Uint8Array[] = [];
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  /** After a copy that came to nothing: not before the head is so high. */
  let notBelow = 0;
  let hasWaited = false;
  let resting: Timer | undefined;
  let closed = false;
  let failed = false;
  let running: Promise<void> | undefined;

  async function commit(writes: readonly Write[]): Promise<void> {
    await exclusively(async () => {
      for (const one of writes) connector.write(one);
      await connector.flush();
    });
  }

  /** Blocks without a place in the tree any more: children first, as a row needs its parent's. */
  async function deleteCut(): Promise<void> {
    while (cut.length > 0) {
      const part = cut.slice(-DELETED_BLOCKS).reverse();
      await commit(
        part.flatMap((id) =>
          [keys.block(id), keys.body(id), keys.mark(id)].map((key) => ({ key, value: undefined })),
        ),
      );
      cut = cut.slice(0, -part.length);
    }
  }

  /** Everything but the headers of the best chain's blocks up to the base. */
  async function deleteBelow(height: number): Promise<void> {
    while (pruned <= height) {
      const writes: Write[] = [];
      let next = pruned;
      while (next <= height && next - pruned < DELETED_BLOCKS && writes.length < DELETED_ROWS) {
        const id = publisher.idAt(next) ?? "";
        for (const key of await rowsOf(id)) writes.push({ key, value: undefined });
        next += 1;
      }
      writes.push({ key: keys.meta("pruned"), value: encodePruned(next) });
      await commit(writes);
      deletedBlocks += next - pruned;
      pruned = next;
    }
  }

  async function rowsOf(id: BlockId): Promise<Uint8Array[]> {
    const block = await blocks.block(id).catch((error: unknown) => {
      // Its body is damaged, or gone already: then the places of its transactions stay behind, and nobody is led astray.
      if (error instanceof ChainError && error.code !== "CHAIN_STOPPED") return undefined;
      throw error;
    });
    const places = block?.transactions.map(({ txid }) => keys.transaction(txid)) ?? [];
    return [keys.body(id), keys.undo(id), ...places];
  }

  /** Finishes what a round, this or one before a crash, has left to delete. */
  async function tidy(): Promise<void> {
    if (isTidy) return;
    await deleteCut();
    const upTo = base?.height ?? 0;
    await deleteBelow(upTo);
    await wipe();
    if (deletedBlocks > 0 && deletedBlocks >= publisher.head.height - upTo) await giveRoomBack(upTo);
    isTidy = true;
  }

  async function wipe(): Promise<void> {
    wiped.push(...(await wipeOtherBases(store, base, exclusively)));
  }

  async function giveRoomBack(upTo: number): Promise<void> {
    const parts = Math.min(MAX_PARTS, Math.ceil(Math.min(deletedBlocks, upTo) / PART_BLOCKS));
    const all = [...copyParts().map((range) => [range]), ...roomParts(parts, upTo)];
    for (const ranges of all) if (!closed) await store.compact(ranges);
    deletedBlocks = 0;
    wiped = [];
  }

  /** Ranges with as many accounts of the copies in each, be they deleted or those of the base. */
  function copyParts(): KeyRange[] {
    const { height = 0, totals } = base ?? {};
    const pieces = Math.floor((totals?.accounts ?? 0) / PART_ROWS);
    const ofBase = Array.from({ length: pieces }, (_, i) => keys.baseAccount(height, (i + 1) * PART_ROWS));
    const bounds = [...wiped, ...ofBase].sort(Buffer.compare);
    const step = Math.ceil((bounds.length + 1) / MAX_PARTS);
    return partsOfTable(
      "baseAccounts",
      bounds.filter((_, i) => i % step === step - 1),
    );
  }

  /** Ranges with as many of the blocks up to a height in each. Proof of work makes their ids crowd where the table begins. */
  function roomParts(parts: number, upTo: number): KeyRange[][] {
    const sampled = Math.min(upTo, SAMPLED_IDS);
    const heights = Array.from({ length: sampled }, (_, i) => 1 + Math.floor((i * upTo) / sampled));
    const ids = heights.flatMap((height) => publisher.idAt(height) ?? []).sort();
    const inner = Array.from({ length: parts - 1 }, (_, i) => (i + 1) / parts);
    const idBounds = inner.map((share) => ids[Math.floor(share * ids.length)] ?? "");
    const txidBounds = inner.map((share) =>
      Math.floor(share * 0x10000)
        .toString(16)
        .padStart(4, "0"),
    );
    const tables = [
      partsOfTable("bodies", idBounds.map(keys.body)),
      partsOfTable("undo", idBounds.map(keys.undo)),
      partsOfTable("transactions", txidBounds.map(keys.transaction)),
    ];
    return Array.from({ length: parts }, (_, i) => tables.flatMap((ranges) => ranges[i] ?? []));
  }

  /** The height of the base to be made now, if it is time for one. */
  function dueHeight({ depth, usedUpTo, timers }: Pruning): number | undefined {
    const { height } = publisher.head;
    if (height < notBelow) return undefined;
    const step = Math.max(1, Math.floor(depth / 2));
    const from = base?.height ?? 0;
    const wanted = height - depth;
    if (wanted - from < step) return undefined;
    const due = Math.min(wanted, usedUpTo());
    if (due - from >= step) {
      const restMs = notBeforeMs - clock.monotonicMs();
      if (restMs <= 0) return due;
      // Nobody else may call: the index has read all, and no block comes.
      resting ??= timers.set(restMs, () => {
        resting = undefined;
        void run();
      });
      return undefined;
    }
    if (!hasWaited && wanted - from >= 2 * step) {
      hasWaited = true;
      logger.info({ wanted, usedUpTo: due }, "pruning waits for the history index to read the blocks first");
    }
    return undefined;
  }

  async function round({ depth }: Pruning, height: number): Promise<void> {
    const target = tree.get(publisher.idAt(height) ?? "");
    if (target === undefined) return;
    const startedMs = clock.monotonicMs();
    isTidy = false;
    await wipe();
    const copy = await copyBase({ ...deps, head: () => publisher.head }, target);
    const endedMs = clock.monotonicMs();
    notBeforeMs = endedMs + REST_FACTOR * (endedMs - startedMs);
    const isMade = copy !== undefined && (await adopt(copy));
    if (!isMade) notBelow = publisher.head.height + Math.ceil(depth / 2);
    await tidy();
    if (isMade) logger.info({ firstHeight: height + 1, head: publisher.head.height }, "blocks were pruned");
  }

  /** The one write that counts; false where a reorg has left the block meanwhile. */
  async function adopt(copy: Base): Promise<boolean> {
    const isMade = await exclusively(async () => {
      if (!publisher.isConnected(copy.block)) return false;
      connector.write({ key: keys.meta("base"), value: encodeBase(copy) });
      await connector.flush();
      logger.info({ below: copy.height + 1, from: pruned }, "the data of blocks is going to be deleted");
      base = copy;
      cut = [...cut, ...tree.raiseFloor(copy.block)];
      return true;
    });
    if (isMade) await store.compact([]);
    return isMade;
  }

  async function work(): Promise<void> {
    try {
      await tidy();
      for (let due = pruning && dueHeight(pruning); pruning && due !== undefined; due = dueHeight(pruning))
        await round(pruning, due);
    } catch (error) {
      if (error instanceof ChainError && error.code === "CHAIN_STOPPED") return;
      // Reading or compacting failed: what a disk cannot do ends the chain, here as elsewhere.
      if (error instanceof StoreError) await exclusively(() => Promise.reject(error)).catch(() => {});
      else {
        failed = true;
        logger.error({ error: String(error) }, "pruning stopped; the node goes on and keeps all blocks");
      }
    }
  }

  function run(): Promise<void> {
    if (closed || failed) return running ?? Promise.resolve();
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    run,
    async close() {
      closed = true;
      await running;
      if (resting !== undefined) pruning?.timers.clear(resting);
    },
  };
}
