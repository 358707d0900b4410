import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { AttackRole } from "../../api/index.ts";
import {
  createWhole,
  fileProblem,
  makePrivateDirectory,
  readBounded,
  removeDirectories,
} from "../../files/index.ts";
import type { JsonOption } from "../connection.ts";
import { EXIT, failure, onLostOutput, usageError } from "../failure.ts";
import { printJson, printLine, shellWord, style } from "../output.ts";
import { ATTACK_ROLES, collect, hashRate, hostPort, integer, multiaddr, oneOf, path } from "../values.ts";

interface InitOptions extends JsonOption {
  readonly data: string;
  readonly genesis?: string;
}

interface StartOptions extends InitOptions {
  readonly listen?: readonly string[];
  readonly announce?: readonly string[];
  readonly api: { readonly host: string; readonly port: number };
  readonly apiRead: "open" | "token";
  readonly tokenFile?: string;
  readonly peer?: readonly string[];
  readonly exchange: "on" | "off";
  readonly mdns?: boolean;
  readonly maxOutbound?: number;
  readonly maxInbound?: number;
  readonly maxInboundPerIp?: number;
  readonly mine?: boolean;
  readonly history: boolean;
  readonly timeline: boolean;
  readonly prune?: number;
  readonly hashRate?: number;
  readonly rewardTo?: string;
  readonly logLevel: string;
  readonly miners?: number;
  readonly attack?: AttackRole;
}

/** Where a node listens unless told otherwise: this machine only, any free port. */
const DEFAULT_LISTEN = "/ip4/127.0.0.1/tcp/0";
const DEFAULT_API = "127.0.0.1:7070";
/** A clean stop takes at most this long; then the process ends anyway, and the next start recovers. */
const STOP_MS = 5_000;
/** One request may come as two signals, say from `timeout`, which sends its own to the process and to its group. */
const SAME_SIGNAL_MS = 500;

async function readGenesis(file: string): Promise<string> {
  const { MAX_GENESIS_BYTES, parseGenesis, specToJson } = await import("../../primitives/index.ts");
  let text: string;
  try {
    text = await readBounded(file, MAX_GENESIS_BYTES);
  } catch (error) {
    throw failure("FILE_UNREADABLE", `cannot read the genesis file ${file}: ${fileProblem(error)}`);
  }
  const parsed = parseGenesis(text);
  if (!parsed.ok) throw usageError(`${file}: ${parsed.problem}`);
  return `${JSON.stringify(specToJson(parsed.spec), undefined, 2)}\n`;
}

async function init({ data, genesis, json }: InitOptions): Promise<void> {
  const { devnetSpec, specToJson } = await import("../../primitives/index.ts");
  const text =
    genesis === undefined
      ? `${JSON.stringify(specToJson(devnetSpec()), undefined, 2)}\n`
      : await readGenesis(genesis);
  const file = join(data, "genesis.json");
  const made = await makePrivateDirectory(data).catch((error: unknown) => {
    throw failure(
      "FILE_UNWRITABLE",
      `cannot make ${data}: ${fileProblem(error, "no directory can be made there")}; choose another --data DIR`,
    );
  });
  try {
    if ((await readdir(data)).length > 0) throw Object.assign(new Error("not empty"), { code: "EEXIST" });
    await createWhole(file, text);
  } catch (error) {
    await removeDirectories(made);
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw failure(
        "DATA_EXISTS",
        `${data} is a node's directory, or has other files in it; choose another --data DIR`,
      );
    throw failure(
      "FILE_UNWRITABLE",
      `cannot write ${file}: ${fileProblem(error)}; choose another --data DIR`,
    );
  }
  const { name } = JSON.parse(text) as { name: string };
  if (json) printJson({ data, genesis: file, network: name });
  else
    printLine(`made ${data} for network ${name}; start it with: cumulo node start --data ${shellWord(data)}`);
}

