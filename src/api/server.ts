import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock, Logger, Timers } from "../ports/index.ts";
import { type AccessOptions, createAccessCheck } from "./access.ts";
import { answerMalformed, createErrorHandler, installNotFound } from "./errors.ts";
import { createEventStreams } from "./event-stream.ts";
import { createApiMetrics } from "./metrics.ts";
import { addChangingRoutes } from "./routes/changing.ts";
import { addReadingRoutes } from "./routes/reading.ts";
import type { NodeService } from "./service.ts";
import { compileValidator } from "./validation.ts";

export interface ApiServerDeps {
  readonly node: NodeService;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

export interface ApiServerOptions extends AccessOptions {
  /** 0: chosen by the system. */
  readonly port: number;
  /** The daemon's version, for OpenAPI. */
  readonly version: string;
}

export type ApiServerErrorCode = "API_PORT_BUSY" | "API_LISTEN_FAILED";

/** The API could not be served; the message names the address and what to do. */
export class ApiServerError extends Error {
  override readonly name = "ApiServerError";
  readonly code: ApiServerErrorCode;
  constructor(code: ApiServerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface ApiServer {
  /** Listens; settles with the URL, without a slash at the end. Fails with an `ApiServerError`. */
  start(): Promise<string>;
  /** Ends all requests and streams and settles within a few seconds; calling it twice is harmless. */
  close(): Promise<void>;
}

/** A request that takes longer to arrive than this is cut off: slow trickles hold no sockets. */
const REQUEST_ARRIVAL_MS = 10_000;
/** JSON bodies other than transactions are small. */
const BODY_BYTES = 64 * 1024;

function createApp(logger: Logger): FastifyInstance {
  const answerError = createErrorHandler(logger);
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_ARRIVAL_MS,
    keepAliveTimeout: 5_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 400 },
    clientErrorHandler: answerMalformed,
    // What the router itself refuses, before hooks and handlers.
    frameworkErrors: (error, request, reply) => answerError(error, request as FastifyRequest, reply as FastifyReply),
  });
  app.setErrorHandler(answerError);
  app.removeContentTypeParser("text/plain");
  app.setValidatorCompiler(compileValidator);
  // Our answers are typed by their schemas; a second, dropping serializer would only hide a mistake.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  return app;
}

/** The HTTP API of one node. */
export function createApiServer(deps: ApiServerDeps, options: ApiServerOptions): ApiServer {
  const logger = deps.logger.child({ module: "api" });
  const app = createApp(logger);
  const streams = createEventStreams(deps, { epoch: deps.clock.nowMs().toString(36) });
  const metrics = createApiMetrics(deps.node);
  const closing = new AbortController();
  const checkAccess = createAccessCheck(options);
  const unsubscribe = deps.node.subscribe((event) => streams.publish(event));

  app.addHook("onRequest", async (request) => checkAccess(request));
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
  });
  installNotFound(app);

  async function addRoutes(): Promise<void> {
    await app.register(swagger, {
      openapi: {
        openapi: "3.1.0",
        info: { title: "Cumulo node", version: options.version, description: "Errors are { code, message, details }." },
        components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      },
    });
    addReadingRoutes(app, deps.node);
    addChangingRoutes(app, { node: deps.node, timers: deps.timers, closing: closing.signal });
    app.get("/v1/events", { exposeHeadRoute: false, schema: { summary: "Server-sent events: head, reorg, block, tx, peer" } }, (_request, reply) => {
      streams.open(reply.raw);
      reply.hijack();
    });
    app.get("/metrics", { schema: { summary: "Prometheus metrics" } }, async (_request, reply) => {
      return reply.type(metrics.contentType).send(await metrics.text());
    });
    app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  }

  let closed: Promise<void> | undefined;
  return {
    async start() {
      await addRoutes();
      const host = options.host === "localhost" ? "127.0.0.1" : options.host;
      try {
        const url = await app.listen({ host, port: options.port });
        logger.info({ url }, "API listens");
        const { port } = new URL(url);
        const shown = host.includes(":") ? `[${host}]` : host;
        return `http://${shown}:${port}`;
      } catch (error) {
        throw listenError(error, host, options.port);
      }
    },
    close() {
      closed ??= (async () => {
        unsubscribe();
        closing.abort();
        streams.close();
        await app.close();
      })();
      return closed;
    },
  };
}

function listenError(error: unknown, host: string, port: number): ApiServerError {
  const { code, message } = error as NodeJS.ErrnoException;
  const address = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    const text = `port ${port} on ${host} is in use by another program; stop it, or choose another with --api HOST:PORT (port 0: any free one)`;
    return new ApiServerError("API_PORT_BUSY", text, { cause: error });
  }
  const why = code === "EACCES" ? "not permitted" : code === "EADDRNOTAVAIL" ? "not an address of this machine" : message;
  return new ApiServerError("API_LISTEN_FAILED", `cannot serve the API on ${address}: ${why}`, { cause: error });
}
