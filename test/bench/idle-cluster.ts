import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cpuMs, memoryMiB } from "./processes.ts";

const WRAPPER = fileURLToPath(new URL("../../scripts/cumulo", import.meta.url));
const run = promisify(execFile);
const COMMAND_MS = 60_000;
/** After the start, until compiling and connecting are over. */
const SETTLE_MS = 5_000;

export interface IdleClusterResult {
  /** CPU of all nodes and their supervisor, percent of one core. */
  readonly percent: number;
  /** Their resident memory; pages that several of them share count for each. */
  readonly rssMiB: number;
}

/** A cluster of `nodes`, started as a person would, that has nothing to do. */
export async function measureIdleCluster(nodes: number, forMs: number): Promise<IdleClusterResult> {
  const parent = await mkdtemp(join(tmpdir(), "cumulo-bench-"));
  const directory = join(parent, "cluster");
  const cluster = (command: string, ...args: string[]) =>
    run(WRAPPER, ["cluster", command, "--dir", directory, ...args], { timeout: COMMAND_MS });
  try {
    await cluster("up", "--nodes", String(nodes));
    const file = JSON.parse(await readFile(join(directory, "cluster.json"), "utf8")) as {
      readonly supervisor: { readonly pid: number };
      readonly nodes: readonly { readonly process: { readonly pid: number } }[];
    };
    const pids = [file.supervisor.pid, ...file.nodes.map(({ process }) => process.pid)];
    if (pids.length !== nodes + 1) throw new Error(`${pids.length} processes, not ${nodes + 1}`);
    const cpu = async (): Promise<number> =>
      (await Promise.all(pids.map(cpuMs))).reduce((sum, ms) => sum + ms, 0);
    await pause(SETTLE_MS);
    const before = await cpu();
    await pause(forMs);
    const percent = ((await cpu()) - before) / (forMs / 100);
    const memory = await Promise.all(pids.map((pid) => memoryMiB(pid, "VmRSS")));
    return { percent, rssMiB: memory.reduce((sum, mib) => sum + mib, 0) };
  } finally {
    await cluster("down", "--purge").catch(() => {});
    await rm(parent, { recursive: true, force: true });
  }
}
