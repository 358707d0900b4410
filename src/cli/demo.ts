import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { type DemoEvents, type DemoResult, markAlone, runDemo, stopCluster } from "../cluster/index.ts";
import { fileProblem, makePrivateDirectory, removeDirectories } from "../files/index.ts";
import { describeReorg } from "./commands/reorgs.ts";
import { type CliError, EXIT, failure, onLostOutput, report, usageError } from "./failure.ts";
import { drawFork } from "./fork-picture.ts";
import { formatDuration, formatWork, printJson, printLine, shellWord, shortId, style } from "./output.ts";
import { path } from "./values.ts";

interface Options {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly dir?: string;
}

/** What ends the demo and cleans up; SIGHUP: its terminal was closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DEFAULT_DIR = join(ROOT, ".cumulo-demo");
/** Transactions of a reorg shown by name; the counts below them cover all. */
const SHOWN_FATES = 6;

const silent: DemoEvents = {
  step() {},
  heads() {},
  fork() {},
  doubleSpend() {},
  reorg() {},
  converged() {},
  transactions() {},
};

const capital = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
const coins = (units: number): string => `${units / 1e8}`;

function createNarrator(): DemoEvents {
  let steps = 0;
  return {
    step(title, detail) {
      steps += 1;
      printLine(`\n${style("bold", `${steps}. ${title}`)}\n   ${style("dim", detail)}`);
    },
    heads(nodes) {
      const heads = nodes.map(({ n, status }) =>
        status === undefined
          ? `node ${n}: no answer`
          : `node ${n}: ${status.head.height} ${status.head.id.slice(4, 8)}`,
      );
      const pending = nodes.map(({ status }) => status?.mempool.transactions ?? "?").join(", ");
      // One line of 80 columns for three nodes, or it is hard to read as it changes.
      printLine(`   ${heads.join("  ")}  ${style("dim", `(pending ${pending})`)}`);
    },
    doubleSpend(first, second) {
      const amount = coins(first.amount);
      printLine(
        `   ${style("yellow", "Mallory spends one coin twice:")}\n   ${amount} to ${capital(first.to)} on node ${first.node}, the same ${amount} to ${capital(second.to)} on node ${second.node}`,
      );
    },
    fork(tree, branches) {
      printLine("");
      const picture = drawFork(tree, ({ id, work }) => {
        const branch = branches.find(({ tip }) => tip === id);
        const who =
          branch === undefined
            ? ""
            : ` (${branch.nodes.length === 1 ? "node" : "nodes"} ${branch.nodes.join(", ")})`;
        return `work ${formatWork(work)}${who}`;
      });
      for (const line of picture) printLine(`   ${line}`);
    },
    converged(head, timeMs) {
      printLine(
        `\n   ${style("green", `converged after ${formatDuration(timeMs)}`)} on ${head.height} ${shortId(head.id)}, work ${formatWork(head.work)}`,
      );
    },
    reorg(reorg, n, nameOf) {
      printLine("");
      for (const line of `node ${n}: ${describeReorg(reorg)}`.split("\n")) printLine(`   ${line}`);
      const named = reorg.transactions.filter(({ id }) => nameOf(id) !== undefined);
      const rare = named.filter(({ fate }) => fate !== "returned" && fate !== "mined");
      for (const fate of [...rare, ...named.filter((one) => !rare.includes(one))].slice(0, SHOWN_FATES)) {
        const transfer = nameOf(fate.id);
        if (transfer === undefined) continue;
        const words = {
          returned: "back in the mempool",
          mined: fate.fate === "mined" ? `in the new branch at ${fate.height}` : "",
          dropped: fate.fate === "dropped" ? `dropped by rule ${fate.rule}` : "",
          conflicted: fate.fate === "conflicted" ? `ruled out by ${shortId(fate.by)} (same coin)` : "",
        }[fate.fate];
        printLine(
          `     ${shortId(fate.id)}  ${capital(transfer.from)} to ${capital(transfer.to)}, ${coins(transfer.amount)}: ${words}`,
        );
      }
      const more = reorg.transactions.length - SHOWN_FATES;
      if (more > 0) printLine(style("dim", `     ... and ${more} more`));
    },
    transactions(counts) {
      const { sent, mined, pending, dropped, conflicted, returnedToMempool } = counts;
      printLine(
        `\n   ${sent} sent = ${mined} mined + ${pending} pending + ${dropped} dropped + ${conflicted} conflicted\n   ${returnedToMempool} of them had gone back to the mempool`,
      );
    },
  };
}

/** What goes to standard output at the end with --json. */
function toJson(result: DemoResult): unknown {
  return {
    ...result,
    reorgs: result.reorgs.map(({ node: peer, n, ...reorg }) => ({ node: n, peer, ...reorg })),
  };
}

