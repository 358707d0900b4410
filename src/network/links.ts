import type { Connection, ConnectionGater, MultiaddrConnection, PeerId } from "@libp2p/interface";
import type {
  Clock,
  Logger,
  NetworkEvents,
  PeerConnection,
  PeerName,
  Timer,
  Timers,
} from "../ports/index.ts";
import type { Admission } from "./admission.ts";
import type { Conditioner } from "./conditioner.ts";

/** A connection whose protocols are still unknown after it is of no use. */
const IDENTIFY_TIMEOUT_MS = 10_000;
/** A peer that says it gossips, and to which no gossip stream stands after it, would stay connected and deaf. */
const GOSSIP_START_TIMEOUT_MS = 15_000;
const GOSSIP_PROTOCOL_PREFIX = "/meshsub/";
/** A machine has a few addresses; a message of 8 KiB could claim a thousand. */
const MAX_ANNOUNCED = 16;

export interface LinksDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly admission: Admission;
  readonly conditioner: Conditioner;
}

/**
 * The peers behind libp2p's connections: one link per peer, whatever the number of its connections, announced once its
 * protocols are known. Also who is refused.
 *
 * When one of a peer's connections ends, the others are closed too: gossip lives on one of them, js-libp2p does not move
 * it, and the peer would stay connected and deaf. A redial makes a whole link again.
 */
export interface Links {
  readonly gater: ConnectionGater;
  opened(connection: Connection): void;
  /** What the peer says of itself: what it speaks, and where it can be dialled. */
  identified(connection: Connection, protocols: readonly string[], announced: readonly string[]): void;
  closed(connection: Connection): void;
  /** Closes the peer's connections at once, and tells whether there were any. The reason goes to "disconnect". */
  cut(peer: PeerName, reason: string): boolean;
  cutAll(reason: string): void;
  refuse(peer: PeerName): void;
  allow(peer: PeerName): void;
  refused(): readonly PeerName[];
  /** Announced links. */
  list(): readonly PeerConnection[];
  /** An open, identified connection to the peer. */
  connectionTo(peer: PeerName): Connection | undefined;
  /** Settles when the connection's peer is announced; fails when the connection ends first. */
  whenAnnounced(connection: Connection): Promise<void>;
  /** Tells "fault" listeners. */
  tellFault(peer: PeerName, reason: string): void;
  on<Name extends keyof NetworkEvents>(name: Name, listener: NetworkEvents[Name]): () => void;
}

interface Link {
  readonly peer: PeerName;
  /** Open connections; the value says whether identify is done. */
  readonly connections: Map<Connection, boolean>;
  /** What is expected of each connection next: identify, then gossip. */
  readonly deadlines: Map<Connection, Timer>;
  readonly waiting: Set<{ resolve(): void; reject(error: Error): void }>;
  announced: PeerConnection | undefined;
  reason: string | undefined;
}

