/**
 * For suites of many real processes, ms. Each of their waits has a deadline of its own that tells what did not come; this
 * is only for a hang that none of them sees, so a machine under twenty times its load must not reach it.
 */
export const SUITE_MS = 300_000;
