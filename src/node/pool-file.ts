import { createHash } from "node:crypto";
import { fileProblem, readBytes, replaceWhole } from "../files/index.ts";
import type { Mempool } from "../mempool/index.ts";
import { delay, type Logger, type Timer, type Timers } from "../ports/index.ts";
import { decodeTransaction, equalBytes, type SealedTransaction } from "../primitives/index.ts";
import type { Judged } from "./transaction-pool.ts";

/** What a kill -9 may cost of what is pending; a clean stop costs nothing. */
const SAVE_EVERY_MS = 30_000;
/** More than a full mempool takes. */
const MAX_FILE_BYTES = 80 * 1024 * 1024;
/** Judged, or written, at a time, so that others get their turn. */
const BATCH = 1_000;
/** What lacks money or an earlier nonce is tried again once others are in, which may bring them. */
const MAY_WAIT: ReadonlySet<string> = new Set(["TX-09", "MEM-03"]);
const MAX_PASSES = 16;
/** While the node is syncing, or busy with others, it takes nothing; so long until it is asked again. */
const NOT_NOW: ReadonlySet<string> = new Set(["MEM-04", "MEM-05"]);
const ASK_AGAIN_MS = 1_000;
/** A start waits so long for what was pending; a full mempool has more signatures than that, and the rest comes in later. */
const PATIENCE_MS = 2_000;
/** A new form of the file gets another. */
const TAG = new TextEncoder().encode("cumulo/mempool/1");
const HASH_BYTES = 32;

