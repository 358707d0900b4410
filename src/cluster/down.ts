import { readdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isMarked, lockBriefly, NODE_GRACE_MS, removeClusterFile, type Unlock } from "./claim.ts";
import { isOwnName, isTrifle, LOCK_FILE, MARK_FILE, readClusterFile } from "./cluster-file.ts";
import { ClusterError, hint } from "./errors.ts";
import { endProcess, isAlive, type ProcessId } from "./processes.ts";

/** The supervisor gives its nodes 6 s; a little more for itself. */
const SUPERVISOR_GRACE_MS = 9_000;

async function purge(directory: string): Promise<void> {
  const names = (await readdir(directory).catch((): string[] => [])).filter(isOwnName);
  // The mark goes after all else, so that a purge that was interrupted can be repeated; the lock goes last: until then no
  // `up` puts anything of its own between what is removed.
  const last = [MARK_FILE, LOCK_FILE];
  for (const name of [...names.filter((one) => !last.includes(one)), ...last])
    await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
  // Only if nothing of somebody else's is in it.
  await rmdir(directory).catch(() => {});
}

/** Whether all that is there is a lock, as whoever came too late for another purge makes one. */
async function holdsTrifles(directory: string): Promise<boolean> {
  return (await readdir(directory).catch((): string[] => [])).every(isTrifle);
}

/** Takes away what the ended supervisor left, and nothing of one that has come since. */
async function clear(
  directory: string,
  left: { readonly supervisor: ProcessId | undefined; readonly purge: boolean },
): Promise<void> {
  let unlock: Unlock;
  try {
    unlock = await lockBriefly(directory);
  } catch (error) {
    // Somebody removed it by hand, or by another purge at the same moment: there is nothing left to clear.
    if (error instanceof ClusterError && error.code === "CLUSTER_NOT_RUNNING") return;
    throw error;
  }
  try {
    await removeClusterFile(directory, left.supervisor);
    // Looked at again under the lock: another purge may have ended meanwhile, and somebody else's things come since.
    if (left.purge && ((await isMarked(directory)) || (await holdsTrifles(directory))))
      await purge(directory);
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
  // First: another purge removes the mark after cluster.json, so one without a mark beside it was never `up`'s.
  const mayPurge = options.purge === true && (await isMarked(path));
  const file = await readClusterFile(path);
  if (file === undefined && !mayPurge) {
    throw new ClusterError(
      "CLUSTER_NOT_RUNNING",
      `no cluster runs in ${path}; start one with ${hint("up", path)}`,
    );
  }
  if (options.purge === true && !mayPurge) {
    const message = `${path} has no ${MARK_FILE} that "cumulo cluster up" made, so what is in it may be somebody else's; end the cluster with ${hint("down", path)}, then remove by hand what is not needed`;
    throw new ClusterError("CLUSTER_FILE_INVALID", message);
  }
  const nodes = (file?.nodes ?? []).map((node) => node.process);
  const alive = await Promise.all([...(file === undefined ? [] : [file.supervisor]), ...nodes].map(isAlive));
  if (file !== undefined) await endProcess(file.supervisor, SUPERVISOR_GRACE_MS);
  // After a killed supervisor: its nodes notice the closed channel and stop themselves.
  await Promise.all(nodes.map((node) => endProcess(node, NODE_GRACE_MS)));
  await clear(path, { supervisor: file?.supervisor, purge: options.purge === true });
  return { ended: alive.filter(Boolean).length };
}
