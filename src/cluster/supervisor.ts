import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { replaceWhole } from "../files/index.ts";
import type { Logger } from "../ports/index.ts";
import { claimDirectory } from "./claim.ts";
import type { ClusterFile } from "./cluster-file.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import type { NodeAddress } from "./node-process.ts";
import { processStart } from "./processes.ts";
import { type ClusterRecorder, createClusterRecorder } from "./recorder.ts";
import { type SupervisorServer, startSupervisorServer } from "./supervisor-server.ts";
import type { Topology } from "./topology.ts";

export interface SupervisorOptions {
  readonly directory: string;
  readonly topology: Topology;
  readonly genesisFile: string;
  readonly mine: boolean;
  /** Program and arguments before "node start". */
  readonly command: readonly string[];
  readonly logLevel: string;
  /** Absent: the nodes keep all blocks. */
  readonly pruneDepth?: number;
  /** Nodes that do not start with the others. */
  readonly late?: readonly number[];
  /** Where the supervisor's own API listens; 0: any free port. */
  readonly port: number;
}

export interface Supervisor {
  readonly url: string;
  /** Ends every node it started, then itself; at most some 8 s. */
  stop(): Promise<void>;
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
  let state: ClusterFile["state"] = "starting";
  let server: SupervisorServer | undefined;
  let written = Promise.resolve();

  function nodesNow(): ClusterFile["nodes"] {
    return fleet.members.flatMap((member) => {
      const id = member.process();
      const { api = "", peer = "", multiaddrs = [] }: Partial<NodeAddress> = member.address() ?? {};
      return id === undefined
        ? []
        : [{ n: member.n, process: id, dataDir: member.dataDir, api, peer, multiaddrs }];
    });
  }

  /** One after the other, as nodes start several at a time, and each with what is true when its turn comes. */
  function note(): Promise<void> {
    const next = written.then(() => claim.write({ state, url: server?.url ?? "", nodes: nodesNow() }));
    written = next.catch(() => {});
    return next;
  }

  // Noted after each start, so that `down` finds them all even if this process is killed right now.
  const fleet = createFleet({ ...deps, note }, options);
  const recorder = createClusterRecorder({ ...deps, fleet });

  async function stop(): Promise<void> {
    await server?.close();
    await recorder.stop();
    await fleet.stop();
    await written;
    await claim.release();
  }

  try {
    const token = randomBytes(32).toString("hex");
    await replaceWhole(tokenFile, `${token}\n`);
    recorder.start();
    await fleet.start(signal);
    server = await startSupervisorServer(
      { ...deps, fleet: recorded(fleet, recorder), recorder },
      { directory, token, port: options.port },
    );
    state = "running";
    await note();
    return { url: server.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The same fleet; what is done to it is noted when it begins, and when it is done. */
function recorded(fleet: Fleet, recorder: ClusterRecorder): Fleet {
  const noted =
    <Arguments extends unknown[], Result>(work: (...given: Arguments) => Promise<Result>) =>
    async (...given: Arguments): Promise<Result> => {
      const working = work(...given);
      void recorder.look();
      try {
        return await working;
      } finally {
        await recorder.look();
      }
    };
  return {
    ...fleet,
    act: noted(fleet.act),
    cut: noted(fleet.cut),
    heal: noted(fleet.heal),
    link: noted(fleet.link),
    unlink: noted(fleet.unlink),
  };
}
