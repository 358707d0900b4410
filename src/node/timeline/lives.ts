import type { ReorgRecord } from "../../chain/index.ts";
import type { TransactionHappening } from "../../mempool/index.ts";
import type { Logger, Timer, Timers, Write } from "../../ports/index.ts";
import {
  type BlockId,
  bytesToHex,
  decodeTransaction,
  hexToBytes,
  type SealedTransaction,
  type TxId,
} from "../../primitives/index.ts";
import type { TimelineLog } from "./log.ts";
import { decodeLife, encodeLife, lifeKey, lifeRange, metaKey } from "./rows.ts";

/** Transactions remembered, at most, and at least half as many; some 300 bytes each. */
export const MAX_LIVES = 200_000;
/** Happenings kept of one transaction, the newest. */
const MAX_HAPPENINGS = 32;
/** How long what happened waits to be written with the rest. */
const WRITE_MS = 1_000;
/** Transactions that may wait for a slow disk; what happens to more is not kept. */
const MAX_WAITING = 20_000;
/** Waiting transactions after which there is no waiting for the time. */
const ENOUGH = 1_000;
/** Rows of a forgotten generation that go with one batch. */
const REMOVED_AT_ONCE = 2_000;

/** What happened to a transaction on this node, over all its starts. */
export interface TransactionLife {
  /** Of what was dropped or conflicted; the rest are pending or in the chain. */
  readonly transaction: SealedTransaction | undefined;
  /** Oldest first. */
  readonly happenings: readonly TransactionHappening[];
}

export interface TransactionLives {
  /** Only of what is public and durable: a crash must not leave a life of what never came to be. */
  note(txid: TxId, happening: TransactionHappening, transaction?: SealedTransaction): void;
  get(txid: TxId): Promise<TransactionLife | undefined>;
  /** Writes what waits. */
  close(): Promise<void>;
}

export interface TransactionLivesDeps {
  readonly log: TimelineLog;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Reorg records, newest first; what of them was not written before a crash is added. */
  readonly reorgs: (options: { readonly limit: number }) => Promise<ReorgRecord[]>;
  readonly lastReorg: () => number;
  /** When a block was here; undefined where it is not known. */
  readonly receivedMs: (block: BlockId) => Promise<number | undefined>;
}

interface Waiting {
  readonly happenings: TransactionHappening[];
  transaction: SealedTransaction | undefined;
}

/** Where writing stands. */
interface Place {
  /** Lives are written into the newest generation; of older ones only the last is kept. */
  generation: number;
  /** In the newest. */
  count: number;
  /** The last reorg record whose fates are in the lives. */
  reorg: number;
}

const PLACE = metaKey("lives");

