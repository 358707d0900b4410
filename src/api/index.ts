/**
 * API: the HTTP face of one node. Routes, their schemas, the event stream and metrics. Knows how to ask
 * (`NodeService`) and how to answer; decides nothing about blocks or transactions.
 *
 * Invariants: every failure is `{ code, message, details }` without a stack trace; nothing changes without the token;
 * every request, body, list and event buffer has a bound.
 */
export type { AccessOptions } from "./access.ts";
export { API_ERRORS, type ApiErrorCode } from "./error-codes.ts";
export { createEventStreams, type EventStreams } from "./event-stream.ts";
export * from "./http-app.ts";
export { addPage, PAGE_DIRECTORY } from "./page.ts";
export { MAX_BODY_BYTES } from "./routes/changing.ts";
export * from "./schemas/index.ts";
export * from "./server.ts";
export * from "./service.ts";
export { type ParsedTransaction, transactionFromJson, transactionToJson } from "./transaction-json.ts";
