import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { access, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createWhole,
  fileProblem,
  makePrivateDirectory,
  readBounded,
  removeDirectories,
} from "../files/index.ts";
import {
  type ChainSpec,
  equalBytes,
  MAX_GENESIS_BYTES,
  parseGenesis,
  specFromJson,
  specRoot,
  specToJson,
} from "../primitives/index.ts";
import { busy, isMarked, lockBriefly, markDirectory, type Unlock } from "./claim.ts";
import { isOwnName, isTrifle, LOCK_FILE, MARK_FILE, readClusterFile } from "./cluster-file.ts";
import { stopCluster } from "./down.ts";
import { ClusterError, type ClusterErrorCode, hint } from "./errors.ts";
import { openLog, supervisorLogOf } from "./log-file.ts";
import { endProcess, isAlive, type ProcessId, processStart } from "./processes.ts";
import type { SupervisorOptions } from "./supervisor.ts";
import type { SupervisorMessage } from "./supervisor-main.ts";
import { portError, SUPERVISOR_HOST } from "./supervisor-server.ts";
import { type Attacks, chooseTopology, keepTopology, TOPOLOGY_FILE, type Topology } from "./topology.ts";

export interface ClusterOptions {
  /** Holds cluster.json, genesis.json and node1, node2, ...; made if missing. */
  readonly directory: string;
  /** 1 to `MAX_NODES`; default: as many as in the directory's last start, or 3. */
  readonly nodes?: number;
  /** full, line, ring, star, or a JSON file of nodes and links; default: that of the directory's last start, or full. */
  readonly topology?: string;
  /** Default: the directory's own genesis.json, made anew (10 bits, reward 50) for a new cluster. */
  readonly genesisFile?: string;
  /** The parts that nodes play in attacks; default: those of the directory's last start. */
  readonly attacks?: Attacks;
  readonly mine?: boolean;
  readonly logLevel?: string;
  /** All nodes delete the data of blocks so far below the head; default: they keep all. */
  readonly pruneDepth?: number;
  /** Nodes that do not start with the others, but with their first restart. */
  readonly late?: readonly number[];
  /** Where the supervisor serves; 0 (default): any free port. */
  readonly port?: number;
  /** Program and arguments before "node start"; default: this checkout's command line. */
  readonly command?: readonly string[];
  /** Aborting before the cluster runs ends what was started. */
  readonly signal?: AbortSignal;
}

const CLI_MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
/**
 * Not our own process.execArgv: a debugger's or test runner's flags are not meant for what we start. V8 keeps up to 64 MiB
 * for young objects in each process, which ten idle nodes never give back: with 4 MiB a half, they take a quarter less.
 */
const NODE_ARGUMENTS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=4"];
/** Starting all nodes and connecting them, at most. */
const UP_MS = 120_000;
/** A supervisor that is told to stop ends its nodes first. */
const STOP_GRACE_MS = 10_000;

async function readGenesis(
  file: string,
  invalid: ClusterErrorCode = "CLUSTER_START_FAILED",
): Promise<ChainSpec> {
  const text = await readBounded(file, MAX_GENESIS_BYTES).catch((error: NodeJS.ErrnoException) => {
    throw new ClusterError(
      "CLUSTER_START_FAILED",
      `cannot read the genesis file ${file}: ${fileProblem(error)}`,
    );
  });
  const parsed = parseGenesis(text);
  if (!parsed.ok) throw new ClusterError(invalid, `${file}: ${parsed.problem}`);
  return parsed.spec;
}

const genesisFileOf = (directory: string): string => join(directory, "genesis.json");

/** Whether the directory has its network already; fails where that is another than the one wanted. */
async function hasGenesis(directory: string, wanted: ChainSpec | undefined): Promise<boolean> {
  const own = genesisFileOf(directory);
  const isThere = await access(own).then(
    () => true,
    () => false,
  );
  if (!isThere) return false;
  const present = await readGenesis(own);
  if (wanted === undefined || equalBytes(specRoot(present), specRoot(wanted))) return true;
  const message = `${directory} holds a cluster of another network; choose another --dir DIR, or remove it with ${hint("down --purge", directory)}`;
  throw new ClusterError("CLUSTER_START_FAILED", message);
}

/**
 * Keeps the network's rules in the directory's genesis.json: given, found from an earlier `up`, or made with a salt, so
 * that no two clusters meet.
 */
