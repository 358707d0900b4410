/**
 * Client: the HTTP API as typed functions, for the command line, clusters, tests and other people's programs. Takes
 * only types from `api/`; needs nothing but fetch and an event-stream parser.
 *
 * Invariants: every call has a deadline; every failure is an `ApiError` with a code and a sentence.
 */
export * from "./client.ts";
export { ApiError } from "./errors.ts";
export type { ReceivedEvent } from "./events.ts";
export type { HttpOptions } from "./http.ts";
