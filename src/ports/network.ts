/** A peer's identity, proven by its transport key. Printable (libp2p: base58 of the key's hash). */
export type PeerName = string;

/** How a validator judges a gossip message; see docs/protocol.md, "Gossip". */
export type GossipVerdict = "accept" | "ignore" | "reject";

/** Judges one message before it is forwarded. A throw counts as "ignore" and is logged: it is our bug, not the peer's. */
export type GossipValidator = (from: PeerName, data: Uint8Array) => Promise<GossipVerdict>;

/** Answers one request with one response. A throw closes the stream; the requester sees `NETWORK_REFUSED`. */
export type RequestHandler = (from: PeerName, request: Uint8Array) => Promise<Uint8Array>;

export interface RequestLimits {
  /** Longest request accepted, in bytes; a longer claimed length closes the connection before anything is allocated. */
  readonly maxRequestBytes: number;
  /** Longest response accepted, in bytes. */
  readonly maxResponseBytes: number;
  /** Deadline for the first byte of the response. */
  readonly firstByteTimeoutMs: number;
  /** Deadline for the whole exchange. */
  readonly totalTimeoutMs: number;
}

export type NetworkErrorCode =
  | "NETWORK_CLOSED"
  | "NETWORK_DIAL_FAILED"
  | "NETWORK_NOT_CONNECTED"
  | "NETWORK_REFUSED"
  | "NETWORK_TIMEOUT"
  | "NETWORK_OVERSIZE"
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
  /** The first connection to a peer stands, and its protocols are known. */
  connect(connection: PeerConnection): void;
  /** The last connection to a peer is gone. */
  disconnect(peer: PeerName, reason: string): void;
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
  on<Name extends keyof NetworkEvents>(name: Name, listener: NetworkEvents[Name]): void;

  /** Connects to a multiaddr; settles with the name of the peer that answered. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<PeerName>;
  /** Closes every connection to the peer; it may come back. */
  disconnect(peer: PeerName, reason: string): Promise<void>;
  /**
   * The conditioner's *refuse*: closes connections to the peer and refuses new ones both ways, until `allow`. How a
   * cluster is split.
   */
  refuse(peer: PeerName): Promise<void>;
  allow(peer: PeerName): void;
  refused(): readonly PeerName[];

  /** Joins a topic; only topics that were joined are ever tracked for peers. `maxBytes` bounds one message. */
  subscribe(topic: string, maxBytes: number, validate: GossipValidator): void;
  /** Hands a message to the topic's peers; with no peers it reaches nobody and does not fail. */
  publish(topic: string, data: Uint8Array): Promise<void>;

  /** Serves a request protocol. */
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