async function keepGenesis(directory: string, wanted: ChainSpec | undefined): Promise<readonly string[]> {
  if (await hasGenesis(directory, wanted)) return [];
  const made = specFromJson({
    name: "cluster",
    genesisTimestampMs: Date.now(),
    salt: randomBytes(16).toString("hex"),
  });
  if (!made.ok) throw new Error(`the built-in cluster spec is wrong: ${made.problem}`);
  const text = `${JSON.stringify(specToJson(wanted ?? made.spec), undefined, 2)}\n`;
  await createWhole(genesisFileOf(directory), text, 0o644);
  return [genesisFileOf(directory)];
}

/** Opens the supervisor's log to write after what it holds. */
function openOwnLog(file: string): number {
  try {
    return openLog(file);
  } catch (error) {
    const message = `cannot write ${file}: ${fileProblem(error)}; move it away, or choose another --dir DIR`;
    throw new ClusterError("CLUSTER_START_FAILED", message, { cause: error });
  }
}

/** Takes away what a refused start made; the marks stay where somebody else has put something beside them meanwhile. */
async function takeAway(directory: string, made: readonly string[]): Promise<void> {
  const isMade = (name: string): boolean => made.includes(join(directory, name));
  const names = await readdir(directory).catch((): string[] => []);
  const isShared = names.some((name) => !isTrifle(name) && !isMade(name));
  const stays = (file: string): boolean => isShared && [MARK_FILE, LOCK_FILE].includes(basename(file));
  for (const file of made.toReversed()) if (!stays(file)) await rm(file, { force: true });
}

/**
 * Makes in the directory what its supervisor needs, and opens the supervisor's log; under the lock, so that what is made
 * is nobody else's and can be taken away again where it is refused.
 */
async function prepare(
  directory: string,
  wanted: { readonly spec: ChainSpec | undefined; readonly topology: Topology },
  log: string,
): Promise<number> {
  const directories = await makePrivateDirectory(directory).catch((error: unknown) => {
    throw unusable(directory, error);
  });
  const made: string[] = [];
  let unlock: Unlock | undefined;
  try {
    const marks = await markDirectory(directory);
    made.push(...marks);
    unlock = await lockBriefly(directory);
    await refuseRunning(directory);
    // Whoever had the lock has removed what was here.
    if (!(await isMarked(directory))) throw busy(directory);
    made.push(...(await keepGenesis(directory, wanted.spec)));
    const output = openOwnLog(log);
    await keepTopology(directory, wanted.topology).catch((error: unknown) => {
      closeSync(output);
      const file = join(directory, TOPOLOGY_FILE);
      throw new ClusterError("CLUSTER_START_FAILED", `cannot write ${file}: ${fileProblem(error)}`);
    });
    return output;
  } catch (error) {
    // Another `up` that has the directory now works by the marks that this one made.
    if ((error as ClusterError).code !== "CLUSTER_RUNNING") await takeAway(directory, made);
    await removeDirectories(directories);
    throw error;
  } finally {
    unlock?.();
  }
}

async function refuseRunning(directory: string): Promise<void> {
  const other = await readClusterFile(directory);
  if (other === undefined || !(await isAlive(other.supervisor))) return;
  const message = `a cluster runs in ${directory} already (${other.nodes.length} nodes); end it with ${hint("down", directory)}, or choose another --dir DIR`;
  throw new ClusterError("CLUSTER_RUNNING", message);
}

/**
 * A directory that is not empty must be a cluster's own: what it holds is written into, and removed by a purge. Settles
 * with whether nothing is in it yet.
 */
async function refuseForeign(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw unusable(directory, error);
  });
  const found = names.filter((name) => !isTrifle(name));
  // A node's directory has a genesis.json and keys too: only the mark that `up` makes first tells them apart.
  const isCluster = found.every(isOwnName) && (await isMarked(directory));
  if (found.length === 0 || isCluster) return found.length === 0;
  const foreign = found.find((name) => !isOwnName(name)) ?? found[0];
  const message = `${directory} holds other files (${foreign}); choose a new or empty --dir DIR`;
  throw new ClusterError("CLUSTER_START_FAILED", message);
}

