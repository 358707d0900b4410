/**
 * Keys: Ed25519 key pairs, their files, and signatures of transactions. What consensus calls a valid signature is
 * decided here and nowhere else (`verifySignature`, and `verify-tasks.ts` for many at a time in worker threads).
 *
 * Invariants: a secret or a passphrase is never logged, and a secret is serialized only into a key file (mode 0600),
 * sealed where there is a passphrase; a key file appears whole or not at all and never replaces another, but for the
 * same key's in another form (`encrypt`, `changePassphrase`, `decrypt`).
 */
export { KeyError, type KeyErrorCode } from "./errors.ts";
export * from "./key-store.ts";
export {
  DEFAULT_SCRYPT_COST,
  MAX_PASSPHRASE_BYTES,
  type PassphraseSource,
  type ScryptCost,
} from "./sealed-secret.ts";
export * from "./signature.ts";
export * from "./transaction.ts";
export { RECORD_BYTES, type VerifyTasks, verifyPacked } from "./verify-tasks.ts";
