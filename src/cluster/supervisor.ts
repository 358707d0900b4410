import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "../client/index.ts";
import { replaceWhole } from "../files/index.ts";
import type { Logger } from "../ports/index.ts";
import { claimDirectory, NODE_GRACE_MS } from "./claim.ts";
import type { ClusterFile } from "./cluster-file.ts";
import { ClusterError } from "./errors.ts";
import { type NodeAddress, type NodeProcess, startNodeProcess, waitForNode } from "./node-process.ts";
import { endProcess, processStart, waitUntil } from "./processes.ts";
import { type SupervisedNode, type SupervisorServer, startSupervisorServer } from "./supervisor-server.ts";

export interface SupervisorOptions {
  readonly directory: string;
  /** 1 to `MAX_NODES`. */
  readonly nodes: number;
  readonly genesisFile: string;
  readonly mine: boolean;
  /** Program and arguments before "node start". */
  readonly command: readonly string[];
  readonly logLevel: string;
  /** Where the supervisor's own API listens; 0: any free port. */
  readonly port: number;
}

export interface Supervisor {
  readonly url: string;
  /** Ends every node it started, then itself; at most some 8 s. */
  stop(): Promise<void>;
}

/** Each is a process of some 150 MiB. */
export const MAX_NODES = 32;
const CONNECT_MS = 20_000;

/** Full mesh: each node keeps connections to all others, and the cluster is up once all see all. */
async function connectAll(nodes: readonly SupervisedNode[], signal: AbortSignal): Promise<void> {
  const clients = nodes.map(({ api, token }) => createClient({ url: api, token }));
  for (const [i, client] of clients.entries()) {
    for (const [j, other] of nodes.entries()) {
      const [address] = other.multiaddrs;
      if (i !== j && address !== undefined) await client.addPeer(address, { signal });
    }
  }
  const connected = async (): Promise<boolean> => {
    signal.throwIfAborted();
    const statuses = await Promise.all(clients.map((client) => client.status({ signal })));
    return statuses.every(({ peers }) => peers >= nodes.length - 1);
  };
  if (await waitUntil(connected, CONNECT_MS)) return;
  throw new ClusterError(
    "CLUSTER_START_FAILED",
    `the nodes did not connect to each other within ${CONNECT_MS / 1_000} s`,
  );
}

async function endAll(nodes: readonly NodeProcess[]): Promise<void> {
  await Promise.all(
    nodes.map((node) => (node.exit() === undefined ? endProcess(node.id, NODE_GRACE_MS) : undefined)),
  );
}

/**
 * Starts the nodes of one cluster as children, connects them, and serves them all at one address. Fails with a
 * `ClusterError`, leaving no process behind. Restarts nothing by itself: what dies is shown as dead.
 */
export async function startSupervisor(
  deps: { readonly logger: Logger },
  options: SupervisorOptions,
  signal: AbortSignal,
): Promise<Supervisor> {
  const { directory } = options;
  const self = { pid: process.pid, started: (await processStart(process.pid)) ?? "unknown" };
  const tokenFile = join(directory, "api-token");
  const claim = await claimDirectory(directory, self, tokenFile);
  const processes: NodeProcess[] = [];
  const nodes: SupervisedNode[] = [];
  let server: SupervisorServer | undefined;

  async function note(state: ClusterFile["state"], url: string): Promise<void> {
    const known = processes.map(({ n, id, dataDir }) => {
      const {
        api = "",
        peer = "",
        multiaddrs = [],
      }: Partial<NodeAddress> = nodes.find((node) => node.n === n) ?? {};
      return { n, process: id, dataDir, api, peer, multiaddrs };
    });
    await claim.write({ state, url, nodes: known });
  }

  async function stop(): Promise<void> {
    await server?.close();
    await endAll(processes);
    await claim.release();
  }

  try {
    const token = randomBytes(32).toString("hex");
    await replaceWhole(tokenFile, `${token}\n`);
    for (let n = 1; n <= options.nodes; n++) {
      signal.throwIfAborted();
      const dataDir = join(directory, `node${n}`);
      processes.push(await startNodeProcess({ ...options, n, dataDir, miners: options.nodes }));
      // Written after each start, so that `down` finds them all even if this process is killed right now.
      await note("starting", "");
    }
    for (const node of processes) {
      const address = await waitForNode(node, signal);
      const nodeToken = (await readFile(join(node.dataDir, "api-token"), "utf8")).trim();
      nodes.push({ ...address, n: node.n, dataDir: node.dataDir, token: nodeToken, process: node });
    }
    await connectAll(nodes, signal);
    server = await startSupervisorServer({ ...deps, nodes }, { directory, token, port: options.port });
    await note("running", server.url);
    return { url: server.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
