/**
 * Chain: the single writer. Takes blocks, checks them in stages, stores them, keeps the best branch connected, explains
 * reorgs, survives crashes. Everybody else reads.
 *
 * Invariants: each batch is atomic, synced, and leaves a valid head; nothing is published before it is durable, nor in
 * the middle of a reorg; a storage error stops the chain and never condemns a block. Knows no peers: it answers with a
 * verdict, and whoever received the bytes turns that into a penalty.
 */
export { checkBackupHeader, checkRestored, snapshotChain } from "./backup.ts";
export {
  BackupError,
  type BackupHeader,
  type BackupPart,
  decodeBackup,
  encodeBackup,
} from "./backup-format.ts";
export * from "./block-store.ts";
export * from "./chain.ts";
export { type CheckReport, checkChain, type Finding } from "./check.ts";
export * from "./errors.ts";
export type { ChainEvents, HeadChange } from "./events.ts";
export {
  createHistoryIndex,
  type HistoryIndex,
  type HistoryItem,
  type HistoryPage,
} from "./history-index.ts";
export type { HistoryDirection, HistoryPosition } from "./history-rows.ts";
export { openChain } from "./open.ts";
export type { MarkResult } from "./operator-marks.ts";
export type { Settlement, SettleTransactions } from "./publisher.ts";
export { markForReindex } from "./recovery.ts";
export * from "./reorg.ts";
export { judgeRestored, type LeftOut } from "./restored.ts";
export type { StoredBlock, TransactionPlace } from "./schema.ts";
export * from "./signatures.ts";
export type { Template, TemplateRequest } from "./template.ts";
