import type { FastifyInstance } from "fastify";
import type { EventStreams } from "../event-stream.ts";
import { EventsQuery, NODE_EVENT_TYPES, type NodeEventType } from "../schemas/index.ts";

const kindsOf = (text: string | undefined): ReadonlySet<NodeEventType> =>
  new Set(text === undefined ? NODE_EVENT_TYPES : (text.split(",") as NodeEventType[]));

/** The stream of events, which a client resumes by what it got last. */
export function addEventRoute(app: FastifyInstance, streams: EventStreams<NodeEventType>): void {
  app.get<{ Querystring: EventsQuery }>(
    "/v1/events",
    {
      exposeHeadRoute: false,
      schema: {
        summary: "Server-sent events: head, reorg, block, tx, peer; and start, gap, end of the stream itself",
        querystring: EventsQuery,
      },
    },
    ({ query, headers }, reply) => {
      const lastEventId = headers["last-event-id"];
      streams.open(reply.raw, {
        lastEventId: Array.isArray(lastEventId) ? lastEventId.join() : lastEventId,
        kinds: kindsOf(query.kinds),
      });
      reply.hijack();
    },
  );
}
