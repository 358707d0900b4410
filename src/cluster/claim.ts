import { statSync } from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createWhole, fileProblem } from "../files/index.ts";
import {
  type ClusterFile,
  clusterFilePath,
  LOCK_FILE,
  MARK_FILE,
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

const MARK =
  "A cumulo cluster's directory: `cumulo cluster down --purge` removes what the cluster made in it.\n";

const unwritable = (file: string, error: unknown): ClusterError =>
  new ClusterError(
    "CLUSTER_START_FAILED",
    `cannot write ${file}: ${fileProblem(error)}; choose another --dir DIR`,
    { cause: error },
  );

/** Makes a file unless it is there; settles with whether it was made now. */
async function makeMissing(file: string, make: (file: string) => Promise<void>): Promise<boolean> {
  try {
    await make(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw unwritable(file, error);
  }
}

/**
 * Marks a directory as a cluster's before anything else is put into it, so that a purge knows it from anybody's. Settles
 * with the files it made.
 */
export async function markDirectory(directory: string): Promise<readonly string[]> {
  const mark = join(directory, MARK_FILE);
  const lock = join(directory, LOCK_FILE);
  const made: string[] = [];
  if (await makeMissing(mark, (file) => createWhole(file, MARK))) made.push(mark);
  try {
    // For its owner only, which SQLite would not make it. Never opened where it exists: closing it again would end a
    // lock that this very process has on it.
    const makeLock = async (file: string) => (await open(file, "wx", 0o600)).close();
    if (await makeMissing(lock, makeLock)) made.push(lock);
  } catch (error) {
    await Promise.all(made.map((file) => rm(file, { force: true })));
    throw error;
  }
  return made;
}

/** Marks a directory that nobody else may be marking: false where its mark is there already, as of two at once one makes it. */
export async function markAlone(directory: string): Promise<boolean> {
  return (await markDirectory(directory)).includes(join(directory, MARK_FILE));
}

/** Whether `up` made this directory a cluster's: names alone tell nothing, as a node's directory has the same. */
export async function isMarked(directory: string): Promise<boolean> {
  return (await readFile(join(directory, MARK_FILE), "utf8").catch(() => "")) === MARK;
}

const isGone = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) === undefined;

function lockError(directory: string, file: string, error: unknown): ClusterError {
  const failed = (message: string) => new ClusterError("CLUSTER_FILE_INVALID", message, { cause: error });
  if (isGone(directory)) {
    const message = `no cluster runs in ${directory}: the directory is gone`;
    return new ClusterError("CLUSTER_NOT_RUNNING", message, { cause: error });
  }
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile())
    return failed(
      `${file} is ${found.isDirectory() ? "a directory" : "no file"}, and should be an empty file; move it away and try again`,
    );
  if (found !== undefined && found.size > 0)
    return failed(
      `${file} holds ${found.size} bytes that are not a cluster's, and should be an empty file; move it away and try again`,
    );
  return failed(`cannot lock ${file}: ${(error as Error).message}; see that this user may write it`);
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
    throw lockError(directory, file, error);
  }
}

/** Somebody else is at work in the directory for a moment. */
export function busy(directory: string): ClusterError {
  const message = `a cluster is being started or ended in ${directory} right now; try again when that is done`;
  return new ClusterError("CLUSTER_RUNNING", message);
}

/** Locks a directory for a moment's work in it. Fails with `CLUSTER_RUNNING` while a supervisor has it. */
export async function lockBriefly(directory: string): Promise<Unlock> {
  const endMs = performance.now() + LOCK_MS;
  for (;;) {
    const unlock = lockDirectory(directory);
    if (unlock !== undefined) return unlock;
    if (performance.now() > endMs) throw busy(directory);
    await sleep(20);
  }
}

const isSame = (a: ProcessId, b: ProcessId): boolean => a.pid === b.pid && a.started === b.started;

/**
 * Removes cluster.json, unless it names another supervisor than this one. Only under the lock: whoever has it knows that a
 * damaged note is of no use to anybody else either.
 */
export async function removeClusterFile(directory: string, supervisor: ProcessId | undefined): Promise<void> {
  const file = await readClusterFile(directory).catch((error: unknown) => {
    if (error instanceof ClusterError) return undefined;
    throw error;
  });
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
