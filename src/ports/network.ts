import type { LinkShapes } from "./line.ts";

/** A peer's identity, proven by its transport key. Printable (libp2p: base58 of the key's hash). */
export type PeerName = string;

/** How a validator judges a gossip message; see docs/protocol.md, "Gossip". */
export type GossipVerdict = "accept" | "ignore" | "reject";

/**
 * Judges one message before it is forwarded. A throw counts as "ignore" and is logged: it is our bug, not the peer's. So
 * does an answer that takes longer than the network keeps messages for forwarding. `data` is still to be forwarded: read
 * it, copy what you keep, change nothing.
 */
export type GossipValidator = (from: PeerName, data: Uint8Array) => Promise<GossipVerdict>;

/**
 * Answers one request with one response, given in pieces: the bytes of all, one after the other. They are sent without a
 * copy, so they must stay as they are. A throw ends the exchange; the requester sees `NETWORK_REFUSED`.
 */
export type RequestHandler = (from: PeerName, request: Uint8Array) => Promise<readonly Uint8Array[]>;

export interface RequestLimits {
  /** Longest request accepted, in bytes; a longer claimed length closes the connection before anything is allocated. */
  readonly maxRequestBytes: number;
  /** Longest response accepted, in bytes. */
  readonly maxResponseBytes: number;
  /** Deadline for the first byte of the response, from the moment the request is made. At the server: of the request. */
  readonly firstByteTimeoutMs: number;
  /** Deadline for the whole exchange, at either side. */
  readonly totalTimeoutMs: number;
}

/**
 * - `NETWORK_CLOSED`: not started, or stopped.
 * - `NETWORK_DIAL_FAILED`: nobody answered at the address, or no node.
 * - `NETWORK_OTHER_PEER`: a node answered there, but not the peer that the address names.
 * - `NETWORK_NOT_CONNECTED`: there is no connection to the peer, or it was lost on the way.
 * - `NETWORK_REFUSED`: the peer lives and declined (too much at once, its handler failed), or it is on this side's refuse
 *   list.
 * - `NETWORK_UNSUPPORTED`: the peer lives and does not speak the protocol.
 * - `NETWORK_TIMEOUT`: a deadline passed.
 * - `NETWORK_OVERSIZE`: longer than its limit: what we were about to send, or what the peer sent (then it is disconnected).
 * - `NETWORK_MALFORMED`: the peer's bytes are no frame; it is disconnected.
 * - `NETWORK_ADDRESS_INVALID`: not an address that this network can dial.
 * - `NETWORK_PORT_BUSY`: the address to listen on is taken.
 */
export type NetworkErrorCode =
  | "NETWORK_CLOSED"
  | "NETWORK_DIAL_FAILED"
  | "NETWORK_OTHER_PEER"
  | "NETWORK_NOT_CONNECTED"
  | "NETWORK_REFUSED"
  | "NETWORK_UNSUPPORTED"
  | "NETWORK_TIMEOUT"
  | "NETWORK_OVERSIZE"
  | "NETWORK_MALFORMED"
  | "NETWORK_ADDRESS_INVALID"
  | "NETWORK_PORT_BUSY";

/** The network could not do what was asked. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  readonly code: NetworkErrorCode;
  constructor(code: NetworkErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface PeerConnection {
  readonly peer: PeerName;
  readonly direction: "inbound" | "outbound";
  /** The address this connection uses, as a multiaddr. */
  readonly address: string;
  /** Unix time in ms. */
  readonly sinceMs: number;
}

export interface NetworkEvents {
  /**
   * The first connection to a peer stands, and its protocols are known. `announced`: where it says that it can be
   * dialled, at most 16 multiaddrs. Its claim, not checked.
   */
  connect(connection: PeerConnection, announced: readonly string[]): void;
  /** The last connection to a peer is gone. */
  disconnect(peer: PeerName, reason: string): void;
  /** A peer was punished. Also of one that is not connected, or no longer: it may have hung up on purpose. */
  fault(peer: PeerName, reason: string): void;
}

/**
 * Encrypted connections to named peers, with gossip and request/response over them. Knows bytes, not blocks. The real
 * one is libp2p over TCP; the in-memory one connects nodes of one process.
 */
export interface Network {
  readonly self: PeerName;
  /** Listens; after it settles, `addresses()` is complete. */
  start(): Promise<void>;
  /** Closes every connection within a few seconds; calling it twice is harmless. */
  stop(): Promise<void>;
  /** Multiaddrs that others can dial, each ending in /p2p/<self>. */
  addresses(): readonly string[];
  connections(): readonly PeerConnection[];
  /** Calls `listener` until the function it returns is called. A listener that throws is logged and harms nobody else. */
  on<Name extends keyof NetworkEvents>(name: Name, listener: NetworkEvents[Name]): () => void;

  /**
   * Connects to a multiaddr; settles with the name of the peer that answered, after its "connect" event. A peer that is
   * connected already is simply named.
   */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<PeerName>;
  /** Closes every connection to the peer; it may come back. */
  disconnect(peer: PeerName, reason: string): Promise<void>;
  /** The peer broke the protocol or the chain's rules: closes its connections, logs why, and tells "fault" listeners. */
  punish(peer: PeerName, reason: string): void;
  /**
   * The conditioner's *refuse*: closes connections to the peer and refuses new ones both ways, until `allow`. How a
   * cluster is split.
   */
  refuse(peer: PeerName): Promise<void>;
  allow(peer: PeerName): void;
  refused(): readonly PeerName[];
  /**
   * The conditioner's *shape*: what is sent to the peer and read from it goes through a line like this, on the connections
   * there are and those to come, in place of what was before. Undefined: whole. A dead line ends connections as a pulled
   * cable does, when a ping is not answered in time, and lets none be made.
   */
  shape(peer: PeerName, shapes: LinkShapes | undefined): void;

  /**
   * Joins a topic, before `start`; only topics that were joined are ever tracked for peers. `maxBytes` bounds one message;
   * a longer one costs its sender the connection.
   */
  subscribe(topic: string, maxBytes: number, validate: GossipValidator): void;
  /**
   * Hands a message to the topic's peers; with no peers it reaches nobody and does not fail, and the same bytes published
   * again within two minutes go nowhere. Fails with `NETWORK_OVERSIZE` above the topic's `maxBytes`.
   */
  publish(topic: string, data: Uint8Array): Promise<void>;

  /** Serves a request protocol, declared before `start`. */
  handle(protocol: string, limits: RequestLimits, handler: RequestHandler): void;
  /** Asks one connected peer. Fails with a `NetworkError`, or the signal's reason. */
  request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    limits: RequestLimits,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Uint8Array>;
}
