import type { ComponentLogger, Logger as Libp2pLogger, PeerDiscovery, Startable } from "@libp2p/interface";
import { type MulticastDNSComponents, mdns } from "@libp2p/mdns";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { PeerName } from "../ports/index.ts";
import { parseEndpoint } from "../sync/index.ts";

/** How often we ask, and the time in which the bounds below hold. */
const ASK_EVERY_MS = 10_000;
/** Answers looked at: anybody on the local network may send as many as it likes. */
const MAX_ANSWERS = 64;
/** Questions answered: all hear each answer. */
const MAX_ANSWERED = 32;
/** Of one answer. */
const MAX_ADDRESSES = 16;

export interface LocalDiscoveryInit {
  /** Names of other networks are asked for under other names. Letters, digits and hyphens, at most 8. */
  readonly tag: string;
  /** Somebody on the local network says that a peer is there. Multiaddrs of private networks, without its name. */
  readonly found: (peer: PeerName, addresses: readonly string[]) => void;
  /** Told once: why nobody may be found. */
  readonly problem: (reason: string) => void;
}

/** The part of libp2p's address manager that is needed; a service is given it. */
interface Components {
  readonly addressManager: { getAddresses(): Multiaddr[] };
}

/** True so many times in each interval. */
function createAllowance(max: number): () => boolean {
  let sinceMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs - sinceMs >= ASK_EVERY_MS) [sinceMs, count] = [nowMs, 0];
    count += 1;
    return count <= max;
  };
}

const isOfLocalNetwork = (address: Multiaddr): boolean =>
  parseEndpoint(address.toString())?.reach === "private";

/**
 * Multicast DNS: asks the local network who is of this chain, and answers who asks. Not a discovery service of libp2p's own,
 * which would remember every peer that anybody names; what to make of an answer is decided by who is told of it.
 */
export function localDiscovery({ tag, found, problem }: LocalDiscoveryInit) {
  let isTold = false;
  // It hands everything to its log, also what hostile packets bring about; only what the system refuses is worth a line.
  const error = (_format: string, cause: unknown): void => {
    if (isTold || !(cause instanceof Error && "syscall" in cause)) return;
    isTold = true;
    problem(cause.message);
  };
  const log: Libp2pLogger = Object.assign(() => {}, {
    error,
    trace: () => {},
    enabled: false,
    newScope: () => log,
  });
  const logger: ComponentLogger = { forComponent: () => log };

  return ({ addressManager }: Components) => {
    const mayAnswer = createAllowance(MAX_ANSWERED);
    const mayLook = createAllowance(MAX_ANSWERS);
    // Asked for with each question; without any there is no answer.
    const told = {
      getAddresses: () => (mayAnswer() ? addressManager.getAddresses().filter(isOfLocalNetwork) : []),
    };
    const service = mdns({ interval: ASK_EVERY_MS, serviceTag: `_cumulo-${tag}._udp.local` })({
      addressManager: told,
      logger,
    } as unknown as MulticastDNSComponents) as PeerDiscovery & Startable;
    service.addEventListener("peer", ({ detail: { id, multiaddrs } }) => {
      if (!mayLook()) return;
      const local = multiaddrs.slice(0, MAX_ADDRESSES).filter(isOfLocalNetwork);
      if (local.length > 0)
        found(
          id.toString(),
          local.map((address) => address.toString()),
        );
    });
    return {
      start: () => service.start(),
      stop: () => service.stop(),
    };
  };
}
