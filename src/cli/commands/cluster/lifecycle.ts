import type { Command } from "commander";
import { CliError, EXIT } from "../../failure.ts";
import { printJson, printLine, style, withProgress } from "../../output.ts";
import { integer, oneOf, path } from "../../values.ts";
import { dirFlag, headsTable, inDirectory, MAX_NODES, type Options, open } from "./shared.ts";

interface UpOptions extends Options {
  readonly nodes?: number;
  readonly topology?: string;
  readonly genesis?: string;
  readonly mine?: boolean;
  readonly port: number;
  readonly logLevel: string;
  readonly prune?: number;
}

async function up(options: UpOptions): Promise<void> {
  const { startCluster } = await import("../../../cluster/index.ts");
  const interrupted = new AbortController();
  const onSignal = () =>
    interrupted.abort(
      new CliError("INTERRUPTED", EXIT.interrupted, "interrupted; what was started is ended"),
    );
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  await withProgress(options.nodes === undefined ? "starting" : `starting ${options.nodes} nodes`, () =>
    startCluster({
      directory: options.dir,
      mine: options.mine === true,
      port: options.port,
      logLevel: options.logLevel,
      signal: interrupted.signal,
      ...(options.prune === undefined ? {} : { pruneDepth: options.prune }),
      ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
      ...(options.topology === undefined ? {} : { topology: options.topology }),
      ...(options.genesis === undefined ? {} : { genesisFile: options.genesis }),
    }),
  );
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
  const cluster = await open(options);
  if (options.json) return printJson({ ...(await cluster.info()), url: cluster.url });
  printLine(await headsTable(await cluster.snapshot()));
  printLine(`\nsee it in a browser: cumulo dashboard${dirFlag(options)}`);
  printLine(`all nodes at ${cluster.url}; end it with: cumulo cluster down${dirFlag(options)}`);
}

async function status(options: Options): Promise<void> {
  const { formatGroups, groupsOf, isTied } = await import("../../../cluster/index.ts");
  const cluster = await open(options);
  const nodes = await cluster.snapshot();
  const groups = groupsOf(nodes);
  if (options.json) return printJson({ url: cluster.url, directory: cluster.directory, groups, nodes });
  printLine(await headsTable(nodes));
  for (const { n, state, why } of nodes) {
    const [how, command] = state === "paused" ? ["is paused", "resume"] : ["has ended", "restart"];
    if (state === "paused" || state === "ended")
      printLine(
        style(
          "yellow",
          `node ${n} ${how}${why === null ? "" : ` (${why})`}: cumulo cluster ${command} ${n}${dirFlag(options)}`,
        ),
      );
  }
  if (groups.length > 1) printLine(style("yellow", `split: ${formatGroups(groups, " / ")}`));
  if (isTied(nodes)) printLine(style("yellow", "tied: mine one block"));
}

async function down(options: Options & { purge?: boolean }): Promise<void> {
  const { stopCluster } = await import("../../../cluster/index.ts");
  const { ended } = await withProgress("ending the cluster", () =>
    stopCluster(options.dir, { purge: options.purge === true }),
  );
  if (options.json) printJson({ ended, purged: options.purge === true });
  else
    printLine(
      `ended ${ended} processes; the nodes' data is ${options.purge ? "removed" : `kept in ${options.dir} (--purge removes it)`}`,
    );
}

export function addLifecycle(cluster: Command): void {
  inDirectory(cluster.command("up"))
    .description("start nodes on this machine and connect them with each other")
    .option("--nodes <n>", "how many (default: as many as last time, or 3)", integer(1, MAX_NODES))
    .option(
      "--topology <which>",
      'who is connected with whom: full, line, ring, star, or a file such as { "nodes": 3, "links": [[1,2],[2,3]] } (default: as last time, or full)',
      path,
    )
    .option(
      "--genesis <file>",
      "the network's rules (default: the directory's own, made anew: 10 bits, reward 50)",
      path,
    )
    .option("--mine", "all nodes mine continuously")
    .option(
      "--prune <depth>",
      "all nodes delete the data of blocks further below the head, at least 288; cannot be taken back (default: keep all)",
      integer(288, Number.MAX_SAFE_INTEGER),
    )
    .option("--port <port>", "where the supervisor serves (0: any free port)", integer(0, 65_535), 0)
    .option("--log-level <level>", "of the nodes", oneOf("debug", "info", "warn", "error", "silent"), "info")
    .addHelpText(
      "after",
      "\nLogs are node<N>/node.log and supervisor.log in the directory; one over 8 MiB becomes NAME.1, and NAME.1 NAME.2; three old ones are kept.\n\nExample:\n  cumulo cluster up --nodes 5 --topology ring --mine\n  cumulo cluster up --mine --prune 1000",
    )
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
