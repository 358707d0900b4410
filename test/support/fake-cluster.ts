import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ClusterFile } from "../../src/cluster/cluster-file.ts";
import { type ClusterOptions, startCluster, stopCluster } from "../../src/cluster/index.ts";
import { isAlive, type ProcessId } from "../../src/cluster/processes.ts";
import { createTempDir } from "./temp-dir.ts";

export const fakeNode = [process.execPath, fileURLToPath(new URL("./fake-node.ts", import.meta.url))];

export async function readFileOf(directory: string): Promise<ClusterFile> {
  return JSON.parse(await readFile(join(directory, "cluster.json"), "utf8")) as ClusterFile;
}

export const processesOf = ({ supervisor, nodes }: ClusterFile): ProcessId[] => [
  supervisor,
  ...nodes.map((node) => node.process),
];
export const allGone = async (processes: readonly ProcessId[]): Promise<true | undefined> =>
  (await Promise.all(processes.map(isAlive))).some(Boolean) ? undefined : true;

/** A cluster of fake nodes, ended with the test whatever happens. */
export async function fakeCluster(t: TestContext, behaviour = "", nodes = 2) {
  const { path, remove } = await createTempDir();
  const directory = join(path, "cluster");
  // In this order: without its directory a cluster cannot be found.
  t.after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });
  const command = ["/usr/bin/env", `FAKE_NODE=${behaviour}`, ...fakeNode];
  const start = (signal?: AbortSignal, topology?: string, options: Partial<ClusterOptions> = {}) =>
    startCluster({
      directory,
      nodes,
      command,
      ...options,
      ...(signal === undefined ? {} : { signal }),
      ...(topology === undefined ? {} : { topology }),
    });
  return { directory, start };
}
