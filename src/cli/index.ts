/**
 * CLI: one file per command over `client/`, `keys/`, `node/` and `cluster/`. Decides how things are said to people,
 * nothing else.
 *
 * Invariants: exit codes 0 ok, 1 failed, 2 usage, 3 timed out, 130 interrupted; an error is one line on stderr that names the value and
 * what is allowed; with --json stdout holds JSON only; --help loads nothing heavy.
 */
export { createProgram, run } from "./program.ts";
