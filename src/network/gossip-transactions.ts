import type { Timer, Timers } from "../ports/index.ts";
import { encodeTransactions, listedTransactionBytes } from "./wire.ts";

const DEFAULT_MAX_BATCH_BYTES = 64 * 1024;
const DEFAULT_WINDOW_MS = 20;

export interface TransactionBatcherDeps {
  readonly timers: Timers;
  /** Hands one encoded message to gossip; must not throw. */
  publish(message: Uint8Array): void;
}

export interface TransactionBatcherOptions {
  /** A message with more than one transaction is at most so long. Default 64 KiB. */
  readonly maxBatchBytes?: number;
  /** How long transactions are collected under load. Default 20 ms. */
  readonly windowMs?: number;
}

/** Packs transactions into gossip messages: at once when idle, together under load. */
export interface TransactionBatcher {
  /** Takes transactions in the order in which they are to be gossiped. */
  add(transactions: readonly { readonly bytes: Uint8Array }[]): void;
  /** Publishes what was collected and sets no timer any more. */
  stop(): void;
}

export function createTransactionBatcher(
  deps: TransactionBatcherDeps,
  { maxBatchBytes = DEFAULT_MAX_BATCH_BYTES, windowMs = DEFAULT_WINDOW_MS }: TransactionBatcherOptions = {},
): TransactionBatcher {
  let batch: { readonly bytes: Uint8Array }[] = [];
  let batchBytes = 0;
  let window: Timer | undefined;
  let stopped = false;

  function flush(): void {
    if (batch.length === 0) return;
    const message = encodeTransactions(batch);
    batch = [];
    batchBytes = 0;
    deps.publish(message);
  }

  function openWindow(): void {
    if (stopped) return;
    window = deps.timers.set(windowMs, () => {
      window = undefined;
      if (batch.length === 0) return;
      flush();
      // There was load: the next ones wait for company again.
      openWindow();
    });
  }

  return {
    add(transactions) {
      for (const transaction of transactions) {
        const bytes = listedTransactionBytes(transaction.bytes.length);
        if (batchBytes + bytes > maxBatchBytes) flush();
        batch.push(transaction);
        batchBytes += bytes;
      }
      if (batch.length === 0 || (window !== undefined && !stopped)) return;
      flush();
      openWindow();
    },
    stop() {
      stopped = true;
      if (window !== undefined) deps.timers.clear(window);
      window = undefined;
      flush();
    },
  };
}
