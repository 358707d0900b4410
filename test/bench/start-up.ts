import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createLab, type Daemon, poll } from "../support/daemon.ts";
import { cpuMs, memoryMiB } from "./processes.ts";

const WRAPPER = fileURLToPath(new URL("../../scripts/cumulo", import.meta.url));
/** How long a node rests before its memory is read. */
const IDLE_MS = 10_000;

export interface StartResult {
  /** From the start of `scripts/cumulo node start` to the first answer of /v1/status; one per run. */
  readonly readyMs: readonly number[];
  /** Resident memory, 10 s later, with nothing to do. */
  readonly idleRssMiB: number;
}

/** Starts a node as a person would, and asks until it answers. */
export async function measureStart(runs: number): Promise<StartResult> {
  const lab = createLab();
  const readyMs: number[] = [];
  let idleRssMiB = 0;
  try {
    for (let run = 0; run <= runs; run++) {
      const dataDir = await lab.directory();
      const startMs = performance.now();
      const args = ["node", "start", "--data", dataDir, "--api", "127.0.0.1:0", "--log-level", "warn"];
      const child = spawn(WRAPPER, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      try {
        const file = join(dataDir, "node.json");
        const api = await poll("node.json is there", async () => {
          const text = await readFile(file, "utf8").catch(() => undefined);
          return text === undefined ? undefined : (JSON.parse(text) as { api: string }).api;
        });
        await poll("the API answers", async () => (await fetch(`${api}/v1/status`)).ok);
        // The first run fills the compile cache, as a second start on any machine finds it.
        if (run > 0) readyMs.push(performance.now() - startMs);
        if (run === runs) {
          await pause(IDLE_MS);
          idleRssMiB = await memoryMiB(child.pid as number, "VmRSS");
        }
      } finally {
        child.kill("SIGTERM");
        await ended;
        await rm(dataDir, { recursive: true, force: true });
      }
    }
    return { readyMs, idleRssMiB };
  } finally {
    await lab.close();
  }
}

/** Share of one core that each of three connected nodes takes, all of them mining at the default rate, in percent. */
export async function measureMiningCluster(forMs: number): Promise<number[]> {
  const lab = createLab();
  try {
    const nodes: Daemon[] = [];
    for (let n = 0; n < 3; n++) {
      const args = ["--mine", "--miners", "3"];
      nodes.push(await lab.start({ args, peers: nodes.map(({ multiaddr }) => multiaddr), logLevel: "warn" }));
    }
    await poll("all are connected", async () => {
      const statuses = await Promise.all(nodes.map(({ client }) => client.status()));
      return statuses.every(({ peers }) => peers === 2);
    });
    // Starting is over once a block or two have gone round.
    await pause(3_000);
    const before = await Promise.all(nodes.map(({ pid }) => cpuMs(pid)));
    await pause(forMs);
    const after = await Promise.all(nodes.map(({ pid }) => cpuMs(pid)));
    return after.map((ms, i) => ((ms - (before[i] ?? 0)) * 100) / forMs);
  } finally {
    await lab.close();
  }
}
