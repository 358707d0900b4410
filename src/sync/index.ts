/**
 * Sync: what to ask of whom, and whom to know. Pure: statuses, answers and outcomes in, requests and penalties out; it never waits and
 * never calls anybody, so a simulation replays it exactly. Deadlines are the network's: every request ends in an input.
 *
 * Invariants: one sync at a time; bodies are asked for only behind headers whose work is worth it; memory per peer is
 * bounded by `MAX_HEADERS_PER_SYNC`; a peer that failed is not asked again before it reports a new status.
 */
export * from "./ban-list.ts";
export * from "./header-chain.ts";
export * from "./ip-address.ts";
export * from "./locator.ts";
export * from "./peer-book.ts";
export * from "./planner.ts";
export * from "./types.ts";
