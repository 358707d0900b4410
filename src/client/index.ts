/**
 * Client: the HTTP API as typed functions, for the command line, clusters, the dashboard, tests and other people's
 * programs, where it is `cumulo/client`. Takes only types from `api/`; needs nothing but fetch, an event-stream parser, and
 * SHA-256 and bech32m for proofs, and runs in browsers.
 *
 * Invariants: every call has a deadline; every failure is an `ApiError` with a code and a sentence.
 */
export type {
  AccountHistory,
  AccountProof,
  AccountStatus,
  BlockDetail,
  BlockRef,
  Link,
  NodeEvent,
  NodeEventType,
  Page,
  Peer,
  PendingTransaction,
  Reorg,
  Status,
  Submission,
  Tip,
  TransactionJson,
  TransactionStatus,
  Tree,
} from "../api/index.ts";
export { provenBlock } from "./account-proof.ts";
export * from "./client.ts";
export { ApiError } from "./errors.ts";
export {
  type EventsOptions,
  followEvents,
  followStream,
  type LostConnection,
  type ReceivedEvent,
} from "./events.ts";
export type { HttpOptions } from "./http.ts";
export * from "./recording/index.ts";
