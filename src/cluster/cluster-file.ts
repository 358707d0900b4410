import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileProblem, replaceWhole } from "../keys/index.ts";
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

export function writeClusterFile(directory: string, content: ClusterFile): Promise<void> {
  return replaceWhole(clusterFilePath(directory), `${JSON.stringify(content, undefined, 2)}\n`);
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

/**
 * Undefined where there is no cluster. So it is with an empty file: a supervisor of an earlier version left one when it
 * crashed before it had started anything.
 */
export async function readClusterFile(directory: string): Promise<ClusterFile | undefined> {
  const file = clusterFilePath(directory);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ClusterError("CLUSTER_FILE_INVALID", `cannot read ${file}: ${fileProblem(error)}`, {
      cause: error,
    });
  }
  if (text === "") return undefined;
  try {
    const json: unknown = JSON.parse(text);
    if (isClusterFile(json)) return json;
  } catch {
    // Told below, as any other damage.
  }
  const message = `${file} is damaged; end the cluster's processes by hand, then remove this file`;
  throw new ClusterError("CLUSTER_FILE_INVALID", message);
}

/** Locked by whoever works in the directory; see claim.ts. */
export const LOCK_FILE = "cluster.lock";
const OWN_FILES = [LOCK_FILE, "cluster.json", "genesis.json", "api-token", "supervisor.log", "keys"];

/**
 * Whether a cluster makes an entry of this name in its directory, be it for a moment and left by a crash. `up` takes no
 * directory with any other entry in it, and `down --purge` removes nothing else, so nobody's own files are ever touched.
 */
export function isOwnName(name: string): boolean {
  return OWN_FILES.includes(name.replace(/\.[0-9a-f]{12}\.tmp$/, "")) || /^node\d+$/.test(name);
}
