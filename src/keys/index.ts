/**
 * Keys: Ed25519 key pairs, their files, and signatures of transactions. What consensus calls a valid signature is
 * decided here and nowhere else (`verifySignature`, and `verify-tasks.ts` for many at a time in worker threads).
 *
 * Invariants: a secret is never logged or serialized except into its own file (mode 0600); a key file appears whole or
 * not at all and never replaces another. Files are not encrypted yet.
 */
export * from "./key-store.ts";
export * from "./signature.ts";
export * from "./transaction.ts";
export { RECORD_BYTES, type VerifyTasks, verifyPacked } from "./verify-tasks.ts";
