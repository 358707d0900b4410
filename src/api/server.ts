import swagger from "@fastify/swagger";
import type { Clock, Logger, Metrics, MetricsPage, Timers } from "../ports/index.ts";
import type { AccessOptions } from "./access.ts";
import { createEventStreams } from "./event-stream.ts";
import { createHttpApp, listen } from "./http-app.ts";
import { createApiMetrics } from "./metrics.ts";
import { completeOpenApi, type OpenApiDocument } from "./openapi.ts";
import { addPage } from "./page.ts";
import { createRateLimits } from "./rate-limits.ts";
import { openApiPath, ROUTE_DOCS } from "./route-docs.ts";
import { addChangingRoutes } from "./routes/changing.ts";
import { addEventRoute } from "./routes/events.ts";
import { addReadingRoutes } from "./routes/reading.ts";
import { ERROR_DETAILS, NODE_EVENT_TYPES, NoQuery } from "./schemas/index.ts";
import type { NodeService } from "./service.ts";

export interface ApiServerDeps {
  readonly node: NodeService;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Where the API's own numbers go, and what `/metrics` shows. */
  readonly metrics: Metrics & MetricsPage;
}

export interface ApiServerOptions extends AccessOptions {
  /** 0: chosen by the system. */
  readonly port: number;
  /** Tells this start of the node apart from others: ids of events begin with it. */
  readonly run: string;
  /** The daemon's version, for OpenAPI. */
  readonly version: string;
  /** Where the built dashboard is; default: this checkout's. */
  readonly pageDirectory?: string;
}

export interface ApiServer {
  /** Listens; settles with the URL, without a slash at the end. Fails with an `ApiServerError`. */
  start(): Promise<string>;
  /** Ends all requests and streams and settles within a few seconds; calling it twice is harmless. */
  close(): Promise<void>;
}

/**
 * A client that reads nothing of its answer for so long, or up to twice as long (Node.js looks twice where some was taken
 * at first), holds memory for nothing. Streams have a heartbeat before that.
 */
const IDLE_MS = 60_000;

/** The HTTP API of one node. */
export function createApiServer(deps: ApiServerDeps, options: ApiServerOptions): ApiServer {
  const logger = deps.logger.child({ module: "api" });
  const app = createHttpApp(
    { logger, limits: createRateLimits(deps.clock), idleTimeoutMs: IDLE_MS },
    options,
  );
  const metrics = createApiMetrics(deps.metrics);
  const streams = createEventStreams(
    { ...deps, cut: metrics.cutStreams },
    { run: options.run, kinds: NODE_EVENT_TYPES },
  );
  metrics.watchStreams(() => streams.size);
  const closing = new AbortController();
  const unsubscribe = deps.node.subscribe(streams.publish, streams.missed);

  // A query that nobody reads is a mistake to be told, on every route alike.
  app.addHook("onRoute", (route) => {
    route.schema = { querystring: NoQuery, ...route.schema };
    const { cost } = ROUTE_DOCS[`${[route.method].flat()[0]} ${openApiPath(route.url)}`] ?? {};
    if (cost !== undefined) route.config = { ...route.config, cost };
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
  });

  async function addRoutes(): Promise<void> {
    await app.register(swagger, {
      openapi: {
        openapi: "3.1.0",
        info: {
          title: "Cumulo node",
          version: options.version,
          description: `Errors are { code, message, details }; what has no more to tell has empty details. ${ERROR_DETAILS}.`,
        },
        components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      },
    });
    addReadingRoutes(app, deps.node);
    addChangingRoutes(app, { node: deps.node, timers: deps.timers, closing: closing.signal });
    addEventRoute(app, streams);
    app.get("/metrics", { schema: { summary: "Prometheus metrics" } }, async (_request, reply) => {
      return reply.type(deps.metrics.contentType).send(await deps.metrics.text());
    });
    addPage(app, "node", options.pageDirectory);
    let document: unknown;
    app.get("/openapi.json", { schema: { hide: true } }, async () => {
      // Made once: it says the same as long as the server runs.
      document ??= completeOpenApi(app.swagger() as unknown as OpenApiDocument);
      return document;
    });
  }

  let closed: Promise<void> | undefined;
  function close(): Promise<void> {
    closed ??= (async () => {
      unsubscribe();
      closing.abort();
      streams.close();
      await app.close();
    })();
    return closed;
  }

  return {
    async start() {
      try {
        await addRoutes();
        const url = await listen(app, options);
        logger.info({ url }, "API listens");
        return url;
      } catch (error) {
        // A server that could not start leaves no heartbeat behind to keep the process alive.
        await close();
        throw error;
      }
    },
    close,
  };
}
