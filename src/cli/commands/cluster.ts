import type { Command } from "commander";
import type { NodeSnapshot } from "../../cluster/index.ts";
import type { JsonOption } from "../connection.ts";
import { CliError, EXIT, usageError } from "../failure.ts";
import {
  formatDuration,
  formatWork,
  printJson,
  printLine,
  shellWord,
  shortId,
  shortPeer,
  style,
  table,
  withProgress,
} from "../output.ts";
import { duration, integer, oneOf, path, quoted, timeOption } from "../values.ts";

interface Options extends JsonOption {
  readonly dir: string;
}

const DEFAULT_DIR = "./.cumulo-cluster";
const open = async ({ dir }: Options) => (await import("../../cluster/index.ts")).createClusterClient(dir);
const inDirectory = (command: Command): Command =>
  command.option("--dir <dir>", "the cluster's directory", path, DEFAULT_DIR);

/** How a command that is told to be copied names this cluster. */
const dirFlag = ({ dir }: Options): string => (dir === DEFAULT_DIR ? "" : ` --dir ${shellWord(dir)}`);

const portOf = (url: string): string => new URL(url).port;
/** A state in one word, as narrow as the others. */
const stateWord = (state: string): string => (state === "waiting-for-peers" ? "waiting" : state);

/** Fits a terminal of 100 columns as long as work has no more than 10; --json has everything at length. */
async function headsTable(nodes: readonly NodeSnapshot[]): Promise<string> {
  const rows = nodes.map(({ n, pid, api, peer, state, status }) => [
    String(n),
    status === undefined
      ? style("red", state === "exited" ? "exited" : "no answer")
      : style(status.state === "waiting-for-peers" ? "yellow" : "green", stateWord(status.state)),
    status === undefined ? "-" : String(status.head.height),
    status === undefined ? "-" : shortId(status.head.id),
    status === undefined ? "-" : formatWork(status.head.work),
    status === undefined ? "-" : String(status.peers),
    status === undefined ? "-" : String(status.mempool.transactions),
    status?.mining.on ? "on" : "off",
    shortPeer(peer),
    portOf(api),
    String(pid),
  ]);
  return table(
    ["NODE", "STATE", "HEIGHT", "HEAD", "WORK", "PEERS", "PENDING", "MINING", "PEER", "PORT", "PID"],
    rows,
  );
}

interface UpOptions extends Options {
  readonly nodes: number;
  readonly genesis?: string;
  readonly mine?: boolean;
  readonly port: number;
  readonly logLevel: string;
}

async function up(options: UpOptions): Promise<void> {
  const { startCluster } = await import("../../cluster/index.ts");
  const interrupted = new AbortController();
  const onSignal = () =>
    interrupted.abort(
      new CliError("INTERRUPTED", EXIT.interrupted, "interrupted; what was started is ended"),
    );
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  await withProgress(`starting ${options.nodes} nodes`, () =>
    startCluster({
      directory: options.dir,
      nodes: options.nodes,
      mine: options.mine === true,
      port: options.port,
      logLevel: options.logLevel,
      signal: interrupted.signal,
      ...(options.genesis === undefined ? {} : { genesisFile: options.genesis }),
    }),
  );
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
  const cluster = await open(options);
  if (options.json) return printJson({ ...(await cluster.info()), url: cluster.url });
  printLine(await headsTable(await cluster.snapshot()));
  printLine(`\nall nodes at ${cluster.url}; end it with: cumulo cluster down${dirFlag(options)}`);
}

async function status(options: Options): Promise<void> {
  const { groupsOf, isTied } = await import("../../cluster/index.ts");
  const cluster = await open(options);
  const nodes = await cluster.snapshot();
  const groups = groupsOf(nodes);
  if (options.json) return printJson({ url: cluster.url, directory: cluster.directory, groups, nodes });
  printLine(await headsTable(nodes));
  if (groups.length > 1) printLine(style("yellow", `split: ${groups.join(" / ")}`));
  if (isTied(nodes)) printLine(style("yellow", "tied: mine one block"));
}

async function split(text: string, options: Options): Promise<void> {
  const { parseGroups } = await import("../../cluster/index.ts");
  const cluster = await open(options);
  const groups = parseGroups(
    text,
    (await cluster.info()).nodes.map(({ n }) => n),
  );
  await cluster.split(groups);
  if (options.json) printJson({ groups });
  else
    printLine(
      `split: ${groups.map((group) => group.join(",")).join(" / ")}; heal with: cumulo cluster heal${dirFlag(options)}`,
    );
}

async function heal(options: Options): Promise<void> {
  await (await open(options)).heal();
  if (options.json) printJson({ healed: true });
  else printLine("healed: all links are whole, and redialled now");
}