function tryNext(directory: string): void {
  const dir = shellWord(relative(process.cwd(), directory) || ".");
  const cumulo = relative(process.cwd(), join(ROOT, "scripts", "cumulo"));
  const command = cumulo.startsWith(".") ? cumulo : `./${cumulo}`;
  const lines: readonly (readonly [string, string])[] = [
    [`${command} cluster status --dir ${dir}`, "heads of all nodes"],
    [`${command} cluster split 1,2/3 --dir ${dir}`, "cut node 3 off"],
    [`${command} mine 2 --data ${dir}/node1`, "one side mines 2 blocks ..."],
    [`${command} mine 4 --data ${dir}/node3`, "... the other 4"],
    [`${command} cluster heal --dir ${dir}`, "and together again"],
    [`${command} reorgs --transactions --data ${dir}/node1`, "what happened, explained"],
    [`${command} watch --data ${dir}/node2`, "events as they happen"],
  ];
  const width = Math.max(...lines.map(([text]) => text.length));
  printLine(`\n${style("bold", "The nodes stay up. Try, in another terminal:")}`);
  for (const [text, why] of lines) printLine(`  ${text.padEnd(width)}  ${style("dim", why)}`);
  printLine(`\nCtrl-C ends the nodes and removes ${dir}.`);
}

/** Where the demo keeps its nodes, and how that goes away again. */
interface DemoDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/** Takes a new or empty directory for this demo alone. */
async function takeDirectory({ dir, once }: Options): Promise<DemoDirectory> {
  if (dir === undefined && once) {
    const path = await mkdtemp(join(tmpdir(), "cumulo-demo-"));
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  }
  const directory = resolve(dir ?? DEFAULT_DIR);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw usageError(`the demo cannot use ${directory}: ${fileProblem(error)}; choose another --dir`);
  });
  // A demo that was killed while it started leaves no more than its mark and its keys.
  if (names.includes("cluster.json") || names.includes("cluster.mark")) {
    const end = `scripts/cumulo cluster down --dir ${shellWord(directory)} --purge`;
    throw usageError(
      `a demo runs in ${directory}, or one was killed; end it with "${end}", or choose another --dir`,
    );
  }
  if (names.length > 0) throw usageError(`${directory} is not empty; choose another --dir`);
  const unusable = (error: unknown) => {
    const why = fileProblem(error, "no directory can be made there");
    return failure("FILE_UNWRITABLE", `the demo cannot use ${directory}: ${why}; choose another --dir`);
  };
  const made = await makePrivateDirectory(directory).catch((error: unknown) => {
    throw unusable(error);
  });
  // Of two that start at once, one makes the mark.
  const isOurs = await markAlone(directory).catch(async (error: unknown) => {
    await removeDirectories(made);
    throw unusable(error);
  });
  if (!isOurs) throw usageError(`another demo starts in ${directory}; choose another --dir`);
  return {
    path: directory,
    async remove() {
      for (const name of await readdir(directory).catch(() => []))
        await rm(join(directory, name), { recursive: true, force: true });
      await removeDirectories(made);
    },
  };
}

async function run(options: Options): Promise<void> {
  const interrupted = new AbortController();
  const asked = Promise.withResolvers<void>();
  const onSignal = (): void => {
    interrupted.abort(new Error("interrupted"));
    asked.resolve();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  let lost: CliError | undefined;
  onLostOutput((error) => {
    lost = error;
    onSignal();
  });
  const { path: directory, remove } = await takeDirectory(options);
  try {
    const tell = options.json ? silent : createNarrator();
    const result = await runDemo({ directory, signal: interrupted.signal }, tell);
    if (options.json) printJson(toJson(result));
    if (!result.converged) process.exitCode = EXIT.failed;
    if (!options.once && !interrupted.signal.aborted) {
      if (!options.json) tryNext(directory);
      // Signal handlers alone do not keep a process alive.
      const alive = setInterval(() => {}, 60_000);
      await asked.promise;
      clearInterval(alive);
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    await stopCluster(directory).catch(() => {});
    await remove();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
  if (lost !== undefined) throw lost;
}

const program = new Command("demo")
  .description("three nodes fork and converge, shown as it happens")
  .option("--once", "end and clean up after the story, in a temporary directory")
  .option("--json", "one machine-readable line at the end instead of the story")
  .option(
    "--dir <dir>",
    "where the demo keeps its nodes until it ends (default: .cumulo-demo in the checkout)",
    path,
  )
  .exitOverride()
  .configureOutput({ outputError: () => {} });

const json = process.argv.includes("--json");
try {
  await program.action(run).parseAsync();
} catch (error) {
  process.exitCode = report(error, json);
}
