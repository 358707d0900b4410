import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { type EventStreams, NoQuery, ServiceError, Strict } from "../api/index.ts";
import type { RecordedEntry } from "../client/index.ts";
import { type ClusterRecorder, MAX_RECORDED_PAGE } from "./recorder.ts";

/** `GET /v1/cluster/timeline`. */
export interface ClusterTimelinePage {
  readonly items: readonly RecordedEntry[];
  /** Place after which more follows by now; null where there is nothing. */
  readonly next: string | null;
  /** Of the oldest entry that is kept; 0 before the first. */
  readonly firstPlace: number;
  readonly lastPlace: number;
}

export const CLUSTER_EVENT_KINDS = ["entry"] as const;
/** For readers that come back or are behind. */
export const MAX_STREAM_ENTRIES = 20_000;
export const MAX_STREAM_CHARACTERS = 16 * 1024 * 1024;

const PageQuery = Strict({
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_RECORDED_PAGE,
      description: `an integer from 1 to ${MAX_RECORDED_PAGE}`,
    }),
  ),
  after: Type.Optional(
    Type.String({
      pattern: "^(0|[1-9][0-9]{0,14})$",
      description: "a `next` value from the page before, or the `place` of an entry",
    }),
  ),
});
interface PageQuery {
  readonly limit?: number;
  readonly after?: string;
}

/** The merged timeline of all nodes: what is kept of it, and what comes. */
export function addTimelineRoutes(
  app: FastifyInstance,
  recorder: ClusterRecorder,
  streams: EventStreams<(typeof CLUSTER_EVENT_KINDS)[number]>,
): void {
  app.get<{ Querystring: PageQuery }>(
    "/v1/cluster/timeline",
    {
      schema: { summary: "What all nodes saw, and what was done to them, by place", querystring: PageQuery },
    },
    async ({ query: { after = "0", limit = 1_000 } }, reply) => {
      const { texts, next, firstPlace, lastPlace } = recorder.page({ after: Number(after), limit });
      const rest = JSON.stringify({ next: next === null ? null : String(next), firstPlace, lastPlace });
      return reply.type("application/json").send(`{"items":[${texts.join(",")}],${rest.slice(1)}`);
    },
  );
  app.get(
    "/v1/cluster/events",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Server-sent events: entry, of all nodes; start, gap and end",
        querystring: NoQuery,
      },
    },
    ({ headers }, reply) => {
      const lastEventId = headers["last-event-id"];
      if (Array.isArray(lastEventId))
        throw new ServiceError("REQUEST_INVALID", 400, "Last-Event-ID must be given once");
      streams.open(reply.raw, { lastEventId, kinds: new Set(CLUSTER_EVENT_KINDS) });
      reply.hijack();
    },
  );
}
