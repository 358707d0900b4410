import type { GossipSub, GossipSubComponents } from "@libp2p/gossipsub";
import { type Identify, identify } from "@libp2p/identify";
import type {
  ComponentLogger,
  ConnectionGater,
  Libp2p,
  Logger as Libp2pLogger,
  PrivateKey,
} from "@libp2p/interface";
import { type Ping, ping } from "@libp2p/ping";
import type { Multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { NetworkError } from "../ports/index.ts";
import type { Conditioner } from "./conditioner.ts";
import { type GuardDeps, guardedTransport } from "./guarded-transport.ts";
import type { LocalDiscoveryInit } from "./local-discovery.ts";

export interface HostInit {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly gater: ConnectionGater;
  readonly guard: GuardDeps;
  readonly conditioner: Conditioner;
  readonly gossip: (components: GossipSubComponents) => GossipSub;
  /** Absent: nothing is multicast. */
  readonly discover?: LocalDiscoveryInit;
}

export type Host = Libp2p<{ identify: Identify; ping: Ping; gossip: GossipSub; listening: Listening }>;

/** The part of libp2p's address manager that knows which addresses are told to others. */
export interface AddressBook {
  getAddressesWithMetadata(): readonly {
    readonly multiaddr: Multiaddr;
    readonly verified: boolean;
    readonly type: string;
  }[];
  confirmObservedAddr(address: Multiaddr, options: { readonly type: "transport" }): void;
  /** Not in its interface: writes our addresses down a second after the last change, the closing of listeners included. */
  readonly _updatePeerStoreAddresses?: { stop(): void };
}

/**
 * Libp2p keeps public addresses of this machine's own to itself until some service has had them dialled from outside, which
 * none here does: a node on a public address would tell nobody of it, and have none to print.
 */
interface Listening {
  announceAll(): void;
  /** For a host that has stopped: what it still wants to write down would keep the process alive for a second. */
  ended(): void;
}

export const createListening = ({ addressManager }: { readonly addressManager: AddressBook }): Listening => ({
  announceAll() {
    for (const { multiaddr, verified, type } of addressManager.getAddressesWithMetadata())
      if (type === "transport" && !verified) addressManager.confirmObservedAddr(multiaddr, { type });
  },
  ended: () => addressManager._updatePeerStoreAddresses?.stop(),
});

/** Of one dial, from the first packet until the peer is known. */
export const DIAL_TIMEOUT_MS = 10_000;
/** New inbound connections per second from one address. The default of 5 breaks a local cluster: all share one. */
const INBOUND_CONNECTIONS_PER_SECOND_PER_HOST = 256;
const MAX_PENDING_INBOUND_CONNECTIONS = 128;
const PING_INTERVAL_MS = 10_000;
/** Gossipsub opens its streams one after the other: a peer that stalls here keeps the others waiting. Default 10 s. */
const STREAM_NEGOTIATION_TIMEOUT_MS = 5_000;
/** A link that the conditioner made slow, or a busy peer, answers late; only a dead one does not answer at all. */
const PING_TIMEOUT_MS = 15_000;

/** A libp2p node that has not started, with nothing in it that dials, discovers or reconnects by itself. */
export async function createHost(init: HostInit): Promise<Host> {
  const transport = guardedTransport(init.guard);
  const { discover } = init;
  // Most nodes do without it, and need not load it.
  const local = discover && (await import("./local-discovery.ts")).localDiscovery(discover);
  return createLibp2p({
    start: false,
    privateKey: init.privateKey,
    addresses: { listen: [...init.listen], announce: [...init.announce] },
    transports: [init.conditioner.transport],
    connectionEncrypters: [transport.encrypter],
    streamMuxers: [transport.muxer],
    connectionGater: init.gater,
    connectionManager: {
      // The gater decides, by address and name; what libp2p closes to make room may be what we want most.
      maxConnections: Number.POSITIVE_INFINITY,
      inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND_PER_HOST,
      maxIncomingPendingConnections: MAX_PENDING_INBOUND_CONNECTIONS,
      // One address is dialled at a time, so it has all the time that a dial has; the default of 6 s breaks slow links.
      addressDialTimeout: DIAL_TIMEOUT_MS,
      outboundStreamProtocolNegotiationTimeout: STREAM_NEGOTIATION_TIMEOUT_MS,
      // The supervisor redials; this queue would give up after a few tries and race with it until then.
      reconnectRetries: 0,
    },
    connectionMonitor: {
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: { minTimeout: PING_TIMEOUT_MS },
      abortConnectionOnPingFailure: true,
    },
    logger: silentComponents,
    nodeInfo: { name: "cumulo", userAgent: "cumulo" },
    services: {
      identify: identify(),
      ping: ping(),
      gossip: init.gossip,
      listening: createListening,
      ...(local && { local }),
    },
  });
}

/** Starts it on `listen`; a port that is taken fails as `NETWORK_PORT_BUSY` and names the address. */
export async function startHost(host: Host, listen: readonly string[]): Promise<void> {
  try {
    await host.start();
    host.services.listening.announceAll();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // js-libp2p keeps only the text of the socket's error.
    const busy = /EADDRINUSE[^\n]*?(\S+:\d+)/.exec(message)?.[1];
    if (busy === undefined) {
      const text = `cannot listen on ${listen.join(", ")}; use an address of this machine, such as /ip4/127.0.0.1/tcp/0`;
      throw new NetworkError("NETWORK_ADDRESS_INVALID", text, { cause: error });
    }
    throw new NetworkError(
      "NETWORK_PORT_BUSY",
      `another program listens on ${busy} already; stop it, or choose another with --listen`,
      {
        cause: error,
      },
    );
  }
}

// libp2p logs every frame and every failed dial; what matters is logged by this room in its own words.
const silentLog: Libp2pLogger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => silentLog,
});
const silentComponents: ComponentLogger = { forComponent: () => silentLog };
