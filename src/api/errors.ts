import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../ports/index.ts";
import type { ErrorBody } from "./schemas/index.ts";
import { ServiceError } from "./service.ts";

type Details = Readonly<Record<string, unknown>>;

const CONTENT_TYPES = ["application/json", "application/octet-stream"];

/** What fastify itself refuses, in our words. A code that is missing here keeps its status and gets a general sentence. */
const FRAMEWORK_ERRORS: Readonly<
  Record<string, readonly [code: string, message: string, details?: Details]>
> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    "CONTENT_TYPE_UNSUPPORTED",
    "the content type must be application/json, or application/octet-stream for one SSZ transaction",
    { allowed: CONTENT_TYPES },
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["BODY_INVALID", "the body is empty, but its content type promises JSON"],
  FST_ERR_CTP_INVALID_JSON_BODY: ["BODY_INVALID", "the body is not valid JSON"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["BODY_INVALID", "the body's length differs from its Content-Length"],
  FST_ERR_BAD_URL: ["URL_INVALID", "the URL's path is not valid percent-encoding"],
  FST_ERR_MAX_PARAM_LENGTH: ["URL_INVALID", "a part of the URL's path is too long"],
};

const CHAIN_STOPPED = "CHAIN_STOPPED";

export const errorBody = (code: string, message: string, details: Details = {}): ErrorBody => ({
  code,
  message,
  details: { ...details },
});

function describe(
  error: FastifyError | ServiceError,
  maxBytes: number,
): { readonly status: number; readonly body: ErrorBody } | undefined {
  if (error instanceof ServiceError) {
    return { status: error.status, body: errorBody(error.code, error.message, error.details) };
  }
  // A disk that is full, mostly: the message says what to do, and the node is about to end.
  if ((error as { readonly code?: string }).code === CHAIN_STOPPED)
    return { status: 503, body: errorBody(CHAIN_STOPPED, error.message) };
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) return undefined;
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    const message = `the body must have at most ${maxBytes} bytes on this route; send less at a time`;
    return { status, body: errorBody("BODY_TOO_LARGE", message, { maxBytes }) };
  }
  const known = FRAMEWORK_ERRORS[error.code ?? ""];
  if (known !== undefined) return { status, body: errorBody(...known) };
  if (error instanceof SyntaxError)
    return { status, body: errorBody("BODY_INVALID", "the body is not valid JSON") };
  return {
    status,
    body: errorBody("REQUEST_INVALID", `${STATUS_CODES[status] ?? "the request is not valid"}`),
  };
}

/** Read of a body that is refused, beyond what the route takes; after that the connection is closed in its face. */
const MAX_DRAINED_BYTES = 16 * 1024 * 1024;

/**
 * Settles when the rest of a refused body has come, up to a bound; the time for it is that of the whole request. A
 * connection that closes while its client still sends is reset, and the answer is lost with it.
 */
function drain(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let left = MAX_DRAINED_BYTES;
    if (request.complete || request.destroyed) return resolve();
    request.once("end", resolve).once("close", resolve);
    request.on("data", (chunk: Uint8Array) => {
      left -= chunk.length;
      if (left < 0) resolve();
    });
    request.resume();
  });
}

/** Answers every failure of a route; what nobody foresaw is logged whole and told as INTERNAL without details. */
export function createErrorHandler(logger: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const known = describe(error, request.routeOptions.bodyLimit);
    if (known === undefined) {
      logger.error({ err: error, method: request.method, url: request.url.slice(0, 200) }, "request failed");
      void reply.code(500).send(errorBody("INTERNAL", "the node failed to answer; its log has the reason"));
      return;
    }
    const answer = (): void => void reply.code(known.status).send(known.body);
    if (known.status === 413) void drain(request.raw).then(answer);
    else answer();
  };
}

interface Route {
  readonly methods: readonly string[];
  readonly pattern: RegExp;
}

/** The routes of a server by path: what is missing, and what is only asked for in a wrong way. */
export interface RouteIndex {
  /** A 405 for a path that is served with other methods only. It holds for everybody, so no token is asked for. */
  wrongMethod(request: FastifyRequest): ServiceError | undefined;
}

/** 404 for paths nobody serves, 405 (with Allow) where only the method is wrong. Call before routes are added. */
export function installNotFound(app: FastifyInstance): RouteIndex {
  const routes: Route[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    const source = url.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:[a-zA-Z]+/g, "[^/]+");
    routes.push({ methods: [method].flat(), pattern: new RegExp(`^${source}$`) });
  });
  const pathOf = ({ url }: FastifyRequest): string => url.split("?")[0] ?? "";
  app.setNotFoundHandler((request) => {
    const path = pathOf(request).slice(0, 120);
    const message = `nothing is served at ${path}; /openapi.json lists the routes`;
    throw new ServiceError("ROUTE_NOT_FOUND", 404, message, { details: { path } });
  });
  return {
    wrongMethod(request) {
      if (!request.is404) return undefined;
      const path = pathOf(request);
      const served = routes.filter(({ pattern }) => pattern.test(path));
      if (served.length === 0) return undefined;
      const { method } = request;
      const allowed = [...new Set(served.flatMap(({ methods }) => methods))];
      const message = `${method} is not possible on ${path.slice(0, 120)}; allowed: ${allowed.join(", ")}`;
      return new ServiceError("METHOD_NOT_ALLOWED", 405, message, { details: { method, allowed } });
    },
  };
}

/** Answers bytes that are not HTTP, or headers beyond Node's limit, before any route exists for them. */
export function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "HEADERS_TOO_LARGE", "the request's headers are too large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "REQUEST_TIMEOUT", "the request did not arrive in time"]
        : [400, "HTTP_INVALID", "the request is not valid HTTP"];
  const body = JSON.stringify(errorBody(String(code), String(message)));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[Number(status)]}\r\nContent-Type: application/json\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}
