/**
 * Client: the HTTP API as typed functions, for the command line, clusters, tests and other people's programs. Takes
 * only types from `api/`; needs nothing but fetch, an event-stream parser, and SHA-256 and bech32m for proofs.
 *
 * Invariants: every call has a deadline; every failure is an `ApiError` with a code and a sentence.
 */
export { provenBlock } from "./account-proof.ts";
export * from "./client.ts";
export { ApiError } from "./errors.ts";
export { type EventsOptions, followEvents, type LostConnection, type ReceivedEvent } from "./events.ts";
export type { HttpOptions } from "./http.ts";
export * from "./recording/index.ts";
