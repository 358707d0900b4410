import { type Command, InvalidArgumentError } from "commander";
import type { AttackRole } from "../../../api/index.ts";
import type { NodeSnapshot } from "../../../cluster/index.ts";
import { CliError, EXIT, usageError } from "../../failure.ts";
import { formatDuration, printJson, printLine, style, withProgress } from "../../output.ts";
import { ATTACK_ROLES, collect, integer, oneOf, path } from "../../values.ts";
import { dirFlag, headsTable, inDirectory, MAX_NODES, type Options, open } from "./shared.ts";

interface UpOptions extends Options {
  readonly nodes?: number;
  readonly topology?: string;
  readonly genesis?: string;
  readonly mine?: boolean;
  readonly port: number;
  readonly logLevel: string;
  readonly prune?: number;
  readonly attack?: readonly GivenAttack[];
}

/** One `--attack`: N=ROLE, or "none". */
type GivenAttack = readonly [node: number, role: AttackRole] | "none";

function attackOf(text: string): GivenAttack {
  if (text === "none") return text;
  const [n = "", role = "", ...more] = text.split("=");
  const found = ATTACK_ROLES.find((one) => one === role);
  const isNode = /^[1-9]\d?$/.test(n) && Number(n) <= MAX_NODES;
  if (isNode && found !== undefined && more.length === 0) return [Number(n), found];
  throw new InvalidArgumentError(
    `It must be a node and its part, such as 3=withhold, or none; the parts are ${ATTACK_ROLES.join(", ")}.`,
  );
}

/** Undefined where the command says nothing of attacks. */
function attacksOf(given: readonly GivenAttack[] | undefined): Record<number, AttackRole> | undefined {
  if (given === undefined) return undefined;
  const attacks: Record<number, AttackRole> = {};
  for (const one of given) {
    if (one === "none") {
      if (given.length > 1) throw usageError("--attack none says that all nodes are honest; give it alone");
      continue;
    }
    const [n, role] = one;
    if (attacks[n] !== undefined) throw usageError(`--attack gives node ${n} two parts`);
    attacks[n] = role;
  }
  return attacks;
}

async function up(options: UpOptions): Promise<void> {
  const attacks = attacksOf(options.attack);
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
      ...(attacks === undefined ? {} : { attacks }),
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
  const nodes = await cluster.snapshot();
  printLine(await headsTable(nodes));
  tellAttacks(nodes);
  printLine(`\nsee it in a browser: cumulo dashboard${dirFlag(options)}`);
  printLine(`all nodes at ${cluster.url}; end it with: cumulo cluster down${dirFlag(options)}`);
}

function tellAttacks(nodes: readonly NodeSnapshot[]): void {
  for (const { n, attack } of nodes)
    if (attack !== null) printLine(style("red", `node ${n} attacks the others: ${attack}`));
}

async function status(options: Options): Promise<void> {
  const { formatGroups, formatShape, formatSplit, groupsOf, isTied } = await import(
    "../../../cluster/index.ts"
  );
  const cluster = await open(options);
  const nodes = await cluster.snapshot();
  const groups = groupsOf(nodes);
  const { split, links, healings } = await cluster.info();
  if (options.json) {
    const { url, directory } = cluster;
    return printJson({ url, directory, groups, split, links, healings, nodes });
  }
  printLine(await headsTable(nodes));
  tellAttacks(nodes);
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
  const until = (ms: number | null) => (ms === null ? "" : `, for ${formatDuration(ms - Date.now())} more`);
  if (split !== null)
    printLine(style("yellow", `split: ${formatSplit(split, " / ")}${until(split.untilMs)}`));
  else if (groups.length > 1) printLine(style("yellow", `split: ${formatGroups(groups, " / ")}`));
  for (const { from, to, shape, untilMs } of links)
    printLine(style("yellow", `link ${from}->${to}: ${formatShape(shape)}${until(untilMs)}`));
  const healed = healings.at(-1);
  if (healed !== undefined)
    printLine(
      healed.timeMs === null
        ? "not converged since the last heal"
        : `converged ${formatDuration(healed.timeMs)} after the last heal`,
    );
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
      "--attack <n=role>",
      `node N attacks the others, as one of ${ATTACK_ROLES.join(", ")}; may be given several times; none: all are honest (default: as last time)`,
      collect(attackOf),
    )
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
