import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileProblem } from "../keys/index.ts";
import {
  type ClusterFile,
  clusterFilePath,
  LOCK_FILE,
  readClusterFile,
  writeClusterFile,
} from "./cluster-file.ts";
import { ClusterError, hint } from "./errors.ts";
import { endProcess, isAlive, type ProcessId, sleep } from "./processes.ts";

/** A node's own clean stop takes up to 5 s. */
export const NODE_GRACE_MS = 6_000;
/** Who else may hold the lock for a moment is another `down`. */
const LOCK_MS = 2_000;
const SQLITE_BUSY = 5;

export type Unlock = () => void;

/** Marks a directory as a cluster's before anything else is put into it, so that a purge knows it from anybody's. */
export async function markDirectory(directory: string): Promise<void> {
  const file = join(directory, LOCK_FILE);
  try {
    // Never opened where it exists: closing it again would end a lock that this very process has on it.
    await (await open(file, "wx", 0o600)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    const message = `cannot write ${file}: ${fileProblem(error)}; choose another --dir DIR`;
    throw new ClusterError("CLUSTER_START_FAILED", message, { cause: error });
  }
}

/** Whether `up`, however early it was interrupted, has been at work in a directory that has no cluster.json. */
export async function isMarked(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch((): string[] => []);
  // The pair is what `up` left before there was a mark.
  return names.includes(LOCK_FILE) || (names.includes("supervisor.log") && names.includes("genesis.json"));
}

/**
 * Locks a directory against other supervisors, and against `down`; undefined while somebody else has it. Node.js has no
 * file locks, but SQLite has, and the kernel lets go of them when their process ends, even by kill -9: nothing stale can
 * stay, and nobody has to guess who is alive. Nothing is written: the file stays empty, and no journal comes beside it.
 */
export function lockDirectory(directory: string): Unlock | undefined {
  const file = join(directory, LOCK_FILE);
  let database: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(file);
    database = opened;
    opened.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
    return () => opened.close();
  } catch (error) {
    database?.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    const message = `cannot lock ${file}: ${(error as Error).message}; see that this user may write it`;
    throw new ClusterError("CLUSTER_FILE_INVALID", message, { cause: error });
  }
}

/** Locks a directory for a moment's work in it. Fails with `CLUSTER_RUNNING` while a supervisor has it. */
export async function lockBriefly(directory: string): Promise<Unlock> {
  const endMs = performance.now() + LOCK_MS;
  for (;;) {
    const unlock = lockDirectory(directory);
    if (unlock !== undefined) return unlock;
    if (performance.now() > endMs) {
      const message = `a cluster is being started or ended in ${directory} right now; try again when that is done`;
      throw new ClusterError("CLUSTER_RUNNING", message);
    }
    await sleep(20);
  }
}

const isSame = (a: ProcessId, b: ProcessId): boolean => a.pid === b.pid && a.started === b.started;

/** Removes cluster.json, unless it names another supervisor than this one. Only under the lock. */
export async function removeClusterFile(directory: string, supervisor: ProcessId | undefined): Promise<void> {
  const file = await readClusterFile(directory);
  if (file !== undefined && (supervisor === undefined || !isSame(file.supervisor, supervisor))) return;
  await rm(clusterFilePath(directory), { force: true });
}

/** A directory that is one supervisor's. */
export interface Claim {
  /** Notes the cluster in cluster.json. */
  write(file: Pick<ClusterFile, "state" | "url" | "nodes">): Promise<void>;
  /** Removes cluster.json and lets others have the directory. */
  release(): Promise<void>;
}

/**
 * Takes the directory for a supervisor, or says that somebody has it. What a dead one left behind is swept away: its
 * nodes are ended and its note is replaced.
 */
export async function claimDirectory(
  directory: string,
  supervisor: ProcessId,
  tokenFile: string,
): Promise<Claim> {
  const unlock = lockDirectory(directory);
  const running = (): ClusterError =>
    new ClusterError(
      "CLUSTER_RUNNING",
      `a cluster runs in ${directory} already; end it with ${hint("down", directory)}, or choose another --dir DIR`,
    );
  if (unlock === undefined) throw running();
  const write: Claim["write"] = (file) =>
    writeClusterFile(directory, { version: 1, supervisor, tokenFile, ...file });
  try {
    const other = await readClusterFile(directory);
    // Of an earlier version, which took no lock.
    if (other !== undefined && (await isAlive(other.supervisor))) throw running();
    await Promise.all((other?.nodes ?? []).map((node) => endProcess(node.process, NODE_GRACE_MS)));
    await write({ state: "starting", url: "", nodes: [] });
  } catch (error) {
    unlock();
    throw error;
  }
  return {
    write,
    async release() {
      try {
        await removeClusterFile(directory, supervisor);
      } finally {
        unlock();
      }
    },
  };
}
