import type { MultiaddrConnection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Clock, Logger, PeerName } from "../ports/index.ts";

/** Slots for peers that nobody here asked for. Those that are wanted have theirs besides, however full it is. */
const MAX_STRANGERS = 128;
/** Of them, those from one address: whoever has one machine must not take the slots of all others. */
const MAX_INBOUND_PER_ADDRESS = 16;
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
  readonly maxStrangers?: number;
  /**
   * Of them, those from one IPv4 address or one IPv6 /64, and as many more that have not said who they are. Default 16,
   * with loopback left out, because all nodes of a local cluster share it; where it is given, it counts there too.
   */
  readonly maxInboundPerAddress?: number;
  /** Peers that this node wants: once named they find a slot, and take none of the strangers'. Asked at each connection. */
  readonly wanted?: () => ReadonlySet<PeerName>;
}

/** Who may come in. libp2p counts connections alike; here they are told apart by address and name. */
export interface Admission {
  /** A connection came whose peer is not known yet. */
  denies(connection: MultiaddrConnection): boolean;
  /** The same one: its peer has proven its name. */
  deniesPeer(peer: PeerName, connection: MultiaddrConnection): boolean;
}

interface Slot {
  /** Undefined where connections of one address are not counted. */
  readonly host: string | undefined;
  /** Undefined until the handshake has proven it. */
  peer: PeerName | undefined;
}

export function createAdmission(deps: AdmissionDeps, options: AdmissionOptions): Admission {
  const { maxStrangers = MAX_STRANGERS, maxInboundPerAddress = MAX_INBOUND_PER_ADDRESS } = options;
  const countsLoopback = options.maxInboundPerAddress !== undefined;
  const wanted = options.wanted ?? (() => new Set());
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
    if (count((slot) => slot.peer === peer) >= MAX_INBOUND_PER_PEER)
      return "too many connections of one peer";
    const friends = wanted();
    if (friends.has(peer)) return undefined;
    const isStranger = (slot: Slot) => slot.peer !== undefined && !friends.has(slot.peer);
    if (count(isStranger) >= maxStrangers) return "all slots for strangers are taken";
    if (host === undefined) return undefined;
    const ofHost = count((slot) => slot.host === host && isStranger(slot)) + restingOf(host);
    return ofHost >= maxInboundPerAddress ? "too many connections from one address" : undefined;
  }

  return {
    denies(connection) {
      if (connection.status !== "open") return true;
      const { host, isLoopback } = hostOf(connection.remoteAddr);
      const counted = isLoopback && !countsLoopback ? undefined : host;
      const unnamed = (slot: Slot) => slot.host === counted && slot.peer === undefined;
      if (counted !== undefined && count(unnamed) >= maxInboundPerAddress) {
        const reason = "too many handshakes from one address";
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

const IP4_CODE = 4;
const IP6_CODE = 41;
/** An IPv4 address as a socket for both kinds shows it: ::ffff:1.2.3.4. */
const MAPPED_PREFIX = "00000000000000000000ffff";
const LOOPBACK_6 = "1".padStart(32, "0");

/** What one party can be expected to hold as its own: an IPv4 address, or an IPv6 network of 64 bits. */
export function hostOf(address: Multiaddr): { readonly host: string; readonly isLoopback: boolean } {
  const [code] = address.bytes;
  const hex = (bytes: number) => Buffer.from(address.bytes.subarray(1, 1 + bytes)).toString("hex");
  if (code === IP4_CODE) return host4(hex(4));
  // Not by TCP over IP: nothing that we listen on.
  if (code !== IP6_CODE) return { host: address.toString(), isLoopback: false };
  const ip = hex(16);
  if (ip.startsWith(MAPPED_PREFIX)) return host4(ip.slice(MAPPED_PREFIX.length));
  return { host: ip.slice(0, 16), isLoopback: ip === LOOPBACK_6 };
}

const host4 = (hex: string) => ({ host: hex, isLoopback: hex.startsWith("7f") });
