import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ServiceError } from "./service.ts";

/** Where `scripts/build` leaves the dashboard. */
export const PAGE_DIRECTORY = fileURLToPath(new URL("../../dist/dashboard", import.meta.url));

/** A build has some ten files; a folder with more is none of ours, and would fill the memory. */
const MAX_FILES = 100;
const MAX_PAGE_BYTES = 32 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** What the build leaves beside a file, best first. */
const ENCODINGS = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const;

/** Nothing but what this server has is loaded, nothing in the page's own text runs, and no page may frame it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Who serves the page: one node, or the supervisor of a cluster. */
export type PageOwner = "node" | "cluster";

interface Variant {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** A file of the page by encoding; "" is the file itself. */
type PageFile = ReadonlyMap<string, Variant>;

const variantOf = (bytes: Buffer, encoding: string): Variant => ({
  bytes,
  etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}${encoding === "" ? "" : `-${encoding}`}"`,
});

/** The page itself says who serves it, so that it need not ask what would be answered by an error. */
function signedBy(served: PageOwner, page: Buffer): PageFile {
  const signed = Buffer.from(page.toString("utf8").replace("<html ", `<html data-served="${served}" `));
  return new Map([
    ["", variantOf(signed, "")],
    ["br", variantOf(brotliCompressSync(signed), "br")],
    ["gzip", variantOf(gzipSync(signed), "gzip")],
  ]);
}

/** All files of a build, by path. Undefined where there is none. */
async function readPage(
  directory: string,
  served: PageOwner,
): Promise<ReadonlyMap<string, PageFile> | undefined> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, "/"));
  if (!names.includes("index.html") || names.length > MAX_FILES) return undefined;
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  if (sizes.reduce((sum, size) => sum + size, 0) > MAX_PAGE_BYTES) return undefined;
  const bytes = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
  );
  const files = new Map<string, PageFile>();
  for (const [name, plain] of bytes) {
    if (TYPES[extname(name)] === undefined) continue;
    if (name === "index.html") {
      files.set(name, signedBy(served, plain));
      continue;
    }
    const variants = new Map([["", variantOf(plain, "")]]);
    for (const { name: encoding, ending } of ENCODINGS) {
      const packed = bytes.get(name + ending);
      if (packed !== undefined) variants.set(encoding, variantOf(packed, encoding));
    }
    files.set(name, variants);
  }
  return files;
}

/** Encodings that a request takes, without those it refuses by `q=0`. */
function accepted(header: string | undefined): ReadonlySet<string> {
  const parts = (header ?? "").toLowerCase().split(",");
  return new Set(
    parts.filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part)).map((part) => part.split(";")[0]?.trim() ?? ""),
  );
}

function send(request: FastifyRequest, reply: FastifyReply, name: string, file: PageFile): FastifyReply {
  const wanted = accepted(request.headers["accept-encoding"]);
  const encoding = ENCODINGS.find((each) => wanted.has(each.name) && file.has(each.name))?.name ?? "";
  const { bytes, etag } = file.get(encoding) as Variant;
  // The names of assets hold their hash; the page that names them is asked for anew each time.
  const caching = name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  reply.headers({ etag, vary: "accept-encoding", "cache-control": caching });
  const known = (request.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim());
  if (known.includes(etag)) return reply.code(304).send();
  reply.headers({
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
  });
  if (encoding !== "") reply.header("content-encoding", encoding);
  return reply.type(TYPES[extname(name)] as string).send(bytes);
}

/**
 * Serves the dashboard at `/`, from memory, read at the first request. It holds nothing of the node, so it needs no token
 * where reading does: the page brings its own, in requests to the API.
 */
export function addPage(app: FastifyInstance, served: PageOwner, directory: string = PAGE_DIRECTORY): void {
  let reading: ReturnType<typeof readPage> | undefined;
  async function answer(request: FastifyRequest, reply: FastifyReply, name: string): Promise<FastifyReply> {
    reading ??= readPage(directory, served);
    const files = await reading.catch(() => undefined);
    if (files === undefined) {
      reading = undefined;
      const message = `the dashboard is not built; run scripts/build in the checkout, then load this page again (the API at /v1 needs none of it)`;
      throw new ServiceError("DASHBOARD_NOT_BUILT", 503, message);
    }
    const file = files.get(name);
    if (file !== undefined) return send(request, reply, name, file);
    const path = `/${name}`.slice(0, 120);
    const message = `the dashboard has no file ${path}; load the page again, it may have been built anew`;
    throw new ServiceError("ROUTE_NOT_FOUND", 404, message, { details: { path } });
  }
  const options = { schema: { hide: true }, config: { isPage: true } };
  app.get("/", options, (request, reply) => answer(request, reply, "index.html"));
  app.get<{ Params: { file: string } }>("/assets/:file", options, (request, reply) =>
    answer(request, reply, `assets/${request.params.file}`),
  );
}