export interface PoolFileDeps {
  readonly mempool: Mempool;
  /** Judges and admits, as it does what peers send: the file may be old, or somebody else's. */
  readonly admit: (transactions: readonly SealedTransaction[]) => Promise<readonly Judged[]>;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Pending transactions on the disk, so that they wait on after a restart. They are no chain data: losing them is allowed. */
export interface PoolFile {
  /**
   * Takes back what was saved; settles when all is judged, or after 2 s, when the rest still comes in. Never fails: a file
   * that is damaged or of another chain is told and passed over.
   */
  restore(): Promise<void>;
  /** Saves regularly from now on, once all is taken back. */
  start(): void;
  /** Saves once more, with what was not taken back yet. */
  stop(): Promise<void>;
}

/**
 * The file: tag, chain id, then for each transaction its length as uint32 and its bytes, and the SHA-256 of all before. In
 * the order of arrival, in which few lack an earlier one. In pieces, as all at once would hold up everything else.
 */
export async function* encodePool(
  chainId: Uint8Array,
  transactions: readonly SealedTransaction[],
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  const head = new Uint8Array(TAG.length + chainId.length);
  head.set(TAG);
  head.set(chainId, TAG.length);
  hash.update(head);
  yield head;
  for (let from = 0; from < transactions.length; from += BATCH) {
    const part = transactions.slice(from, from + BATCH);
    const piece = new Uint8Array(part.reduce((sum, { bytes }) => sum + 4 + bytes.length, 0));
    const view = new DataView(piece.buffer);
    let at = 0;
    for (const { bytes } of part) {
      view.setUint32(at, bytes.length, true);
      piece.set(bytes, at + 4);
      at += 4 + bytes.length;
    }
    hash.update(piece);
    yield piece;
  }
  yield new Uint8Array(hash.digest());
}

/** The serialized transactions of a file; what is wrong with it where it is not whole and this chain's. */
function decodePool(chainId: Uint8Array, file: Uint8Array): Uint8Array[] | string {
  const start = TAG.length + chainId.length;
  const end = file.length - HASH_BYTES;
  if (end < start || !equalBytes(file.subarray(0, TAG.length), TAG))
    return "it is no mempool of this version";
  const hash = createHash("sha256").update(file.subarray(0, end)).digest();
  if (!equalBytes(file.subarray(end), hash)) return "it is damaged";
  if (!equalBytes(file.subarray(TAG.length, start), chainId)) return "it is another chain's";
  const view = new DataView(file.buffer, file.byteOffset);
  const transactions: Uint8Array[] = [];
  for (let at = start; at < end; ) {
    const length = at + 4 <= end ? view.getUint32(at, true) : end;
    if (at + 4 + length > end) return "it is damaged";
    transactions.push(file.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return transactions;
}

export function createPoolFile(
  deps: PoolFileDeps,
  { path, chainId }: { readonly path: string; readonly chainId: Uint8Array },
): PoolFile {
  const { mempool, timers } = deps;
  const logger = deps.logger.child({ module: "mempool" });
  const stopping = new AbortController();
  const { signal } = stopping;
  let saved = mempool.revision;
  let timer: Timer | undefined;
  let saving: Promise<void> = Promise.resolve();
  /** Of the file, not judged yet. */
  let unjudged: Uint8Array[] = [];
  let restoring: Promise<void> = Promise.resolve();

  /** Those that were pending, and behind them those that a restart has not come to. */
  function everything(): SealedTransaction[] {
    const pending = [...mempool.entries()].map(({ transaction }) => transaction);
    return unjudged.length === 0 ? pending : [...pending, ...decodeAll(unjudged)];
  }

  async function save(): Promise<void> {
    if (mempool.revision === saved) return;
    const revision = mempool.revision;
    try {
      await replaceWhole(path, encodePool(chainId, everything()));
      saved = revision;
    } catch (error) {
      logger.warn({ path, problem: fileProblem(error) }, "what is pending could not be saved");
    }
  }

  function saveLater(): void {
    if (signal.aborted) return;
    timer = timers.set(SAVE_EVERY_MS, () => {
      saving = restoring.then(save);
      void saving.then(saveLater);
    });
  }

  /** Judges one batch, when the node takes transactions; answers what may come in later. */
  async function takeBack(batch: readonly SealedTransaction[]): Promise<readonly Judged[]> {
    for (;;) {
      const judged = await deps.admit(batch);
      const isRefusedForNow = judged.some(
        ({ admission }) => admission.status === "refused" && NOT_NOW.has(admission.rule),
      );
      if (!isRefusedForNow) return judged;
      await delay(timers, ASK_AGAIN_MS, signal);
    }
  }

  /** Judges all that is unjudged once; answers how many became pending. */
  async function takeBackOnce(): Promise<number> {
    const again: Uint8Array[] = [];
    let pending = 0;
    try {
      while (unjudged.length > 0 && !signal.aborted) {
        const judged = await takeBack(decodeAll(unjudged.slice(0, BATCH)));
        unjudged.splice(0, BATCH);
        for (const { transaction, admission } of judged) {
          if (admission.status === "pending") pending += 1;
          else if (admission.status === "refused" && MAY_WAIT.has(admission.rule))
            again.push(transaction.bytes);
        }
      }
    } finally {
      unjudged = unjudged.concat(again);
    }
    return pending;
  }

  async function takeAllBack(file: readonly Uint8Array[]): Promise<void> {
    unjudged = [...file];
    let pending = 0;
    for (let pass = 1; pass <= MAX_PASSES && unjudged.length > 0 && !signal.aborted; pass++) {
      const more = await takeBackOnce();
      pending += more;
      if (more === 0) break;
    }
    if (signal.aborted) return;
    unjudged = [];
    if (file.length > 0) logger.info({ saved: file.length, pending }, "what was pending waits on");
  }

  async function restore(): Promise<void> {
    const file = await readBytes(path, MAX_FILE_BYTES).catch((error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? undefined : fileProblem(error),
    );
    if (file === undefined) return;
    const found = typeof file === "string" ? file : decodePool(chainId, file);
    if (typeof found === "string")
      return logger.warn({ path, problem: found }, "what was pending before the restart is lost");
    await takeAllBack(found);
  }

  return {
    async restore() {
      const done = new AbortController();
      restoring = restore()
        .catch((error: unknown) => {
          if (signal.aborted) return;
          logger.warn({ path, problem: String(error) }, "what was pending could not be taken back");
        })
        .finally(() => done.abort());
      await delay(timers, PATIENCE_MS, done.signal).catch(() => {});
    },
    start: saveLater,
    async stop() {
      stopping.abort();
      if (timer !== undefined) timers.clear(timer);
      await restoring;
      await saving;
      await save();
    },
  };
}

/** On bytes of their own, so that one pending transaction does not keep the whole file in memory. */
function decodeAll(serialized: readonly Uint8Array[]): SealedTransaction[] {
  // What does not decode is of a kind that an earlier or later version knows.
  return serialized.flatMap((bytes) => decodeTransaction(bytes.slice()) ?? []);
}
