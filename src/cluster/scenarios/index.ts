/**
 * Scenarios: a YAML file that says which nodes there are, what happens to them, and what must be true then; see
 * docs/scenarios.md. `language.ts` is the one source of the words: of what is understood, of the JSON Schema for editors
 * and of the table in the docs.
 *
 * Invariants: a file is checked whole before anything is started; every wait has a limit; nothing is left running but
 * what the caller is told of.
 */
export { prepareAccounts, type SentTransfer } from "./accounts.ts";
export * from "./facts.ts";
export { fatesOf, type TakenTransaction } from "./fates.ts";
export { formatAmount } from "./kinds.ts";
export * from "./lab.ts";
export type { Step } from "./language.ts";
export { formatProblems, type Problem } from "./problems.ts";
export { loadScenario, type ReadScenario, readScenario } from "./read.ts";
export { prepareReport, type Report, reportOf, writeReport } from "./report.ts";
export type { AssertionResult, ConvergenceResult, Outcome, RunResult, StepResult } from "./run.ts";
export type { Scenario } from "./scenario.ts";
export { languageTables, scenarioSchema } from "./schema.ts";
export { findScenario, type ShippedScenario, shippedScenarios } from "./shipped.ts";
