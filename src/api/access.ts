import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import { ServiceError } from "./service.ts";

export interface AccessOptions {
  /** The address the server binds. */
  readonly host: string;
  /** What changing anything needs in `Authorization: Bearer`. */
  readonly token: string;
  /** `open`: reading needs no token on any address. `token`: it does, unless the address is loopback. */
  readonly apiRead: "open" | "token";
  /** Further names under which browsers may reach this server. */
  readonly hostNames: readonly string[];
}

export interface AccessCheck {
  /** Throws where the request may not do what it asks for. `isPage`: it asks for a file that is the same at every node. */
  check(request: FastifyRequest, isPage?: boolean): void;
  hasToken(request: FastifyRequest): boolean;
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^::ffff:(?=\d+\.)/i, "");
  if (isIP(plain) === 4) return plain.startsWith("127.");
  // URLs have one form for each address, whatever zeros were typed.
  return isIP(host) === 6
    ? new URL(`http://[${host}]`).hostname === "[::1]"
    : host.toLowerCase() === "localhost";
}

/** One form for each IPv6 address; anything else in lowercase. */
const oneForm = (name: string): string =>
  isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase();

/** The name in a Host header, without port and brackets; undefined where it is none. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(header);
  const name = match?.[1] ?? match?.[2];
  return name === undefined ? undefined : oneForm(name);
}

/** What a request says whom it is for. A target with a host of its own counts above Host (RFC 9112, 3.2.2). */
function askedHost({ url = "", rawHeaders }: IncomingMessage): string | undefined {
  const hosts = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === "host");
  // None, or two that readers may choose between differently.
  if (hosts.length !== 1) return undefined;
  return url.startsWith("/") ? hosts[0] : /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * Decides who may do what. Changing needs the token. Reading is open on loopback, and elsewhere only if the owner says
 * so; it then needs a Host name we know, since a web page can point a name of its own at our address (DNS rebinding)
 * and read the answers as its own. Who has the token is no such page.
 */
export function createAccessCheck(options: AccessOptions): AccessCheck {
  const expected = digest(options.token);
  const loopback = isLoopback(options.host);
  const known = new Set(["localhost", "127.0.0.1", "::1", options.host, ...options.hostNames].map(oneForm));
  // A rebound name is never an IP literal, so where we serve other machines any literal will do.
  const isKnown = (name: string): boolean => known.has(name) || (!loopback && isIP(name) !== 0);

  function hasToken({ headers: { authorization } }: FastifyRequest): boolean {
    const given = /^Bearer ([^\s]{1,512})$/i.exec(authorization ?? "")?.[1];
    // Digests have one length, so the comparison tells nothing about the token's.
    return given !== undefined && timingSafeEqual(digest(given), expected);
  }

  function check(request: FastifyRequest, isPage = false): void {
    const { authorization } = request.headers;
    if (hasToken(request)) return;
    if (authorization !== undefined) {
      throw new ServiceError(
        "TOKEN_WRONG",
        401,
        "the bearer token is not this node's; it is in <data>/api-token",
      );
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new ServiceError(
        "TOKEN_REQUIRED",
        401,
        "changing anything needs the bearer token in <data>/api-token",
      );
    }
    const asked = askedHost(request.raw) ?? "";
    const name = hostName(asked);
    if (name === undefined || !isKnown(name)) {
      const what =
        asked === ""
          ? "a request must name its host, once"
          : `this node does not serve the host name ${JSON.stringify(asked.slice(0, 80))}`;
      throw new ServiceError("HOST_NOT_SERVED", 421, `${what}; use localhost or an address of this machine`);
    }
    if (!loopback && options.apiRead !== "open" && !isPage) {
      throw new ServiceError(
        "TOKEN_REQUIRED",
        401,
        "reading on this address needs the bearer token in <data>/api-token",
      );
    }
  }
  return { check, hasToken };
}