async function readPlace(log: TimelineLog): Promise<Place | undefined> {
  const [row] = await log.read([PLACE]);
  if (row === undefined) return undefined;
  try {
    const [generation, count, reorg] = JSON.parse(new TextDecoder().decode(row)) as number[];
    const isGood = [generation, count, reorg].every(
      (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    );
    return isGood ? ({ generation, count, reorg } as Place) : undefined;
  } catch {
    return undefined;
  }
}

/** What is known, and what is new. A pending one that the next start takes in again has not been received anew. */
function joined(
  known: readonly TransactionHappening[],
  added: readonly TransactionHappening[],
): TransactionHappening[] {
  const all = [...known];
  for (const happening of added) {
    const last = all.at(-1)?.what;
    if (happening.what === "received" && (last === "received" || last === "returned")) continue;
    all.push(happening);
  }
  return all.slice(-MAX_HAPPENINGS);
}

const isGone = (happening: TransactionHappening | undefined): boolean =>
  happening?.what === "dropped" || happening?.what === "conflicted";

/** Lives of transactions in the timeline's store: written together once a second, and never waited for. */
export async function openTransactionLives(
  deps: TransactionLivesDeps,
  { maxLives = MAX_LIVES }: { readonly maxLives?: number } = {},
): Promise<TransactionLives> {
  const { log, timers, logger } = deps;
  const present = await readPlace(log).catch(() => undefined);
  const place: Place = present ?? { generation: 1, count: 0, reorg: deps.lastReorg() };
  let waiting = new Map<TxId, Waiting>();
  let timer: Timer | undefined;
  let writing: Promise<void> = Promise.resolve();

  /** The newest row there is of each. */
  async function rowsOf(txids: readonly TxId[]): Promise<(TransactionLife | undefined)[]> {
    const { generation } = place;
    const keys = txids.flatMap((txid) => [lifeKey(generation, txid), lifeKey(generation - 1, txid)]);
    const rows = await log.read(keys);
    return txids.map((_, i) => {
      const row = rows[2 * i] ?? rows[2 * i + 1];
      const life = row === undefined ? undefined : decodeLife(row);
      if (life === undefined) return undefined;
      const bytes = life.transaction === undefined ? undefined : hexToBytes(life.transaction);
      return {
        happenings: life.happenings,
        transaction: bytes === undefined ? undefined : decodeTransaction(bytes),
      };
    });
  }

  /** With the blocks that it was in before they were disconnected: of a crash, or where it was never pending here. */
  async function whole(happenings: readonly TransactionHappening[]): Promise<TransactionHappening[]> {
    const all: TransactionHappening[] = [];
    for (const happening of happenings) {
      const last = all.at(-1);
      if (happening.what === "disconnected") {
        const { block, height } = happening;
        const isKnown = last?.what === "mined" && last.block === block;
        const timeMs = isKnown ? undefined : await deps.receivedMs(block);
        if (timeMs !== undefined) all.push({ what: "mined", timeMs, block, height });
      }
      all.push(happening);
    }
    return all.slice(-MAX_HAPPENINGS);
  }

  /** Rows of the generation before the last, some at a time. */
  async function removals(): Promise<Write[]> {
    const writes: Write[] = [];
    const range = { ...lifeRange(0, place.generation - 1), limit: REMOVED_AT_ONCE };
    for await (const [key] of log.scan(range)) writes.push({ key, value: undefined });
    return writes;
  }

  async function write(): Promise<void> {
    const batch = waiting;
    waiting = new Map();
    if (batch.size === 0 || !log.isOn) return;
    const txids = [...batch.keys()];
    const known = await rowsOf(txids);
    if (place.count >= maxLives / 2) {
      place.generation += 1;
      place.count = 0;
    }
    place.count += txids.length;
    place.reorg = Math.max(place.reorg, deps.lastReorg());
    const writes: Write[] = [];
    for (const [i, txid] of txids.entries()) {
      const { happenings, transaction } = batch.get(txid) as Waiting;
      const life = await whole(joined(known[i]?.happenings ?? [], happenings));
      const kept = isGone(life.at(-1)) ? (transaction ?? known[i]?.transaction) : undefined;
      const value = encodeLife(life, kept === undefined ? undefined : bytesToHex(kept.bytes));
      writes.push({ key: lifeKey(place.generation, txid), value });
    }
    const text = JSON.stringify([place.generation, place.count, place.reorg]);
    writes.push({ key: PLACE, value: new TextEncoder().encode(text) });
    log.addWrites([...(await removals()), ...writes]);
  }

  function writeSoon(): void {
    if (timer !== undefined) timers.clear(timer);
    timer = undefined;
    writing = writing.then(write).catch((error: unknown) => {
      // The log says so where it is its store that failed.
      logger.warn({ error: String(error) }, "what happened to some transactions could not be kept");
    });
  }

  function note(txid: TxId, happening: TransactionHappening, transaction?: SealedTransaction): void {
    if (!log.isOn) return;
    const one = waiting.get(txid);
    if (one === undefined && waiting.size >= MAX_WAITING) return;
    if (one === undefined) waiting.set(txid, { happenings: [happening], transaction });
    else {
      one.happenings.push(happening);
      one.transaction = transaction ?? one.transaction;
      if (one.happenings.length > MAX_HAPPENINGS) one.happenings.shift();
    }
    if (waiting.size === ENOUGH) writeSoon();
    else timer ??= timers.set(WRITE_MS, writeSoon);
  }

  /** Of reorgs that a crash came after, before their fates were written here: the records are in the chain's store. */
  async function catchUp(): Promise<void> {
    const missing = deps.lastReorg() - place.reorg;
    if (missing <= 0) return;
    const records = await deps.reorgs({ limit: missing });
    for (const { startedMs: timeMs, transactions, blocksIn } of records.reverse())
      for (const fate of transactions) {
        if (fate.fate === "returned") note(fate.txid, { what: "returned", timeMs });
        else if (fate.fate === "conflicted") note(fate.txid, { what: "conflicted", timeMs, by: fate.by });
        else if (fate.fate === "dropped")
          note(fate.txid, { what: "dropped", timeMs, rule: fate.rule, detail: fate.detail });
        else {
          const height = blocksIn.find(({ id }) => id === fate.block)?.height ?? 0;
          note(fate.txid, { what: "mined", timeMs, block: fate.block, height });
        }
      }
  }

  await catchUp().catch((error: unknown) =>
    logger.warn({ error: String(error) }, "the fates of the last reorgs could not be read again"),
  );

  return {
    note,
    async get(txid) {
      await writing;
      const added = waiting.get(txid);
      const [known] = log.isOn ? await rowsOf([txid]) : [];
      if (known === undefined && added === undefined) return undefined;
      const happenings = await whole(joined(known?.happenings ?? [], added?.happenings ?? []));
      const kept = isGone(happenings.at(-1)) ? (added?.transaction ?? known?.transaction) : undefined;
      return { happenings, transaction: kept };
    },
    async close() {
      writeSoon();
      await writing;
    },
  };
}
