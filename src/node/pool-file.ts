import { fileProblem, readBytes, replaceWhole } from "../files/index.ts";
import type { Mempool } from "../mempool/index.ts";
import type { Logger, Timer, Timers } from "../ports/index.ts";
import { decodeTransaction, equalBytes, type SealedTransaction, sha256 } from "../primitives/index.ts";
import type { Judged } from "./transaction-pool.ts";

/** What a kill -9 may cost of what is pending; a clean stop costs nothing. */
const SAVE_EVERY_MS = 30_000;
/** Twice what a full mempool takes. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Judged at a time, so that others get their turn. */
const BATCH = 1_000;
/** What lacks money or an earlier nonce is tried again once others are in, which may bring them. */
const MAY_WAIT: ReadonlySet<string> = new Set(["TX-09", "MEM-03"]);
const MAX_PASSES = 16;
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
  /** Takes back what was saved. Never fails: a file that is damaged or of another chain is told and passed over. */
  restore(): Promise<void>;
  /** Saves regularly from now on. */
  start(): void;
  /** Saves once more. */
  stop(): Promise<void>;
}

/**
 * The file: tag, chain id, then for each transaction its length as uint32 and its bytes, and the SHA-256 of all before.
 * Best first, as a block would have them, then those that cannot be executed yet by nonce: where there is no room for all,
 * the first ones count. One may stand before another that pays for it, so it takes more than one pass to take them back.
 */
export function encodePool(chainId: Uint8Array, mempool: Mempool): Uint8Array {
  const ready = mempool.select();
  const isReady = new Set(ready);
  const waiting = [...mempool.entries()]
    .map(({ transaction }) => transaction)
    .filter((transaction) => !isReady.has(transaction))
    .sort((a, b) => a.nonce - b.nonce);
  const all = [...ready, ...waiting];
  const length = all.reduce((sum, { bytes }) => sum + 4 + bytes.length, TAG.length + chainId.length);
  const file = new Uint8Array(length + HASH_BYTES);
  const view = new DataView(file.buffer);
  file.set(TAG);
  file.set(chainId, TAG.length);
  let at = TAG.length + chainId.length;
  for (const { bytes } of all) {
    view.setUint32(at, bytes.length, true);
    file.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  file.set(sha256(file.subarray(0, length)), length);
  return file;
}

/** The transactions of a file; what is wrong with it where it is not whole and this chain's. */
export function decodePool(chainId: Uint8Array, file: Uint8Array): SealedTransaction[] | string {
  const start = TAG.length + chainId.length;
  const end = file.length - HASH_BYTES;
  if (end < start || !equalBytes(file.subarray(0, TAG.length), TAG))
    return "it is no mempool of this version";
  if (!equalBytes(file.subarray(end), sha256(file.subarray(0, end)))) return "it is damaged";
  if (!equalBytes(file.subarray(TAG.length, start), chainId)) return "it is another chain's";
  const view = new DataView(file.buffer, file.byteOffset);
  const transactions: SealedTransaction[] = [];
  for (let at = start; at < end; ) {
    const length = at + 4 <= end ? view.getUint32(at, true) : end;
    if (at + 4 + length > end) return "it is damaged";
    const transaction = decodeTransaction(file.slice(at + 4, at + 4 + length));
    // Of a kind that an earlier or later version knows.
    if (transaction !== undefined) transactions.push(transaction);
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
  let saved = mempool.revision;
  let timer: Timer | undefined;
  let saving: Promise<void> = Promise.resolve();
  let isStopped = false;

  async function save(): Promise<void> {
    if (mempool.revision === saved) return;
    const revision = mempool.revision;
    try {
      await replaceWhole(path, encodePool(chainId, mempool));
      saved = revision;
    } catch (error) {
      logger.warn({ path, problem: fileProblem(error) }, "what is pending could not be saved");
    }
  }

  function saveLater(): void {
    if (isStopped) return;
    timer = timers.set(SAVE_EVERY_MS, () => {
      saving = save();
      void saving.then(saveLater);
    });
  }

  return {
    async restore() {
      const file = await readBytes(path, MAX_FILE_BYTES).catch((error: NodeJS.ErrnoException) =>
        error.code === "ENOENT" ? undefined : fileProblem(error),
      );
      if (file === undefined) return;
      const found = typeof file === "string" ? file : decodePool(chainId, file);
      if (typeof found === "string")
        return logger.warn({ path, problem: found }, "what was pending before the restart is lost");
      let pending = 0;
      let waiting: readonly SealedTransaction[] = found;
      for (let pass = 1; pass <= MAX_PASSES && waiting.length > 0; pass++) {
        const again: SealedTransaction[] = [];
        const before = pending;
        for (let from = 0; from < waiting.length; from += BATCH) {
          for (const { transaction, admission } of await deps.admit(waiting.slice(from, from + BATCH))) {
            if (admission.status === "pending") pending += 1;
            else if (admission.status === "refused" && MAY_WAIT.has(admission.rule)) again.push(transaction);
          }
        }
        if (pending === before) break;
        waiting = again;
      }
      if (found.length > 0) logger.info({ saved: found.length, pending }, "what was pending waits on");
    },
    start: saveLater,
    async stop() {
      isStopped = true;
      if (timer !== undefined) timers.clear(timer);
      await saving;
      await save();
    },
  };
}
