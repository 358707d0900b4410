import { Readable } from "node:stream";
import httpProxy from "@fastify/http-proxy";
import type { FastifyInstance } from "fastify";
import { MAX_BODY_BYTES, ServiceError } from "../api/index.ts";
import { hint } from "./errors.ts";
import type { Member } from "./member.ts";

/** Counted mining answers only when it is done, at most 10 minutes later; a little more, so that the node speaks first. */
const LONGEST_ANSWER_MS = 620_000;

/** Its bodies may have `MAX_BODY_BYTES`; on every other route the limit of `createHttpApp` is the node's too. */
const TRANSACTIONS_ROUTE = "/v1/transactions";

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

const unreachable = (n: number, message: string): ServiceError =>
  new ServiceError("NODE_UNREACHABLE", 502, message, { details: { node: n } });

/** Passes on to one node whatever is asked below its prefix. */
export async function addNodeProxy(app: FastifyInstance, node: Member, directory: string): Promise<void> {
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
    // Asked for at each request: a node that was started again may have another address.
    upstream: "",
    prefix,
    rewritePrefix: "",
    proxyPayloads: false,
    routes: [TRANSACTIONS_ROUTE, "/", "/*"],
    preHandler: async (request) => {
      checkPath(request.url, prefix);
      // Its port may be somebody else's by now, who must not get its token.
      const ended = node.ended();
      if (ended !== undefined) throw unreachable(node.n, ended.message);
    },
    undici: { headersTimeout: LONGEST_ANSWER_MS, bodyTimeout: 0 },
    replyOptions: {
      getUpstream: () => node.address()?.api ?? "",
      // The access check has passed by now, so whoever asks may do so with the node's token.
      // Waiting for a 100 is between whoever asks and this server, and answered by it.
      rewriteRequestHeaders: (_request, { expect: _, ...headers }) => ({
        ...headers,
        authorization: `Bearer ${node.token()}`,
      }),
      // The connection that these are about is the one to the node; this one may have to be closed.
      rewriteHeaders: ({ connection: _, "keep-alive": _timeout, ...headers }) => headers,
      onError: (reply, { error }) => {
        const message = unanswered(node.n, error, directory);
        void reply.code(502).send({ code: "NODE_UNREACHABLE", message, details: { node: node.n } });
      },
    },
  });
}
