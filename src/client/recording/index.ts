/**
 * The model of a recording: what a network's nodes saw, asked for any moment. Pure, without a browser: the dashboard,
 * `cumulo watch` and a scenario's report are views of it. Nothing is replayed: heads, links and states are looked up
 * among their changes.
 */
export type { Arrival } from "./arrivals.ts";
export type { BlockTree, RecordedBlock } from "./block-tree.ts";
export { createHistory, type History } from "./history.ts";
export * from "./measures.ts";
export * from "./model.ts";
export type * from "./types.ts";
