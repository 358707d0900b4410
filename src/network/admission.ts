import type { MultiaddrConnection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Clock, Logger, PeerName } from "../ports/index.ts";
import { formatIp, holderOf, ipIn, isLocal } from "../sync/index.ts";

/** Slots for peers that nobody here asked for. Those that are wanted have theirs besides, however full it is. */
export const MAX_INBOUND = 128;
/** Of them, those from one address: whoever has one machine must not take the slots of all others. */
export const MAX_INBOUND_PER_IP = 16;
/** Two peers that dial each other at once have two connections; more is an attempt to take the slots of others. */
const MAX_INBOUND_PER_PEER = 4;
/** A stranger's slot of an address stays taken so long after the end, or a peer that was cut would be back at once. */
const SLOT_REST_MS = 10_000;

export interface AdmissionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AdmissionOptions {
  /** Connections that strangers may have opened to us. Default 128. */
  readonly maxInbound?: number;
  /**
   * Of them, those from one IPv4 address or one IPv6 /64, and as many more that have not said who they are. Default 16.
   * Not of loopback and private networks: all nodes of a local cluster share one.
   */
  readonly maxInboundPerIp?: number;
  /** For tests, which have no other addresses: counts loopback and private ones like all. */
  readonly countsLocal?: boolean;
  /** Peers' names and IP addresses that are kept away. Asked at each connection, both ways. */
  readonly isBanned?: (subject: string) => boolean;
  /** Peers that this node wants: once named they find a slot, and take none of the strangers'. Asked at each connection. */
  readonly wanted?: () => ReadonlySet<PeerName>;
}

/** Who may come in. libp2p counts connections alike; here they are told apart by address and name. */
export interface Admission {
  /** A connection came whose peer is not known yet. */
  denies(connection: MultiaddrConnection): boolean;
  /** The same one: its peer has proven its name. */
  deniesPeer(peer: PeerName, connection: MultiaddrConnection): boolean;
  /** Whether a peer, or all at an address, are kept away: not to be dialled either. */
  isBanned(peerOrAddress: PeerName | Multiaddr): boolean;
}

interface Slot {
  /** Undefined where connections of one address are not counted. */
  readonly host: string | undefined;
  /** Undefined until the handshake has proven it. */
  peer: PeerName | undefined;
}

export function createAdmission(deps: AdmissionDeps, options: AdmissionOptions): Admission {
  const { maxInbound = MAX_INBOUND, maxInboundPerIp = MAX_INBOUND_PER_IP, countsLocal = false } = options;
  const { wanted = () => new Set(), isBanned = () => false } = options;
  const slots = new Map<MultiaddrConnection, Slot>();
  /** Slots of strangers that left, oldest first. */
  let resting: { readonly host: string; readonly untilMs: number }[] = [];

  const count = (matches: (slot: Slot) => boolean) => [...slots.values()].filter(matches).length;

  function restingOf(host: string): number {
    const nowMs = deps.clock.monotonicMs();
    resting = resting.filter(({ untilMs }) => untilMs > nowMs);
    return resting.filter((slot) => slot.host === host).length;
  }

  function leave(connection: MultiaddrConnection): void {
    const slot = slots.get(connection);
    slots.delete(connection);
    if (slot !== undefined && slot.peer === undefined) {
      const address = connection.remoteAddr.toString();
      deps.logger.debug({ address }, "a connection ended before its peer had proven a name");
    }
    if (slot?.host === undefined || slot.peer === undefined || wanted().has(slot.peer)) return;
    resting.push({ host: slot.host, untilMs: deps.clock.monotonicMs() + SLOT_REST_MS });
  }

  /** Why a named peer may not come in. */
  function problemOf(peer: PeerName, host: string | undefined): string | undefined {
    if (isBanned(peer)) return "banned";
    if (count((slot) => slot.peer === peer) >= MAX_INBOUND_PER_PEER)
      return "too many connections of one peer";
    const friends = wanted();
    if (friends.has(peer)) return undefined;
    const isStranger = (slot: Slot) => slot.peer !== undefined && !friends.has(slot.peer);
    if (count(isStranger) >= maxInbound) return "all slots for strangers are taken";
    if (host === undefined) return undefined;
    const ofHost = count((slot) => slot.host === host && isStranger(slot)) + restingOf(host);
    return ofHost >= maxInboundPerIp ? "too many connections from one address" : undefined;
  }

  function bansAddress(address: Multiaddr): boolean {
    const ip = ipIn(address.toString());
    return ip !== undefined && isBanned(formatIp(ip));
  }

  return {
    isBanned: (one) => (typeof one === "string" ? isBanned(one) : bansAddress(one)),
    denies(connection) {
      if (connection.status !== "open") return true;
      const { host, isLocal } = hostOf(connection.remoteAddr);
      const counted = isLocal && !countsLocal ? undefined : host;
      const unnamed = (slot: Slot) => slot.host === counted && slot.peer === undefined;
      const isCrowded = counted !== undefined && count(unnamed) >= maxInboundPerIp;
      if (isCrowded || bansAddress(connection.remoteAddr)) {
        const reason = isCrowded ? "too many handshakes from one address" : "banned";
        deps.logger.debug({ address: connection.remoteAddr.toString(), reason }, "a connection was denied");
        return true;
      }
      slots.set(connection, { host: counted, peer: undefined });
      connection.addEventListener("close", () => leave(connection), { once: true });
      return false;
    },
    deniesPeer(peer, connection) {
      const slot = slots.get(connection);
      const reason = slot === undefined ? "it was closed meanwhile" : problemOf(peer, slot.host);
      if (slot !== undefined && reason === undefined) slot.peer = peer;
      else {
        slots.delete(connection);
        const address = connection.remoteAddr.toString();
        deps.logger.debug({ address, peer, reason }, "a connection was denied");
      }
      return reason !== undefined;
    },
  };
}

/** Whose address it is; `isLocal`: of this machine or a private network, where many nodes may share one. */
export function hostOf(address: Multiaddr): { readonly host: string; readonly isLocal: boolean } {
  const bytes = ipIn(address.toString());
  // Not by TCP over IP: nothing that we listen on.
  if (bytes === undefined) return { host: address.toString(), isLocal: false };
  return { host: holderOf(bytes), isLocal: isLocal(bytes) };
}
