export type ClusterErrorCode =
  | "CLUSTER_RUNNING"
  | "CLUSTER_NOT_RUNNING"
  | "CLUSTER_START_FAILED"
  | "CLUSTER_FILE_INVALID"
  | "CLUSTER_PORT_BUSY"
  | "CLUSTER_GENESIS_INVALID"
  | "CLUSTER_PROCESS_UNKNOWN"
  | "CLUSTER_GROUPS_INVALID"
  | "CLUSTER_LINK_INVALID"
  | "CLUSTER_TOPOLOGY_INVALID"
  | "CLUSTER_NODE_UNKNOWN"
  | "CLUSTER_NODE_ENDED"
  | "CLUSTER_NODE_PAUSED"
  | "CLUSTER_NODE_RUNNING"
  | "CLUSTER_NODE_STARTING"
  | "CLUSTER_NODE_FAILED"
  | "CLUSTER_TIED"
  | "CLUSTER_TIMEOUT"
  | "CLUSTER_LOAD_FAILED"
  | "CLUSTER_SEND_FAILED"
  | "CLUSTER_SCENARIO_INVALID"
  | "CLUSTER_SCENARIO_FAILED";

// Groups, topologies, node numbers and genesis files are given by people, so a wrong one is wrong usage; waiting in vain has a code of its own.
const EXIT_CODES: Partial<Record<ClusterErrorCode, number>> = {
  CLUSTER_GENESIS_INVALID: 2,
  CLUSTER_GROUPS_INVALID: 2,
  CLUSTER_LINK_INVALID: 2,
  CLUSTER_NODE_UNKNOWN: 2,
  CLUSTER_SCENARIO_INVALID: 2,
  CLUSTER_TOPOLOGY_INVALID: 2,
  CLUSTER_TIMEOUT: 3,
};

/** Something about a local cluster could not be done; the message says what and what to do. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
  readonly code: ClusterErrorCode;
  readonly exitCode: number;
  readonly details: Readonly<Record<string, unknown>>;
  constructor(
    code: ClusterErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitCode = EXIT_CODES[code] ?? 1;
    this.details = options.details ?? {};
  }
}

/** A path as a shell takes it. */
export const quoted = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

/** A command of `cumulo cluster` that works when copied: it names the directory, whatever the default is. */
export const hint = (command: string, directory: string): string =>
  `"cumulo cluster ${command} --dir ${quoted(directory)}"`;
