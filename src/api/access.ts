import { createHash, timingSafeEqual } from "node:crypto";
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

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  // URLs have one form for each address, whatever zeros were typed.
  return isIP(host) === 6
    ? new URL(`http://[${host}]`).hostname === "[::1]"
    : host.toLowerCase() === "localhost";
}

/** The name in a Host header, without port and brackets; undefined where it is none. */
function hostName(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(header ?? "");
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * Decides who may do what. Changing needs the token. Reading is open on loopback, and elsewhere only if the owner says
 * so; it then needs a Host name we know, since a web page can point a name of its own at our address (DNS rebinding)
 * and read the answers as its own. Who has the token is no such page.
 */
export function createAccessCheck(options: AccessOptions): (request: FastifyRequest) => void {
  const expected = digest(options.token);
  const loopback = isLoopback(options.host);
  const known = new Set(
    ["localhost", "127.0.0.1", "::1", options.host, ...options.hostNames].map((n) => n.toLowerCase()),
  );
  // A rebound name is never an IP literal, so where we serve other machines any literal will do.
  const isKnown = (name: string): boolean => known.has(name) || (!loopback && isIP(name) !== 0);

  return (request) => {
    const { authorization } = request.headers;
    const given = /^Bearer ([^\s]{1,512})$/i.exec(authorization ?? "")?.[1];
    // Digests have one length, so the comparison tells nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
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
    const name = hostName(request.headers.host);
    if (name === undefined || !isKnown(name)) {
      const message = `this node does not serve the host name ${JSON.stringify((request.headers.host ?? "").slice(0, 80))}; use localhost or an address of this machine`;
      throw new ServiceError("HOST_NOT_SERVED", 421, message);
    }
    if (!loopback && options.apiRead !== "open") {
      throw new ServiceError(
        "TOKEN_REQUIRED",
        401,
        "reading on this address needs the bearer token in <data>/api-token",
      );
    }
  };
}
