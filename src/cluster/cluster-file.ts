import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "./errors.ts";
import type { ProcessId } from "./processes.ts";

/** One node of a cluster as others find it. Nodes are numbered from 1. */
export interface ClusterNode {
  readonly n: number;
  readonly process: ProcessId;
  readonly dataDir: string;
  /** Its own API, behind the supervisor's /nodes/{n}. */
  readonly api: string;
  readonly peer: string;
  readonly multiaddrs: readonly string[];
}

/** `<dir>/cluster.json`: how every `cluster` command finds the supervisor, and what to end if it is gone. */
export interface ClusterFile {
  readonly version: 1;
  readonly state: "starting" | "running";
  readonly supervisor: ProcessId;
  /** The supervisor's HTTP address; empty while starting. */
  readonly url: string;
  readonly tokenFile: string;
  readonly nodes: readonly ClusterNode[];
}

export const clusterFilePath = (directory: string): string => join(directory, "cluster.json");

/** Replaces a file whole: readers see the old or the new one. */
export async function writeWhole(file: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export function writeClusterFile(directory: string, content: ClusterFile): Promise<void> {
  return writeWhole(clusterFilePath(directory), `${JSON.stringify(content, undefined, 2)}\n`);
}

const isProcess = (value: unknown): value is ProcessId => {
  const { pid, started } = (value ?? {}) as Partial<ProcessId>;
  // The bound keeps a damaged file from ever naming process 0, 1 or a group.
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof started === "string" && started !== "";
};

function isClusterFile(value: unknown): value is ClusterFile {
  const file = (value ?? {}) as Partial<ClusterFile>;
  return (
    file.version === 1 &&
    isProcess(file.supervisor) &&
    typeof file.url === "string" &&
    typeof file.tokenFile === "string" &&
    Array.isArray(file.nodes) &&
    file.nodes.every((node: Partial<ClusterNode>) => isProcess(node.process) && typeof node.n === "number")
  );
}

/** Undefined where there is no cluster. */
export async function readClusterFile(directory: string): Promise<ClusterFile | undefined> {
  const file = clusterFilePath(directory);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ClusterError("CLUSTER_FILE_INVALID", `cannot read ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  try {
    const json: unknown = JSON.parse(text);
    if (isClusterFile(json)) return json;
  } catch {
    // Told below, as any other damage.
  }
  const message = `${file} is damaged; end the cluster's processes by hand, then remove this file`;
  throw new ClusterError("CLUSTER_FILE_INVALID", message);
}

const OWN_FILES = ["cluster.json", "genesis.json", "api-token", "supervisor.log", "keys"];

/**
 * Whether a cluster makes an entry of this name in its directory. `up` takes no directory with any other entry in it, and
 * `down --purge` removes nothing else, so nobody's own files are ever touched.
 */
export function isOwnName(name: string): boolean {
  return OWN_FILES.includes(name) || /^node\d+$/.test(name);
}
