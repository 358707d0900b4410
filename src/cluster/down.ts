import { access, readdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isMarked, lockBriefly, NODE_GRACE_MS, removeClusterFile } from "./claim.ts";
import { isOwnName, LOCK_FILE, readClusterFile } from "./cluster-file.ts";
import { ClusterError, hint } from "./errors.ts";
import { endProcess, isAlive, type ProcessId } from "./processes.ts";

/** The supervisor gives its nodes 6 s; a little more for itself. */
const SUPERVISOR_GRACE_MS = 9_000;

async function purge(directory: string): Promise<void> {
  const names = (await readdir(directory).catch((): string[] => [])).filter(isOwnName);
  // The lock goes last: until then no `up` puts anything of its own between what is removed.
  for (const name of [...names.filter((one) => one !== LOCK_FILE), LOCK_FILE])
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
  // Only if nothing of somebody else's is in it.
  await rmdir(directory).catch(() => {});
}

/** Takes away what the ended supervisor left, and nothing of one that has come since. */
async function clear(
  directory: string,
  left: { readonly supervisor: ProcessId | undefined; readonly purge: boolean },
): Promise<void> {
  // Somebody may have removed it by hand.
  if ((await access(directory).catch(() => "gone")) === "gone") return;
  const unlock = await lockBriefly(directory);
  try {
    await removeClusterFile(directory, left.supervisor);
    if (left.purge) await purge(directory);
  } finally {
    unlock();
  }
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
  if (file === undefined && !(options.purge === true && (await isMarked(path)))) {
    throw new ClusterError(
      "CLUSTER_NOT_RUNNING",
      `no cluster runs in ${path}; start one with ${hint("up", path)}`,
    );
  }
  const nodes = (file?.nodes ?? []).map((node) => node.process);
  const alive = await Promise.all([...(file === undefined ? [] : [file.supervisor]), ...nodes].map(isAlive));
  if (file !== undefined) await endProcess(file.supervisor, SUPERVISOR_GRACE_MS);
  // After a killed supervisor: its nodes notice the closed channel and stop themselves.
  await Promise.all(nodes.map((node) => endProcess(node, NODE_GRACE_MS)));
  await clear(path, { supervisor: file?.supervisor, purge: options.purge === true });
  return { ended: alive.filter(Boolean).length };
}
