import type { FastifyPluginAsync } from "fastify";
import { ApiServerError, addPage, createEventStreams, createHttpApp, listen } from "../api/index.ts";
import type { Logger } from "../ports/index.ts";
import { ClusterError } from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import { addSupervisorMetrics } from "./metrics.ts";
import { addNodeProxy } from "./node-proxy.ts";
import type { ClusterRecorder } from "./recorder.ts";
import { addSupervisorRoutes } from "./supervisor-routes.ts";
import { createTimers, systemClock } from "./system-time.ts";
import {
  addTimelineRoutes,
  CLUSTER_EVENT_KINDS,
  MAX_STREAM_CHARACTERS,
  MAX_STREAM_ENTRIES,
} from "./timeline-routes.ts";

export interface SupervisorServer {
  readonly url: string;
  close(): Promise<void>;
}

export const SUPERVISOR_HOST = "127.0.0.1";

/** Why the supervisor cannot listen on a port, and what to do. */
export function portError(port: number, error: unknown): ClusterError {
  const { code, message } = error as NodeJS.ErrnoException;
  const advice = "choose another with --port PORT (0: any free one)";
  const text =
    code === "EADDRINUSE"
      ? `port ${port} on ${SUPERVISOR_HOST} is in use by another program; stop it, or ${advice}`
      : `cannot serve on port ${port} of ${SUPERVISOR_HOST}: ${code === "EACCES" ? "this user is not permitted to" : message}; ${advice}`;
  return new ClusterError("CLUSTER_PORT_BUSY", text, { cause: error });
}

/**
 * One address for a whole cluster: /v1/cluster tells the nodes and changes them, /nodes/{n}/v1/... is each one's API. Who
 * may change anything is decided here, by the supervisor's token; the node's own token is added on the way.
 */
export async function startSupervisorServer(
  deps: { readonly logger: Logger; readonly fleet: Fleet; readonly recorder: ClusterRecorder },
  options: { readonly directory: string; readonly token: string; readonly port: number },
): Promise<SupervisorServer> {
  const app = createHttpApp(deps, {
    host: SUPERVISOR_HOST,
    token: options.token,
    apiRead: "token",
    hostNames: [],
  });
  addPage(app, "cluster");
  addSupervisorRoutes(app, deps.fleet, options.directory);
  const streams = createEventStreams(
    { clock: systemClock, timers: createTimers() },
    {
      run: Date.now().toString(36),
      kinds: CLUSTER_EVENT_KINDS,
      maxEvents: MAX_STREAM_ENTRIES,
      maxCharacters: MAX_STREAM_CHARACTERS,
    },
  );
  deps.recorder.subscribe((data) => streams.publish({ type: "entry", data }));
  addTimelineRoutes(app, deps.recorder, streams);
  addSupervisorMetrics(app, {
    nodes: () => deps.fleet.members.length,
    recorded: () => deps.recorder.page({ after: 0, limit: 1 }).lastPlace,
    streams: () => streams.size,
  });
  const close = async (): Promise<void> => {
    streams.close();
    await app.close();
  };
  for (const member of deps.fleet.members) {
    const plugin: FastifyPluginAsync = async (scope) => addNodeProxy(scope, member, options.directory);
    await app.register(plugin);
  }
  const url = await listen(app, { host: SUPERVISOR_HOST, port: options.port }).catch((error: unknown) => {
    // A server that could not start leaves no heartbeat behind.
    streams.close();
    throw error instanceof ApiServerError ? portError(options.port, error.cause) : error;
  });
  return { url, close };
}
