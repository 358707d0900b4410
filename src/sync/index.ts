/**
 * Sync: what to ask of whom, whom to know, and whom to keep away. Pure: statuses, answers and outcomes in, requests and
 * penalties out; it never waits and never calls anybody, so a simulation replays it exactly. Deadlines are the network's:
 * every request ends in an input. Only who holds up all others is judged by the time that each input brings with it.
 *
 * `planner.ts` decides, from `claims.ts` (the peers and their word), `header-fetch.ts` (one peer's headers) and
 * `body-download.ts` (the bodies of one header chain: `body-windows.ts`, `stall-clock.ts`), `dead-ends.ts` (headers that
 * lead nowhere for now, as we or their peer have pruned what they build on) and `turn-clock.ts`.
 *
 * Invariants: bodies are asked for only behind headers whose work is worth it, each of one peer at a time, and imported in
 * the order of their heights; memory is bounded by three header chains (being shown, left to go on with, being downloaded)
 * and what the windows may bring, whatever the number of peers; a peer that failed is not asked again before it reports a
 * new status.
 */
export * from "./ban-list.ts";
export * from "./header-chain.ts";
export * from "./id-list.ts";
export * from "./ip-address.ts";
export * from "./locator.ts";
export * from "./peer-book.ts";
export * from "./planner.ts";
export * from "./types.ts";
