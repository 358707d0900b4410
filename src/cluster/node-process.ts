import { type ChildProcess, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AttackRole } from "../api/index.ts";
import { createClient } from "../client/index.ts";
import { makePrivateDirectory } from "../files/index.ts";
import { ClusterError } from "./errors.ts";
import { createLogWriter, readLogEnd } from "./log-file.ts";
import { type ProcessId, processStart, sleep, waitUntil } from "./processes.ts";

export interface NodeProcessOptions {
  readonly n: number;
  /** Program and arguments before "node start". */
  readonly command: readonly string[];
  readonly dataDir: string;
  readonly genesisFile: string;
  readonly mine: boolean;
  /** Nodes that share the mining interval. */
  readonly miners: number;
  readonly logLevel: string;
  /** Absent: it keeps all blocks. */
  readonly pruneDepth?: number;
  /** The part that it plays in an attack; absent: it is honest. */
  readonly attack?: AttackRole;
  /** HOST:PORT of its API, and where peers reach it; default: 127.0.0.1, any free port. */
  readonly api?: string;
  readonly listen?: string;
}

export interface NodeExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A node as a child of this process. */
export interface NodeProcess {
  readonly n: number;
  readonly dataDir: string;
  readonly child: ChildProcess;
  readonly id: ProcessId;
  /** Undefined while it runs. */
  exit(): NodeExit | undefined;
  /** Settles when it has ended. */
  readonly ended: Promise<NodeExit>;
}

export interface NodeAddress {
  readonly api: string;
  readonly peer: string;
  readonly multiaddrs: readonly string[];
}

/** What a node writes on both of its outputs. */
export const nodeLogOf = (dataDir: string): string => join(dataDir, "node.log");

/** What an ended node wrote last is read for so long; somebody that it started may still have its output. */
const LAST_WORDS_MS = 500;
/** From process start to a first answer; generous, because replaying a long chain may come first. */
const READY_MS = 60_000;

/**
 * Starts `node start` as a child. The channel (ipc) carries no messages: when this process dies, even by kill -9, the
 * channel closes and the node stops itself, so no orphan is left. What it writes comes through pipes, as only so its log
 * can be put aside while it runs; `onLostLog` is told where that cannot be written.
 */
export async function startNodeProcess(
  options: NodeProcessOptions,
  onLostLog: (error: unknown) => void,
): Promise<NodeProcess> {
  const { n, dataDir } = options;
  await makePrivateDirectory(dataDir);
  // A note of an earlier run must not be taken for this one's.
  await rm(join(dataDir, "node.json"), { force: true });
  const [program = process.execPath, ...before] = options.command;
  const { api = "127.0.0.1:0", listen = "/ip4/127.0.0.1/tcp/0", genesisFile, logLevel } = options;
  const args = ["node", "start", "--data", dataDir, "--genesis", genesisFile, "--api", api];
  args.push("--listen", listen, "--miners", String(options.miners), "--log-level", logLevel);
  // Its links are what the topology says, and no others.
  args.push("--exchange", "off");
  if (options.mine) args.push("--mine");
  if (options.pruneDepth !== undefined) args.push("--prune", String(options.pruneDepth));
  if (options.attack !== undefined) args.push("--attack", options.attack);
  const log = createLogWriter(nodeLogOf(dataDir), onLostLog);
  const child = spawn(program, [...before, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  for (const stream of [child.stdout, child.stderr]) if (stream !== null) log.follow(stream);
  let exit: NodeExit | undefined;
  const closed = new Promise((resolve) => child.on("close", resolve));
  const ended = new Promise<NodeExit>((resolve) => {
    child.on("exit", async (code, signal) => {
      await Promise.race([closed, sleep(LAST_WORDS_MS)]);
      log.close();
      exit = { code, signal };
      resolve(exit);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      log.close();
      reject(error);
    });
  });
  child.on("error", () => {});
  const pid = child.pid as number;
  const started = (await processStart(pid)) ?? "ended";
  return { n, dataDir, child, id: { pid, started }, exit: () => exit, ended };
}

/** The last line a node wrote, which says why it ended. */
export async function lastWords(dataDir: string): Promise<string> {
  const page = await readLogEnd(nodeLogOf(dataDir), 1).catch(() => undefined);
  const last = page?.items[0] ?? "";
  return last.replace(/^cumulo: /, "").slice(0, 300) || "it wrote nothing";
}

async function readAddress({
  dataDir,
  id,
}: NodeProcess): Promise<{ api: string; multiaddrs: string[] } | undefined> {
  try {
    const note = JSON.parse(await readFile(join(dataDir, "node.json"), "utf8")) as Record<string, unknown>;
    if (note["pid"] !== id.pid) return undefined;
    return { api: String(note["api"]), multiaddrs: note["multiaddrs"] as string[] };
  } catch {
    return undefined;
  }
}

/** Waits until the node answers. Fails with a `ClusterError` that quotes its last words when it ends before. */
export async function waitForNode(node: NodeProcess, signal: AbortSignal): Promise<NodeAddress> {
  let address: NodeAddress | undefined;
  const ready = async (): Promise<boolean> => {
    signal.throwIfAborted();
    if (node.exit() !== undefined) {
      const message = `node ${node.n} did not start: ${await lastWords(node.dataDir)}`;
      throw new ClusterError("CLUSTER_START_FAILED", message);
    }
    const note = await readAddress(node);
    if (note === undefined) return false;
    try {
      const status = await createClient({ url: note.api, timeoutMs: 2_000 }).status();
      address = { ...note, peer: status.node.peer };
      return true;
    } catch {
      return false;
    }
  };
  if ((await waitUntil(ready, READY_MS)) && address !== undefined) return address;
  const message = `node ${node.n} did not answer within ${READY_MS / 1_000} s; its log is ${nodeLogOf(node.dataDir)}`;
  throw new ClusterError("CLUSTER_START_FAILED", message);
}
