/**
 * Mempool: transactions that wait for a block, and the memory of what became of them. Pure: accounts, heights and times
 * are arguments. Policy only: what it refuses another node may take, and consensus never asks it.
 *
 * Invariants: at most one pending transaction per sender and nonce; counts and bytes within the options' bounds.
 */
export * from "./history.ts";
export { createMempool, type Mempool } from "./mempool.ts";
export { createRecentMap } from "./recent-map.ts";
export {
  type Admission,
  DEFAULT_MEMPOOL_OPTIONS,
  MEMPOOL_RULES,
  type MempoolOptions,
  type PendingEntry,
  type RefusalRule,
  type Refused,
  type Removal,
  type SenderState,
} from "./types.ts";
