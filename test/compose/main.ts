/**
 * Builds docker-compose.yml and runs it (`scripts/compose-test`): health, confinement, published ports, blocks, a split
 * and its heal, a kill, down and up. It uses the Docker engine that answers, and never stops it; where none does, and it
 * runs as root on Debian, it brings one along in namespaces of its own, which end with it. Anywhere else it is skipped,
 * with the reason.
 */
import { type Commands, createCommands } from "./commands.ts";
import { type ComposeTool, type Engine, findEngine, NoEngine } from "./engine.ts";
import { isRootOnDebian } from "./packages.ts";
import { createProject, NODES, type NodeName } from "./project.ts";
import { CheckFailed, createReport, describe, type Report, seconds } from "./report.ts";
import { tellShortStory, tellWholeStory } from "./story.ts";

const WHOLE_MS = 15 * 60_000;
const EXIT = { ok: 0, failed: 1, timedOut: 3, interrupted: 130 };
const DEFAULT_PORTS = { node1: 7071, node2: 7072, node3: 7073 };
/** On an engine that was there, the usual ports may be its owner's. */
const OTHER_PORTS = { node1: 17071, node2: 17072, node3: 17073 };

const begunMs = performance.now();
let notedMs = begunMs;
const report = createReport((line) => process.stdout.write(`${line}\n`));
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => interruption.abort(new Error(`interrupted by ${signal}`)));
const timer = setTimeout(
  () => interruption.abort(new Error(`not done after ${WHOLE_MS / 60_000} minutes`)),
  WHOLE_MS,
);
process.exitCode = await main(createCommands(interruption.signal));
clearTimeout(timer);

async function main(commands: Commands): Promise<number> {
  let engine: Engine;
  report.section("An engine");
  try {
    engine = await findEngine(commands, noteTime);
  } catch (error) {
    if (error instanceof NoEngine && !(await isRootOnDebian())) {
      report.note(`skipped: ${error.message}`);
      return EXIT.ok;
    }
    report.note(`FAILED: ${describe(error)}`);
    return exitCode(commands, false);
  }
  report.note(engine.description);
  for (const { command, version } of engine.composes)
    report.note(`Compose ${version}, by ${command.join(" ")}`);
  for (const what of engine.missing) report.note(`not tried: ${what}`);

  const isWhole = await tellStories(commands, engine, report);
  const problems = await engine.end(createCommands());
  report.section("Afterwards");
  if (problems.length === 0)
    report.note(
      engine.isOwn
        ? "no process, mount, cgroup or file is left; firewall and forwarding are as they were"
        : "the engine goes on as it was",
    );
  for (const problem of problems) report.note(`FAILED: ${problem}`);
  const isGood = isWhole && problems.length === 0;
  const stopped = interruption.signal.aborted ? `, ${describe(interruption.signal.reason)}` : "";
  process.stdout.write(
    `\ncompose: ${report.passed} passed, ${report.failed} failed${stopped}, in ${seconds(performance.now() - begunMs)}\n`,
  );
  return exitCode(commands, isGood);
}

/** Says what was done, and how long after the one before. */
function noteTime(text: string): void {
  const nowMs = performance.now();
  report.note(`${text} (${seconds(nowMs - notedMs)})`);
  notedMs = nowMs;
}

function exitCode({ signal }: Commands, isGood: boolean): number {
  if (signal.aborted) return /interrupted/.test(String(signal.reason)) ? EXIT.interrupted : EXIT.timedOut;
  return isGood ? EXIT.ok : EXIT.failed;
}

/** The whole story with the first kind of Compose, a short one with the other; true if both came to their end. */
async function tellStories(commands: Commands, engine: Engine, to: Report): Promise<boolean> {
  let isWhole = true;
  for (const [i, tool] of engine.composes.entries()) {
    if (i > 0) to.section(`The same file with Compose ${tool.version}`);
    isWhole = (await tellStory(commands, engine, tool, i === 0)) && isWhole;
    if (commands.signal.aborted) return false;
  }
  return isWhole;
}

async function tellStory(
  commands: Commands,
  engine: Engine,
  tool: ComposeTool,
  whole: boolean,
): Promise<boolean> {
  const ports: Readonly<Record<NodeName, number>> = engine.isOwn ? DEFAULT_PORTS : OTHER_PORTS;
  const name = `cumulotest${process.pid}${whole ? "a" : "b"}`;
  const project = createProject(commands, engine, tool, { name, ports });
  const scene = { commands, engine, project, report };
  try {
    await (whole ? tellWholeStory(scene) : tellShortStory(scene));
    return true;
  } catch (error) {
    if (!(error instanceof CheckFailed)) report.note(`FAILED: ${describe(error)}`);
    if (!commands.signal.aborted) report.show(await lastWords(project));
    return false;
  } finally {
    await project
      .remove(createCommands())
      .catch((error: unknown) => report.note(`the project's remains: ${describe(error)}`));
  }
}

/** What somebody who looks for a failure's cause asks first. */
async function lastWords(project: ReturnType<typeof createProject>): Promise<string> {
  const words: string[] = [];
  for (const args of [["ps"], ["logs", "--no-color", "--tail", "12", ...NODES]])
    words.push(await project.compose(args).then(({ stdout }) => stdout, describe));
  return words.join("\n");
}
