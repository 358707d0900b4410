import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "../ports/index.ts";
import { type AccessOptions, createAccessCheck, isLoopback } from "./access.ts";
import { limitConnections } from "./connection-limits.ts";
import { answerMalformed, createErrorHandler, installNotFound } from "./errors.ts";
import type { RateKind, RateLimits } from "./rate-limits.ts";
import { ServiceError } from "./service.ts";
import { compileValidator } from "./validation.ts";

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

/** A request that takes longer to arrive than this is cut off: slow trickles hold no sockets. */
const REQUEST_ARRIVAL_MS = 10_000;
/** How often that is looked at. */
const ARRIVAL_CHECK_MS = 1_000;
const FOR_NO_OTHER_ORIGIN = {
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};
/** JSON bodies other than transactions are small. */
const BODY_BYTES = 64 * 1024;

declare module "fastify" {
  interface FastifyContextConfig {
    /** Tokens that a request costs (`rate-limits.ts`): 1 unless the answer takes more work than a look. */
    readonly cost?: number;
    /** A file of the dashboard: it tells nothing of the node, so reading it needs no token anywhere. */
    readonly isPage?: boolean;
  }
}

export interface HttpAppDeps {
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly limits?: RateLimits;
  /** After so long without a byte either way a connection is closed; 0, the default: never. */
  readonly idleTimeoutMs?: number;
}

/** Takes tokens for a request. Fails with RATE_LIMITED, and tells the client when to come again. */
export type Charge = (request: FastifyRequest, reply: FastifyReply, cost: number) => void;

function createCharge(limits: RateLimits, hasToken: (request: FastifyRequest) => boolean): Charge {
  return (request, reply, cost) => {
    const { method, ip: address } = request;
    const kind: RateKind = method === "GET" || method === "HEAD" ? "read" : "change";
    const isTrusted = isLoopback(address) || hasToken(request);
    const refused = limits.take({ address, isTrusted, kind, cost });
    if (refused === undefined) return;
    const seconds = Math.ceil(refused.waitMs / 1_000);
    reply.header("retry-after", String(seconds));
    const whose = refused.scope === "address" ? "this address asks" : "all addresses together ask";
    const message = `${whose} for more than the node serves; try again in ${seconds} s`;
    const details = { scope: refused.scope, retryAfterMs: refused.waitMs };
    throw new ServiceError("RATE_LIMITED", 429, message, { details });
  };
}

/**
 * A server with our manners and no routes yet: access checked, errors in one form, requests bounded in size and time.
 * Nodes and cluster supervisors build on it.
 */
export function createHttpApp(deps: HttpAppDeps, access: AccessOptions): FastifyInstance {
  const answerError = createErrorHandler(deps.logger);
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_ARRIVAL_MS,
    // Node would refuse a request without Host with an empty answer; the access check says what is missing.
    http: { connectionsCheckingInterval: ARRIVAL_CHECK_MS, requireHostHeader: false },
    keepAliveTimeout: 5_000,
    connectionTimeout: deps.idleTimeoutMs ?? 0,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 400 },
    clientErrorHandler: answerMalformed,
    // What the router itself refuses, before hooks and handlers.
    frameworkErrors: (error, request, reply) =>
      answerError(error, request as FastifyRequest, reply as FastifyReply),
  });
  app.removeContentTypeParser("text/plain");
  app.setValidatorCompiler(compileValidator);
  // Our answers are typed by their schemas; a second, dropping serializer would only hide a mistake.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(answerError);
  limitConnections(app.server);
  // Node would answer an unknown Expect with an empty 417; servers may disregard it (RFC 9110, 10.1.1).
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  const { check, hasToken } = createAccessCheck(access);
  const charge = deps.limits === undefined ? undefined : createCharge(deps.limits, hasToken);
  // Node's own deadline ends with the answer; a body that trickles on after a refusal would hold its socket for ever.
  app.addHook("onResponse", async ({ raw }) => {
    if (raw.complete) return;
    setTimeout(() => {
      if (!raw.complete) raw.socket.destroy();
    }, REQUEST_ARRIVAL_MS).unref();
  });
  const routes = installNotFound(app);
  app.addHook("onRequest", async (request, reply) => {
    // No page of another origin is to embed an answer, nor to have it taken for something else.
    reply.headers(FOR_NO_OTHER_ORIGIN);
    // Before anything is looked at: guessing tokens and asking for nothing costs too.
    charge?.(request, reply, request.routeOptions.config.cost ?? 1);
    const wrongMethod = routes.wrongMethod(request);
    if (wrongMethod === undefined) return check(request, request.routeOptions.config.isPage === true);
    reply.header("allow", (wrongMethod.details["allowed"] as string[]).join(", "));
    throw wrongMethod;
  });
  return app;
}

/** Listens; settles with the URL, without a slash at the end. Fails with an `ApiServerError`. */
export async function listen(
  app: FastifyInstance,
  address: { readonly host: string; readonly port: number },
): Promise<string> {
  const host = address.host.toLowerCase() === "localhost" ? "127.0.0.1" : address.host;
  try {
    const { port } = new URL(await app.listen({ host, port: address.port }));
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  } catch (error) {
    throw listenError(error, host, address.port);
  }
}

function listenError(error: unknown, host: string, port: number): ApiServerError {
  const { code, message } = error as NodeJS.ErrnoException;
  const address = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    const text = `port ${port} on ${host} is in use by another program; stop it, or choose another with --api HOST:PORT (port 0: any free one)`;
    return new ApiServerError("API_PORT_BUSY", text, { cause: error });
  }
  const why =
    code === "EACCES"
      ? "not permitted"
      : code === "EADDRNOTAVAIL"
        ? "not an address of this machine; give one of its own, such as 127.0.0.1"
        : code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "no such host name is known; give an address, such as 127.0.0.1"
          : message;
  return new ApiServerError("API_LISTEN_FAILED", `cannot serve the API on ${address}: ${why}`, {
    cause: error,
  });
}
