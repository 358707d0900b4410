import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "../ports/index.ts";
import { type AccessOptions, createAccessCheck } from "./access.ts";
import { answerMalformed, createErrorHandler, installNotFound } from "./errors.ts";
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
/** JSON bodies other than transactions are small. */
const BODY_BYTES = 64 * 1024;

/**
 * A server with our manners and no routes yet: access checked, errors in one form, requests bounded in size and time.
 * Nodes and cluster supervisors build on it.
 */
export function createHttpApp(deps: { readonly logger: Logger }, access: AccessOptions): FastifyInstance {
  const answerError = createErrorHandler(deps.logger);
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_ARRIVAL_MS,
    http: { connectionsCheckingInterval: ARRIVAL_CHECK_MS },
    keepAliveTimeout: 5_000,
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
  const checkAccess = createAccessCheck(access);
  const routes = installNotFound(app);
  app.addHook("onRequest", async (request, reply) => {
    const wrongMethod = routes.wrongMethod(request);
    if (wrongMethod === undefined) return checkAccess(request);
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
        ? "not an address of this machine"
        : code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "no such host name is known; give an address, such as 127.0.0.1"
          : message;
  return new ApiServerError("API_LISTEN_FAILED", `cannot serve the API on ${address}: ${why}`, {
    cause: error,
  });
}
