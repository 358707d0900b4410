import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { LabEvents, Report, Scenario } from "../../../cluster/index.ts";
import { CliError, EXIT, onLostOutput, usageError } from "../../failure.ts";
import { countOf, printJson, printLine, shellWord, style, table } from "../../output.ts";
import { integer, path } from "../../values.ts";
import { createTeller, describe, tellReport } from "./scenario-story.ts";

interface RunOptions {
  readonly json?: boolean;
  readonly report?: string;
  readonly keep?: boolean;
  readonly dir?: string;
  readonly seed?: number;
  readonly dryRun?: boolean;
}

const OUTCOME_CODES: Readonly<Record<Report["outcome"], number>> = {
  passed: EXIT.ok,
  failed: EXIT.failed,
  "timed-out": EXIT.timedOut,
  interrupted: EXIT.interrupted,
};
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const MAX_SEED = 2 ** 32 - 1;

/** Reads it whole, and tells every problem on a line of its own before the one that is the error. */
async function load(file: string, json: boolean): Promise<Scenario> {
  const { ClusterError, formatProblems, loadScenario } = await import("../../../cluster/index.ts");
  try {
    return await loadScenario(file);
  } catch (error) {
    const problems = error instanceof ClusterError ? error.details["problems"] : undefined;
    if (json || !Array.isArray(problems) || problems.length === 0) throw error;
    for (const line of formatProblems(file, problems)) process.stderr.write(`${line}\n`);
    throw usageError(
      `${file} has ${countOf(problems.length, "problem")}, so nothing was started; docs/scenarios.md has the language`,
    );
  }
}

async function takeDirectory({ dir }: RunOptions): Promise<{ path: string; remove(): Promise<void> }> {
  if (dir === undefined) {
    const made = await mkdtemp(join(tmpdir(), "cumulo-run-"));
    return { path: made, remove: () => rm(made, { recursive: true, force: true, maxRetries: 3 }) };
  }
  return { path: resolve(dir), remove: async () => {} };
}

const silent: LabEvents = { started: () => {}, stepStarted: () => {}, stepEnded: () => {} };

async function run(typed: string, options: RunOptions): Promise<void> {
  const lab = await import("../../../cluster/index.ts");
  const file = await lab.findScenario(typed);
  const json = options.json === true;
  const scenario = await load(file, json);
  if (options.dryRun) return json ? printJson(dryRun(scenario, file)) : printLine(describe(scenario));
  if (options.report !== undefined) await lab.prepareReport(resolve(options.report));
  const seed = options.seed ?? Math.floor(Math.random() * MAX_SEED);

  const interrupted = new AbortController();
  const onSignal = (): void =>
    interrupted.abort(
      new CliError("INTERRUPTED", EXIT.interrupted, "interrupted; what was started is ended"),
    );
  for (const signal of SIGNALS) process.on(signal, onSignal);
  onLostOutput(onSignal);
  const directory = await takeDirectory(options);
  const teller = json ? silent : createTeller(scenario);
  // A run that failed has ended its cluster by itself, or never had the directory.
  let isOurs = false;
  try {
    const ran = { directory: directory.path, seed, signal: interrupted.signal };
    const report = lab.reportOf(scenario, { file, seed }, await lab.runScenario(scenario, ran, teller));
    isOurs = true;
    const isKept = options.keep === true && report.outcome !== "interrupted";
    if (!isKept) await lab.stopCluster(directory.path, { purge: true }).catch(() => {});
    const files = options.report === undefined ? [] : await lab.writeReport(resolve(options.report), report);
    process.exitCode = OUTCOME_CODES[report.outcome];
    // Not the recording: that has all of every block, and is in the report's file.
    const { recording: _, ...told } = report;
    if (json) printJson({ ...told, files, directory: isKept ? directory.path : null });
    else {
      printLine(await tellReport(scenario, report));
      for (const written of files) printLine(`report: ${written}`);
      if (isKept) tellKept(directory.path);
    }
    if (!isKept) await directory.remove();
  } catch (error) {
    if (isOurs) await lab.stopCluster(directory.path, { purge: true }).catch(() => {});
    await directory.remove();
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function tellKept(directory: string): void {
  const dir = shellWord(directory);
  printLine(`the cluster goes on: cumulo cluster status --dir ${dir}`);
  printLine(`end it with: cumulo cluster down --purge --dir ${dir}`);
}

const dryRun = (scenario: Scenario, file: string) => ({
  name: scenario.name,
  about: scenario.about,
  file,
  nodes: scenario.nodes.length,
  steps: scenario.steps.map(({ line, text }) => ({ line, text })),
});

async function list({ json }: { readonly json?: boolean }): Promise<void> {
  const { shippedScenarios } = await import("../../../cluster/index.ts");
  const scenarios = await shippedScenarios();
  if (json) return printJson(scenarios);
  const rows = scenarios.map(({ name, nodes, about }) => [name, String(nodes), about]);
  printLine(await table(["NAME", "NODES", "WHAT IT SHOWS"], rows, { lastWidth: 64 }));
  printLine(`\n${style("dim", "run one: cumulo cluster run NAME; its file says what to watch")}`);
}

export function addScenarios(cluster: Command): void {
  cluster
    .command("run")
    .description("run a scenario on a cluster of its own, and end with whether its assertions were true")
    .argument("<file>", "a scenario (YAML), or the name of one that comes along", path)
    .option(
      "--report <dir>",
      "write report.json, and report.html where the dashboard is built, into this directory",
      path,
    )
    .option(
      "--seed <n>",
      "keys and what the scenario leaves to chance follow from it (default: another each time)",
      integer(0, MAX_SEED),
    )
    .option("--dir <dir>", "the cluster's directory, new or empty (default: a temporary one)", path)
    .option("--keep", "leave the cluster running after the last step")
    .option("--dry-run", "only check the file and tell its steps")
    .addHelpText(
      "after",
      "\nExit codes: 0 all assertions were true, 1 one was not or a step failed, 2 the file is wrong, 3 a wait or the limit ran out.\n\nExamples:\n  cumulo cluster run two-way-split\n  cumulo cluster run scenarios/double-spend.yaml --report out --json",
    )
    .action(run);
  cluster
    .command("scenarios")
    .description("list the scenarios that come along")
    .addHelpText("after", "\nExample:\n  cumulo cluster scenarios")
    .action(list);
}
