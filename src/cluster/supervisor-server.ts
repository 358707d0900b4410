import { Readable } from "node:stream";
import httpProxy from "@fastify/http-proxy";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import {
  ApiServerError,
  createHttpApp,
  listen,
  MAX_BODY_BYTES,
  NoQuery,
  ServiceError,
} from "../api/index.ts";
import type { Logger } from "../ports/index.ts";
import { ClusterError, hint } from "./errors.ts";
import type { NodeAddress, NodeProcess } from "./node-process.ts";

export interface SupervisedNode extends NodeAddress {
  readonly n: number;
  readonly dataDir: string;
  /** The node's own bearer token. */
  readonly token: string;
  readonly process: NodeProcess;
}

/** `GET /v1/cluster`. */
export interface ClusterInfo {
  readonly directory: string;
  readonly pid: number;
  readonly nodes: readonly {
    readonly n: number;
    readonly pid: number;
    readonly state: "running" | "exited";
    /** Of an exited node: its exit code or signal. */
    readonly exit: string | null;
    readonly api: string;
    readonly peer: string;
    readonly multiaddrs: readonly string[];
    readonly dataDir: string;
  }[];
}

export interface SupervisorServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Counted mining answers only when it is done, at most 10 minutes later; a little more, so that the node speaks first. */
const LONGEST_ANSWER_MS = 620_000;

/** Its bodies may have `MAX_BODY_BYTES`; on every other route the limit of `createHttpApp` is the node's too. */
const TRANSACTIONS_ROUTE = "/v1/transactions";

function infoOf(nodes: readonly SupervisedNode[], directory: string): ClusterInfo {
  return {
    directory,
    pid: process.pid,
    nodes: nodes.map(({ n, process: { id, exit }, api, peer, multiaddrs, dataDir }) => {
      const ended = exit();
      const how = ended === undefined ? null : String(ended.signal ?? ended.code);
      return {
        n,
        pid: id.pid,
        state: ended === undefined ? "running" : "exited",
        exit: how,
        api,
        peer,
        multiaddrs,
        dataDir,
      };
    }),
  };
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

/** Paths that could mean another place at the node than they say here. */
function checkPath(url: string, prefix: string): void {
  const path = url.split("?")[0] ?? "";
  const passed = decodeURIComponent(path).replaceAll("\\", "/").slice(prefix.length);
  if (!passed.startsWith("//") && !passed.split("/").includes("..")) return;
  const shown = path.slice(0, 120);
  const message = `${shown} is not passed on: after ${prefix} a path must not begin with "//", nor hold ".."; ask for ${prefix}/v1/... as is`;
  throw new ServiceError("URL_INVALID", 400, message, { details: { path: shown } });
}

/** What became of a request that got no answer: it did not reach the node, or nobody knows. */
function unanswered(n: number, error: Error, directory: string): string {
  const status = `${hint("status", directory)} tells whether it still runs`;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED" || code === "UND_ERR_CONNECT_TIMEOUT")
    return `node ${n} does not answer; ${status}`;
  if (code === "UND_ERR_HEADERS_TIMEOUT")
    return `node ${n} did not answer within ${LONGEST_ANSWER_MS / 1_000} s; ${status}`;
  return `the connection to node ${n} broke before it answered, so it may have done what was asked or not; ${status}`;
}

/** Passes on to one node whatever is asked below its prefix. */
async function addNode(app: FastifyInstance, node: SupervisedNode, directory: string): Promise<void> {
  const prefix = `/nodes/${node.n}`;
  // A body is whole, and no larger than the node takes, before anything is passed on: the node would answer a larger one
  // in the middle of it and close, and that answer is often lost to the broken connection.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, Readable.from([body], { objectMode: false })),
  );
  app.addHook("onRoute", (route) => {
    if (route.url === `${prefix}${TRANSACTIONS_ROUTE}`) route.bodyLimit = MAX_BODY_BYTES;
  });
  await app.register(httpProxy, {
    upstream: node.api,
    prefix,
    rewritePrefix: "",
    proxyPayloads: false,
    routes: [TRANSACTIONS_ROUTE, "/", "/*"],
    preHandler: async (request) => checkPath(request.url, prefix),
    undici: { headersTimeout: LONGEST_ANSWER_MS, bodyTimeout: 0 },
    replyOptions: {
      // The access check has passed by now, so whoever asks may do so with the node's token.
      rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization: `Bearer ${node.token}` }),
      onError: (reply, { error }) => {
        const message = unanswered(node.n, error, directory);
        void reply.code(502).send({ code: "NODE_UNREACHABLE", message, details: { node: node.n } });
      },
    },
  });
}

/**
 * One address for a whole cluster: /v1/cluster tells the nodes, /nodes/{n}/v1/... is each one's API. Who may change
 * anything is decided here, by the supervisor's token; the node's own token is added on the way.
 */
export async function startSupervisorServer(
  deps: { readonly logger: Logger; readonly nodes: readonly SupervisedNode[] },
  options: { readonly directory: string; readonly token: string; readonly port: number },
): Promise<SupervisorServer> {
  const app = createHttpApp(deps, {
    host: SUPERVISOR_HOST,
    token: options.token,
    apiRead: "token",
    hostNames: [],
  });
  app.get(
    "/v1/cluster",
    { schema: { summary: "The nodes of this cluster", querystring: NoQuery } },
    async () => infoOf(deps.nodes, options.directory),
  );
  for (const node of deps.nodes) {
    const plugin: FastifyPluginAsync = async (scope) => addNode(scope, node, options.directory);
    await app.register(plugin);
  }
  const url = await listen(app, { host: SUPERVISOR_HOST, port: options.port }).catch((error: unknown) => {
    throw error instanceof ApiServerError ? portError(options.port, error.cause) : error;
  });
  return { url, close: () => app.close() };
}