function unusable(directory: string, error: unknown): ClusterError {
  const message = `cannot use ${directory} as a cluster's directory: ${fileProblem(error, "none can be made there")}; choose another --dir DIR`;
  return new ClusterError("CLUSTER_START_FAILED", message, { cause: error });
}

/** Tried before anything is written or started, as most often it would fail then, and only after all nodes run. */
async function refuseBusyPort(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((done, reject) => {
    server.once("error", (error) => reject(portError(port, error)));
    server.listen({ host: SUPERVISOR_HOST, port }, () => server.close(() => done()));
  });
}

/** Waits for the supervisor's word; rejects when it ends, is late, or the caller aborts. */
function firstMessage(
  child: ReturnType<typeof spawn>,
  log: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolvePromise, reject) => {
    const failed = (message: string) => reject(new ClusterError("CLUSTER_START_FAILED", message));
    const timer = setTimeout(
      () => failed(`the cluster did not start within ${UP_MS / 1_000} s; see ${log}`),
      UP_MS,
    );
    const onAbort = () => reject(signal?.reason);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    child.once("message", (message: SupervisorMessage) =>
      end(() => {
        if (message.type === "running") resolvePromise(message.url);
        else reject(new ClusterError(message.code as ClusterErrorCode, message.message));
      }),
    );
    child.once("error", (error) => end(() => failed(`cannot start the supervisor: ${error.message}`)));
    child.once("exit", () => end(() => failed(`the supervisor ended before the cluster ran; see ${log}`)));
  });
}

/**
 * Starts a cluster and settles with its supervisor's URL once all nodes answer and are connected. The supervisor goes
 * on by itself. Fails with a `ClusterError`, or the signal's reason, and then leaves no process behind.
 */
export async function startCluster(
  options: ClusterOptions,
): Promise<{ readonly url: string; readonly directory: string }> {
  const directory = resolve(options.directory);
  const wanted =
    options.genesisFile === undefined
      ? undefined
      : await readGenesis(resolve(options.genesisFile), "CLUSTER_GENESIS_INVALID");
  const port = options.port ?? 0;
  // Everything that refuses comes before everything that writes.
  const isNew = await refuseForeign(directory);
  const topology = await chooseTopology(directory, options);
  await refuseRunning(directory);
  await hasGenesis(directory, wanted);
  await refuseBusyPort(port);
  options.signal?.throwIfAborted();
  const log = supervisorLogOf(directory);
  const output = await prepare(directory, { spec: wanted, topology }, log);
  const supervisorOptions: SupervisorOptions = {
    directory,
    topology,
    genesisFile: genesisFileOf(directory),
    mine: options.mine === true,
    command: options.command ?? [process.execPath, ...NODE_ARGUMENTS, CLI_MAIN],
    logLevel: options.logLevel ?? "info",
    ...(options.pruneDepth === undefined ? {} : { pruneDepth: options.pruneDepth }),
    ...(options.late === undefined ? {} : { late: options.late }),
    port,
  };
  const main = fileURLToPath(new URL("./supervisor-main.ts", import.meta.url));
  // Detached: it has a session of its own, so that Ctrl-C in this terminal does not reach it once it runs.
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, main, JSON.stringify(supervisorOptions)], {
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
  });
  closeSync(output);
  const started = child.pid === undefined ? undefined : await processStart(child.pid).catch(() => undefined);
  try {
    const url = await firstMessage(child, log, options.signal);
    await new Promise<void>((done, reject) =>
      child.send("release", (error) => (error === null ? done() : reject(error))),
    );
    return { url, directory };
  } catch (error) {
    if (child.pid !== undefined && started !== undefined)
      await clearFailed(directory, { pid: child.pid, started }, isNew && options.signal?.aborted === true);
    throw error;
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/**
 * Ends a supervisor whose start failed, and what it left if it could not tidy up itself. After a failure the directory
 * stays, as the logs in it tell more; one that was new, and nobody wants any more, goes.
 */
async function clearFailed(directory: string, supervisor: ProcessId, isUnwanted: boolean): Promise<void> {
  await endProcess(supervisor, STOP_GRACE_MS);
  const left = await readClusterFile(directory).catch(() => undefined);
  // Somebody else's, who was faster.
  if (left !== undefined && left.supervisor.pid !== supervisor.pid) return;
  if (left === undefined && !isUnwanted) return;
  await stopCluster(directory, { purge: isUnwanted }).catch(() => {});
}
