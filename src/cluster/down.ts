import { readdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { clusterFilePath, isOwnName, readClusterFile } from "./cluster-file.ts";
import { ClusterError } from "./errors.ts";
import { endProcess, isAlive } from "./processes.ts";

/** The supervisor gives its nodes 6 s; a little more for itself. */
const SUPERVISOR_GRACE_MS = 9_000;
/** After a killed supervisor: its nodes notice the closed channel and stop themselves within 5 s. */
const NODE_GRACE_MS = 6_000;

async function purge(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  for (const name of names.filter(isOwnName))
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
  // Only if nothing of somebody else's is in it.
  await rmdir(directory).catch(() => {});
}

/**
 * Ends a cluster: its supervisor, which ends its nodes, or what a killed supervisor left. Only processes that are
 * verified to be the ones noted (number and start time) are signalled. Node data stays for the next `up`, unless
 * `purge` is set. Fails with `CLUSTER_NOT_RUNNING` when there is nothing to end (and nothing to purge).
 */
export async function stopCluster(
  directory: string,
  options: { readonly purge?: boolean } = {},
): Promise<{ readonly ended: number }> {
  const path = resolve(directory);
  const file = await readClusterFile(path);
  if (file === undefined) {
    const names = await readdir(path).catch((): string[] => []);
    // Without the note only what `up` leaves in any case tells a cluster's directory from hand-made ones.
    if (options.purge === true && names.includes("supervisor.log") && names.includes("genesis.json")) {
      await purge(path);
      return { ended: 0 };
    }
    throw new ClusterError(
      "CLUSTER_NOT_RUNNING",
      `no cluster runs in ${path}; start one with "cumulo cluster up"`,
    );
  }
  const all = [file.supervisor, ...file.nodes.map((node) => node.process)];
  const alive = await Promise.all(all.map(isAlive));
  await endProcess(file.supervisor, SUPERVISOR_GRACE_MS);
  await Promise.all(file.nodes.map((node) => endProcess(node.process, NODE_GRACE_MS)));
  await rm(clusterFilePath(path), { force: true });
  if (options.purge === true) await purge(path);
  return { ended: alive.filter(Boolean).length };
}
