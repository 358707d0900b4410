import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../client/index.ts";
import { makePrivateDirectory } from "../files/index.ts";
import { ClusterError } from "./errors.ts";
import { type ProcessId, processStart, waitUntil } from "./processes.ts";

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
}

/** A node as a child of this process. */
export interface NodeProcess {
  readonly n: number;
  readonly dataDir: string;
  readonly child: ChildProcess;
  readonly id: ProcessId;
  /** Undefined while it runs. */
  exit(): { readonly code: number | null; readonly signal: string | null } | undefined;
}

export interface NodeAddress {
  readonly api: string;
  readonly peer: string;
  readonly multiaddrs: readonly string[];
}

/** From process start to a first answer; generous, because replaying a long chain may come first. */
const READY_MS = 60_000;

/**
 * Starts `node start` as a child. The channel (ipc) carries no messages: when this process dies, even by kill -9, the
 * channel closes and the node stops itself, so no orphan is left.
 */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  const { n, dataDir } = options;
  await makePrivateDirectory(dataDir);
  // A note of an earlier run must not be taken for this one's.
  await rm(join(dataDir, "node.json"), { force: true });
  const [program = process.execPath, ...before] = options.command;
  const args = ["node", "start", "--data", dataDir, "--genesis", options.genesisFile, "--api", "127.0.0.1:0"];
  args.push(
    "--listen",
    "/ip4/127.0.0.1/tcp/0",
    "--miners",
    String(options.miners),
    "--log-level",
    options.logLevel,
  );
  if (options.mine) args.push("--mine");
  const log = openSync(join(dataDir, "node.log"), "a", 0o600);
  const child = spawn(program, [...before, ...args], { stdio: ["ignore", log, log, "ipc"] });
  closeSync(log);
  let ended: { code: number | null; signal: string | null } | undefined;
  child.on("exit", (code, signal) => {
    ended = { code, signal };
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.on("error", () => {});
  const pid = child.pid as number;
  const started = (await processStart(pid)) ?? "ended";
  return { n, dataDir, child, id: { pid, started }, exit: () => ended };
}

/** Enough for a line of any error. */
const LAST_WORDS_BYTES = 64 * 1024;

/** The last bytes of a file, however long it has grown. */
async function readEnd(file: string, bytes: number): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, Math.max(0, size - bytes));
    return buffer.subarray(0, bytesRead).toString("utf8");
  } finally {
    await handle.close();
  }
}

/** The last line a node wrote, which says why it ended. */
async function lastWords(dataDir: string): Promise<string> {
  const text = await readEnd(join(dataDir, "node.log"), LAST_WORDS_BYTES).catch(() => "");
  const last = text.trimEnd().split("\n").at(-1) ?? "";
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
  const message = `node ${node.n} did not answer within ${READY_MS / 1_000} s; its log is ${join(node.dataDir, "node.log")}`;
  throw new ClusterError("CLUSTER_START_FAILED", message);
}
