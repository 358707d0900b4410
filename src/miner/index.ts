/**
 * Miner: searches nonces in worker threads and decides when. Knows templates and targets, not what is in a block: the
 * node builds templates and judges results.
 *
 * Invariants: continuous mining never exceeds its rate, so an idle laptop stays idle; a template is never older than a
 * few seconds and never outlives its head by more than one burst; nonces stay below 2^53.
 */
export * from "./miner.ts";
export { type SearchInput, type SearchResult, type SearchTasks, searchNonce } from "./search-tasks.ts";
