/**
 * Node: the composition root. `start.ts` reads top to bottom what a daemon is made of and in which order it starts and
 * stops; the other files are the asynchronous shells around the pure rooms (sync driver, block relay, peer exchange,
 * transaction pool), and `adapters/` holds the real clock, timers, random numbers, store and threads.
 *
 * Invariants: nothing below this room knows another one's instance; the node answers only once the chain is whole; a
 * failing store stops it with a typed error.
 */
export { createLevelStore } from "./adapters/level-store.ts";
export { createSystemClock } from "./adapters/system-clock.ts";
export { createSystemRandom } from "./adapters/system-random.ts";
export { createSystemTimers } from "./adapters/system-timers.ts";
export { createThreadWorkerPool } from "./adapters/thread-worker-pool.ts";
export { type BackupOptions, type BackupResult, backupData } from "./backup.ts";
export { checkData, reindexData } from "./offline.ts";
export { NodeError, type NodeErrorCode, type NodeOptions } from "./options.ts";
export { type RestoreOptions, type RestoreResult, restoreData } from "./restore.ts";
export { type RunningNode, startNode } from "./start.ts";
export { VERSION } from "./version.ts";