async function wait(what: string, options: Options & { timeout: number }): Promise<void> {
  if (what !== "converged")
    throw usageError(`the only thing to wait for is "converged", not ${quoted(what)}`);
  const { waitConverged } = await import("../../cluster/index.ts");
  const cluster = await open(options);
  const { head, timeMs } = await withProgress("waiting for one head", (update) =>
    waitConverged(cluster, {
      timeoutMs: options.timeout,
      onLook: (nodes) => update(`heads: ${nodes.map((node) => node.status?.head.height ?? "?").join(", ")}`),
    }),
  );
  if (options.json) printJson({ converged: true, head, timeMs: Math.round(timeMs) });
  else printLine(`converged on ${head.height} ${shortId(head.id)} after ${formatDuration(timeMs)}`);
}

async function load(options: Options & { tps: number; for: number }): Promise<void> {
  const { runLoad } = await import("../../cluster/index.ts");
  const cluster = await open(options);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const { ids: _, ...result } = await withProgress("funding the load's keys", (update) =>
    runLoad(cluster, {
      tps: options.tps,
      durationMs: options.for,
      signal: stop.signal,
      onProgress: ({ sent, refused }) => update(`${sent} sent, ${refused} refused`),
    }),
  );
  if (result.lost.length > 0) process.exitCode = 1;
  if (options.json) return printJson(result);
  const why = Object.entries(result.refusals).map(([code, count]) => `${count} ${code}`);
  const rate = Math.round((result.sent * 1_000) / Math.max(1, result.durationMs));
  printLine(
    `${result.sent} sent in ${formatDuration(result.durationMs)} (${rate} a second): ${result.accepted} accepted, ${result.refused} refused`,
  );
  if (why.length > 0) printLine(`refused by: ${why.join(", ")}`);
  if (result.blocksMined > 0) printLine("one block was mined to fund the load's keys, as mining is off");
  for (const { node, message } of result.lost) printLine(`node ${node} was lost: ${message}`);
  if (result.unanswered > 0)
    printLine(`${result.unanswered} sent without an answer: they may be in a mempool or not`);
}

async function down(options: Options & { purge?: boolean }): Promise<void> {
  const { stopCluster } = await import("../../cluster/index.ts");
  const { ended } = await withProgress("ending the cluster", () =>
    stopCluster(options.dir, { purge: options.purge === true }),
  );
  if (options.json) printJson({ ended, purged: options.purge === true });
  else
    printLine(
      `ended ${ended} processes; the nodes' data is ${options.purge ? "removed" : `kept in ${options.dir} (--purge removes it)`}`,
    );
}

function addLifecycle(cluster: Command): void {
  inDirectory(cluster.command("up"))
    .description("start nodes on this machine and connect them all with each other")
    .option("--nodes <n>", "how many", integer(1, 32), 3)
    .option(
      "--genesis <file>",
      "the network's rules (default: the directory's own, made anew: 10 bits, reward 50)",
      path,
    )
    .option("--mine", "all nodes mine continuously")
    .option("--port <port>", "where the supervisor serves (0: any free port)", integer(0, 65_535), 0)
    .option("--log-level <level>", "of the nodes", oneOf("debug", "info", "warn", "error", "silent"), "info")
    .addHelpText("after", "\nExample:\n  cumulo cluster up --nodes 3 --mine")
    .action(up);
  inDirectory(cluster.command("status"))
    .description("heads of all nodes, the ports of their APIs, and how they are split")
    .addHelpText("after", "\nExample:\n  cumulo cluster status")
    .action(status);
  inDirectory(cluster.command("down"))
    .description("end all nodes; their data stays")
    .option("--purge", "remove the nodes' data too")
    .addHelpText("after", "\nExample:\n  cumulo cluster down --purge")
    .action(down);
}

export function addCluster(program: Command): void {
  const cluster = program
    .command("cluster")
    .description("several nodes on this machine, to watch forks and reorgs");
  addLifecycle(cluster);
  inDirectory(cluster.command("split"))
    .description("cut the network into groups that cannot reach each other")
    .argument("<groups>", "node numbers, groups apart by /, such as 1,2/3")
    .addHelpText("after", "\nExample:\n  cumulo cluster split 1/2,3")
    .action(split);
  inDirectory(cluster.command("heal"))
    .description("join all groups again")
    .addHelpText("after", "\nExample:\n  cumulo cluster heal")
    .action(heal);
  inDirectory(cluster.command("wait"))
    .description("wait until all nodes agree on one head")
    .argument("<what>", "converged")
    .addOption(timeOption("--timeout <time>", "give up after this time, with exit code 3", "60s"))
    .addHelpText("after", "\nExample:\n  cumulo cluster wait converged --timeout 30s")
    .action(wait);
  inDirectory(cluster.command("load"))
    .description("send signed transfers through all nodes and count what they say")
    .requiredOption("--tps <n>", "transfers a second, 1 to 2000", integer(1, 2_000))
    .requiredOption("--for <time>", "how long", duration)
    .addHelpText("after", "\nExample:\n  cumulo cluster load --tps 50 --for 30s")
    .action(load);
}
