import type { FastifyInstance, FastifyRequest } from "fastify";
import Type from "typebox";
import { NoQuery, ServiceError, Strict } from "../api/index.ts";
import { ClusterError, type ClusterErrorCode } from "./errors.ts";
import { type Fleet, NODE_DEEDS } from "./fleet.ts";
import { isLogPlace, type LogPage, readLogAfter, readLogEnd } from "./log-file.ts";
import type { NodeView } from "./member.ts";
import { nodeLogOf } from "./node-process.ts";
import { MAX_NODES } from "./topology.ts";

/** `GET /v1/cluster`. */
export interface ClusterInfo {
  readonly directory: string;
  readonly pid: number;
  /** The split in force. */
  readonly groups: readonly (readonly number[])[] | null;
  readonly nodes: readonly NodeView[];
}

/** `GET /v1/cluster/nodes/{n}/log`. */
export type NodeLog = LogPage;

const DEFAULT_LINES = 50;
export const MAX_LINES = 10_000;

const NodeNumber = Type.Integer({ minimum: 1, maximum: 1_000, description: "the number of a node" });
const Split = Strict({
  groups: Type.Array(Type.Array(NodeNumber, { maxItems: MAX_NODES }), {
    minItems: 1,
    maxItems: MAX_NODES,
    description: "a list of groups of nodes, such as [[1, 2], [3]]",
  }),
});
const LogQuery = Strict({
  lines: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_LINES,
      description: `how many lines from the end: an integer from 1 to ${MAX_LINES}`,
    }),
  ),
  after: Type.Optional(Type.String({ maxLength: 40, description: "a `next` value from an answer before" })),
});
interface LogQuery {
  readonly lines?: number;
  readonly after?: string;
}

const STATUS: Partial<Record<ClusterErrorCode, number>> = {
  CLUSTER_NODE_UNKNOWN: 404,
  CLUSTER_GROUPS_INVALID: 400,
  CLUSTER_NODE_FAILED: 500,
  CLUSTER_START_FAILED: 500,
  CLUSTER_PROCESS_UNKNOWN: 500,
  CLUSTER_NOT_RUNNING: 503,
};

/** A cluster's error as an answer; the rest say that a node is in the wrong state. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const { code, message, details } = error;
    throw new ServiceError(code, STATUS[code] ?? 409, message, { details, cause: error });
  }
}

/** Logs are files that only their owner may read, so here reading needs the token too. A wrong one was refused before. */
function needToken(request: FastifyRequest): void {
  if (request.headers.authorization !== undefined) return;
  const message = "reading a log needs the bearer token in api-token of the cluster's directory";
  throw new ServiceError("TOKEN_REQUIRED", 401, message);
}

function addLog(app: FastifyInstance, fleet: Fleet): void {
  const summary =
    "A node's log: its last lines, or with `after` the lines since an answer's `next`; each is as it was written";
  app.get<{ Params: { n: string }; Querystring: LogQuery }>(
    "/v1/cluster/nodes/:n/log",
    { schema: { summary, querystring: LogQuery } },
    (request) =>
      told(
        (async (): Promise<NodeLog> => {
          needToken(request);
          const { lines = DEFAULT_LINES, after } = request.query;
          const file = nodeLogOf(memberOf(fleet, request.params.n).dataDir);
          if (after === undefined) return readLogEnd(file, lines);
          if (isLogPlace(after)) return readLogAfter(file, after);
          throw new ServiceError(
            "REQUEST_INVALID",
            400,
            "after must be a `next` value from an answer before",
          );
        })(),
      ),
  );
}

const memberOf = (fleet: Fleet, n: string) => fleet.member(/^[1-9]\d{0,3}$/.test(n) ? Number(n) : 0);

/** What the supervisor itself answers. */
export function addSupervisorRoutes(app: FastifyInstance, fleet: Fleet, directory: string): void {
  const info = async (): Promise<ClusterInfo> => ({
    directory,
    pid: process.pid,
    groups: fleet.groups() ?? null,
    nodes: await Promise.all(fleet.members.map((member) => member.view())),
  });
  app.get(
    "/v1/cluster",
    { schema: { summary: "The nodes of this cluster, and how it is split", querystring: NoQuery } },
    () => told(info()),
  );
  app.put<{ Body: { groups: number[][] } }>(
    "/v1/cluster/split",
    { schema: { summary: "Cuts the cluster into groups", querystring: NoQuery, body: Split } },
    async ({ body }) => {
      await told(fleet.split(body.groups));
      return { groups: body.groups };
    },
  );
  app.delete(
    "/v1/cluster/split",
    { schema: { summary: "Joins all groups again", querystring: NoQuery } },
    async () => {
      await told(fleet.heal());
      return { groups: null };
    },
  );
  for (const deed of NODE_DEEDS)
    app.post<{ Params: { n: string } }>(
      `/v1/cluster/nodes/:n/${deed}`,
      { schema: { summary: `A node's process: ${deed}`, querystring: NoQuery } },
      ({ params }) => told((async () => fleet.act(memberOf(fleet, params.n).n, deed))()),
    );
  addLog(app, fleet);
}
