import { join } from "node:path";
import { fileProblem, readBounded, replaceWhole } from "../files/index.ts";
import { ClusterError } from "./errors.ts";
import { oldLogsOf, SUPERVISOR_LOG } from "./log-file.ts";
import type { ProcessId } from "./processes.ts";
import { TOPOLOGY_FILE } from "./topology.ts";

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

/** Hundreds of nodes. */
const MAX_CLUSTER_FILE_BYTES = 1024 * 1024;

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
    text = await readBounded(file, MAX_CLUSTER_FILE_BYTES);
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
  // True whoever wrote it: a supervisor watches its file, and its nodes watch the supervisor.
  const message = `${file} is damaged; remove this file: what still runs of its cluster then ends by itself within seconds`;
  throw new ClusterError("CLUSTER_FILE_INVALID", message);
}

/** Locked by whoever works in the directory; see claim.ts. */
export const LOCK_FILE = "cluster.lock";
/** Tells a cluster's directory from any other with files of the same names in it, such as a node's; see claim.ts. */
export const MARK_FILE = "cluster.mark";
const OWN_FILES = [
  MARK_FILE,
  LOCK_FILE,
  "cluster.json",
  "genesis.json",
  "api-token",
  SUPERVISOR_LOG,
  ...oldLogsOf(SUPERVISOR_LOG),
  TOPOLOGY_FILE,
  "keys",
];

/** A file's name without what it is called while it is written, which a crash can leave. */
const finalName = (name: string): string => name.replace(/\.[0-9a-f]{12}\.tmp$/, "");

/** Whether a cluster makes an entry of this name in its directory. A purge removes nothing else, and only where the mark is. */
export function isOwnName(name: string): boolean {
  return OWN_FILES.includes(finalName(name)) || /^node\d+$/.test(name);
}

/** What an `up` that was killed in its first moments leaves: it holds nothing, so it is nobody's loss. */
export function isTrifle(name: string): boolean {
  return name === LOCK_FILE || (name !== MARK_FILE && finalName(name) === MARK_FILE);
}