export function createLinks(deps: LinksDeps): Links {
  const links = new Map<PeerName, Link>();
  const refused = new Set<PeerName>();
  const listeners: { readonly [Name in keyof NetworkEvents]: Set<NetworkEvents[Name]> } = {
    connect: new Set(),
    disconnect: new Set(),
    fault: new Set(),
  };

  function guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      deps.logger.error({ error }, "a network listener threw");
    }
  }

  function linkOf(connection: Connection): Link {
    const peer = connection.remotePeer.toString();
    let link = links.get(peer);
    if (link === undefined) {
      link = {
        peer,
        connections: new Map(),
        deadlines: new Map(),
        waiting: new Set(),
        announced: undefined,
        reason: undefined,
      };
      links.set(peer, link);
    }
    return link;
  }

  function cut(peer: PeerName, reason: string): boolean {
    const link = links.get(peer);
    if (link === undefined) return false;
    link.reason ??= reason;
    const open = [...link.connections.keys()].filter(({ status }) => status === "open");
    for (const connection of open) connection.abort(new Error(reason));
    return open.length > 0;
  }

  function clearDeadline(link: Link, connection: Connection): void {
    const timer = link.deadlines.get(connection);
    if (timer !== undefined) deps.timers.clear(timer);
    link.deadlines.delete(connection);
  }

  /** js-libp2p tries once to open the stream for gossip, and only logs a failure. */
  function expectGossip(link: Link, connection: Connection): void {
    const timer = deps.timers.set(GOSSIP_START_TIMEOUT_MS, () => {
      link.deadlines.delete(connection);
      const streams = [...link.connections.keys()].flatMap((each) => each.streams);
      if (
        streams.some(
          ({ direction, protocol }) =>
            direction === "outbound" && protocol.startsWith(GOSSIP_PROTOCOL_PREFIX),
        )
      )
        return;
      deps.logger.warn({ peer: link.peer }, "gossip with a peer did not start");
      cut(link.peer, "gossip did not start");
    });
    link.deadlines.set(connection, timer);
  }

  function announce(link: Link, connection: Connection, announced: readonly string[]): void {
    if (link.announced === undefined) {
      const info: PeerConnection = {
        peer: link.peer,
        direction: connection.direction,
        address: connection.remoteAddr.toString(),
        sinceMs: deps.clock.nowMs(),
      };
      link.announced = info;
      for (const listener of [...listeners.connect])
        guarded(() => listener(info, announced.slice(0, MAX_ANNOUNCED)));
    }
    for (const waiter of link.waiting) waiter.resolve();
    link.waiting.clear();
  }

  function gone(link: Link): void {
    links.delete(link.peer);
    const reason = link.reason ?? "closed by the peer";
    for (const waiter of link.waiting) waiter.reject(new Error(reason));
    if (link.announced === undefined) return;
    for (const listener of [...listeners.disconnect]) guarded(() => listener(link.peer, reason));
  }

  function closed(connection: Connection): void {
    const link = links.get(connection.remotePeer.toString());
    if (!link?.connections.delete(connection)) return;
    clearDeadline(link, connection);
    if (link.connections.size === 0) gone(link);
    else cut(link.peer, "one of its connections ended");
  }

  const isRefused = (peer: PeerId) =>
    refused.has(peer.toString()) || deps.admission.isBanned(peer.toString());

  /** Noise has named the peer: from here on its link is shaped, and where that is dead it could not have come. */
  function isCutOff(peer: PeerId, connection: MultiaddrConnection): boolean {
    deps.conditioner.named(connection, peer.toString());
    return deps.conditioner.isDead(peer.toString());
  }

  return {
    gater: {
      denyDialPeer: isRefused,
      denyDialMultiaddr: (address) => deps.admission.isBanned(address),
      // Whoever dials a name knows it before the first byte.
      denyOutboundConnection: (peer, connection) => {
        deps.conditioner.named(connection, peer.toString());
        return false;
      },
      denyOutboundEncryptedConnection: (peer, connection) => isRefused(peer) || isCutOff(peer, connection),
      // Before noise has named the peer there is nobody to refuse.
      denyInboundConnection: (connection) => deps.admission.denies(connection),
      denyInboundEncryptedConnection: (peer, connection) =>
        refused.has(peer.toString()) ||
        deps.admission.deniesPeer(peer.toString(), connection) ||
        isCutOff(peer, connection),
    },
    opened(connection) {
      // Refused while it was being upgraded, or gone already.
      if (isRefused(connection.remotePeer) || deps.admission.isBanned(connection.remoteAddr))
        connection.abort(new Error("refused"));
      if (connection.status !== "open") return;
      const link = linkOf(connection);
      link.connections.set(connection, false);
      const timer = deps.timers.set(IDENTIFY_TIMEOUT_MS, () => {
        deps.logger.warn({ peer: link.peer }, "a peer did not say what it speaks");
        connection.abort(new Error("identify timed out"));
      });
      link.deadlines.set(connection, timer);
    },
    identified(connection, protocols, announced) {
      const link = links.get(connection.remotePeer.toString());
      if (!link?.connections.has(connection)) return;
      clearDeadline(link, connection);
      if (protocols.some((protocol) => protocol.startsWith(GOSSIP_PROTOCOL_PREFIX)))
        expectGossip(link, connection);
      link.connections.set(connection, true);
      announce(link, connection, announced);
    },
    closed,
    cut,
    cutAll(reason) {
      for (const peer of [...links.keys()]) cut(peer, reason);
    },
    refuse(peer) {
      refused.add(peer);
      cut(peer, "refused");
    },
    allow(peer) {
      refused.delete(peer);
    },
    refused: () => [...refused],
    list: () => [...links.values()].flatMap((link) => link.announced ?? []),
    connectionTo(peer) {
      for (const [connection, identified] of links.get(peer)?.connections ?? []) {
        if (identified && connection.status === "open") return connection;
      }
      return undefined;
    },
    whenAnnounced(connection) {
      const link = links.get(connection.remotePeer.toString());
      if (link === undefined) return Promise.reject(new Error("the connection was closed"));
      if (link.announced !== undefined) return Promise.resolve();
      return new Promise((resolve, reject) => link.waiting.add({ resolve, reject }));
    },
    tellFault(peer, reason) {
      for (const listener of [...listeners.fault]) guarded(() => listener(peer, reason));
    },
    on(name, listener) {
      listeners[name].add(listener);
      return () => {
        listeners[name].delete(listener);
      };
    },
  };
}