/** Stops on the first SIGTERM, SIGINT, SIGHUP (its terminal was closed) or loss of the parent's channel, and at once on a later one. */
function stopOnSignals(stop: () => Promise<void>): void {
  let askedMs: number | undefined;
  const stopOnce = (): void => {
    if (askedMs !== undefined) return;
    askedMs = performance.now();
    setTimeout(() => process.exit(EXIT.failed), STOP_MS).unref();
    stop().catch(() => process.exit(EXIT.failed));
  };
  const onSignal = (): void => {
    if (askedMs !== undefined && performance.now() - askedMs > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    stopOnce();
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, onSignal);
  // A supervisor that dies takes its channel with it, even by kill -9: then we are orphans and stop. Our own leaving of
  // the channel at the end comes here too, and is no second request.
  if (process.channel !== undefined) process.once("disconnect", stopOnce);
}

async function start(options: StartOptions): Promise<void> {
  if (options.hashRate !== undefined && !options.mine) throw usageError("--hash-rate needs --mine");
  if (options.genesis !== undefined) await readGenesis(options.genesis);
  if (options.rewardTo !== undefined) {
    const { addressKey } = await import("../amounts.ts");
    addressKey("--reward-to", options.rewardTo);
  }
  const { startNode } = await import("../../node/index.ts");
  // Until the node stands, a signal simply ends the process: nothing is held that a crash could not leave as well. So does
  // the end of the parent's channel, which may be gone already.
  const hasParent = process.send !== undefined;
  const orphaned = (): never => process.exit(EXIT.failed);
  process.once("disconnect", orphaned);
  if (hasParent && !process.connected) orphaned();
  const starting = startNode({
    dataDir: options.data,
    listen: [...(options.listen ?? [DEFAULT_LISTEN])],
    announce: [...(options.announce ?? [])],
    api: options.api,
    apiRead: options.apiRead,
    peers: [...(options.peer ?? [])],
    exchange: options.exchange === "on",
    mdns: options.mdns === true,
    mine: options.mine === true,
    history: options.history,
    timeline: options.timeline,
    logLevel: options.logLevel,
    ...(options.genesis === undefined ? {} : { genesisFile: options.genesis }),
    ...(options.tokenFile === undefined ? {} : { tokenFile: options.tokenFile }),
    ...(options.hashRate === undefined ? {} : { hashRate: options.hashRate }),
    ...(options.rewardTo === undefined ? {} : { rewardTo: options.rewardTo }),
    ...(options.maxOutbound === undefined ? {} : { maxOutbound: options.maxOutbound }),
    ...(options.maxInbound === undefined ? {} : { maxInbound: options.maxInbound }),
    ...(options.maxInboundPerIp === undefined ? {} : { maxInboundPerIp: options.maxInboundPerIp }),
    ...(options.prune === undefined ? {} : { pruneDepth: options.prune }),
    ...(options.miners === undefined ? {} : { miners: options.miners }),
    ...(options.attack === undefined ? {} : { attack: options.attack }),
    // Once the API answers the node counts as ready, though its last file may still be on the way to the disk.
    onServing() {
      process.off("disconnect", orphaned);
      stopOnSignals(async () => (await starting).stop());
    },
  });
  const node = await starting;
  // A node that runs does not end because nobody reads these lines.
  onLostOutput(() => {});
  const { api, multiaddrs, dataDir } = node;
  if (options.json) printJson({ pid: process.pid, api, multiaddrs, data: dataDir });
  else {
    printLine(`node runs: API ${api}, data ${dataDir}`);
    if (options.attack !== undefined)
      printLine(style("red", `it ATTACKS its peers (${options.attack}): for test networks of your own only`));
    for (const address of multiaddrs) printLine(`listens on ${address}`);
    // A cluster has one page for all its nodes.
    if (!hasParent) printLine(`see it in a browser: cumulo dashboard --data ${shellWord(dataDir)}`);
  }
  await node.done;
  if (process.connected) process.disconnect();
}

export function addNode(program: Command): void {
  const node = program.command("node").description("a node on this machine");
  node
    .command("init")
    .description("make a data directory for a network")
    .requiredOption("--data <dir>", "the directory to make", path)
    .option("--genesis <file>", "the network's rules (default: the built-in devnet)", path)
    .addHelpText("after", "\nExample:\n  cumulo node init --data ./node1 --genesis genesis.json")
    .action(init);
  node
    .command("start")
    .description("run a node until it is interrupted")
    .requiredOption("--data <dir>", "its data directory; made if missing", path)
    .option(
      "--genesis <file>",
      "the network's rules (default: those in the directory, else the built-in devnet)",
      path,
    )
    .option(
      "--listen <multiaddr>",
      `where peers reach it; may be given several times (default: ${DEFAULT_LISTEN})`,
      collect(multiaddr),
    )
    .option(
      "--announce <multiaddr>",
      "address to tell peers instead; may be given several times",
      collect(multiaddr),
    )
    .addOption(
      new Option("--api <host:port>", "where the HTTP API is served (port 0: any free one)")
        .argParser(hostPort)
        .default(hostPort(DEFAULT_API), DEFAULT_API),
    )
    .option(
      "--api-read <who>",
      "open: reading needs no token on any address; token: only on loopback",
      oneOf("open", "token"),
      "token",
    )
    .option(
      "--token-file <file>",
      "the API's bearer token (default: api-token in the directory, made if missing)",
      path,
    )
    .option("--peer <multiaddr>", "a peer to keep connected; may be given several times", collect(multiaddr))
    .option(
      "--exchange <on|off>",
      "ask peers for others and dial them, and tell others",
      oneOf("on", "off"),
      "on",
    )
    .option("--mdns", "find nodes of this chain on the local network by multicast DNS, and be found by them")
    .option("--max-outbound <n>", "dial known peers up to so many connections (default: 8)", integer(0, 512))
    .option(
      "--max-inbound <n>",
      "connections of peers that are not configured (default: 128)",
      integer(0, 4_096),
    )
    .option(
      "--max-inbound-per-ip <n>",
      "of them, from one public IPv4 address or IPv6 /64 (default: 16)",
      integer(1, 4_096),
    )
    .option("--mine", "mine continuously")
    .option("--no-history", "keep no index of what happened to each account")
    .option("--no-timeline", "keep no record of when blocks, heads, reorgs and peers came")
    .option(
      "--prune <depth>",
      "delete the data of blocks further below the head, at least 288; cannot be taken back (default: keep all)",
      integer(288, Number.MAX_SAFE_INTEGER),
    )
    .option(
      "--hash-rate <n>",
      "tries a second (default: this node's share of one block an interval)",
      hashRate,
    )
    .option("--miners <n>", "miners that share the interval, for the default hash rate", integer(1, 10_000))
    .option("--reward-to <address>", "where rewards go (default: a key made in the directory)")
    .option(
      "--attack <role>",
      `test networks of your own only: attack the peers, as one of ${ATTACK_ROLES.join(", ")} (docs/attacks.md)`,
      oneOf(...ATTACK_ROLES),
    )
    .option(
      "--log-level <level>",
      "debug, info, warn, error or silent",
      oneOf("debug", "info", "warn", "error", "silent"),
      "info",
    )
    .addHelpText(
      "after",
      "\nExample:\n  cumulo node start --data ./node2 --api 127.0.0.1:7071 --peer /ip4/127.0.0.1/tcp/4001 --mine\n  cumulo node start --data ./node3 --prune 10000",
    )
    .action(start);
}
