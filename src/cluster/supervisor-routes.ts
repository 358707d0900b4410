import type { FastifyInstance, FastifyRequest } from "fastify";
import Type from "typebox";
import { NoQuery, ServiceError, Strict } from "../api/index.ts";
import { type Fleet, NODE_DEEDS } from "./fleet.ts";
import type { Healing } from "./healings.ts";
import type { ClusterLink, ClusterSplit } from "./link-plan.ts";
import { addLinkRoutes } from "./link-routes.ts";
import { isLogPlace, type LogPage, readLogAfter, readLogEnd } from "./log-file.ts";
import type { NodeView } from "./member.ts";
import { nodeLogOf } from "./node-process.ts";
import { addSendRoute } from "./send.ts";
import { told } from "./told.ts";

/** `GET /v1/cluster`. */
export interface ClusterInfo {
  readonly directory: string;
  readonly pid: number;
  readonly split: ClusterSplit | null;
  /** Those that are not whole; links that the split cuts are not among them. */
  readonly links: readonly ClusterLink[];
  /** The last times that something was healed, oldest first, with the time until the nodes that run had converged. */
  readonly healings: readonly Healing[];
  readonly nodes: readonly NodeView[];
}

/** `GET /v1/cluster/nodes/{n}/log`. */
export type NodeLog = LogPage;

const DEFAULT_LINES = 50;
export const MAX_LINES = 10_000;

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
    split: fleet.split() ?? null,
    links: fleet.links(),
    healings: fleet.healings(),
    nodes: await Promise.all(fleet.members.map((member) => member.view())),
  });
  app.get(
    "/v1/cluster",
    { schema: { summary: "The nodes of this cluster, and what its links are like", querystring: NoQuery } },
    () => told(info()),
  );
  for (const deed of NODE_DEEDS)
    app.post<{ Params: { n: string } }>(
      `/v1/cluster/nodes/:n/${deed}`,
      { schema: { summary: `A node's process: ${deed}`, querystring: NoQuery } },
      ({ params }) => told((async () => fleet.act(memberOf(fleet, params.n).n, deed))()),
    );
  addLog(app, fleet);
  addLinkRoutes(app, fleet);
  addSendRoute(app, fleet);
}
