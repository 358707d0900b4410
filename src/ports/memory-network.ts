import { createHash } from "node:crypto";
import type { Clock } from "./clock.ts";
import { type Logger, silentLogger } from "./logger.ts";
import {
  type GossipValidator,
  type GossipVerdict,
  type Network,
  NetworkError,
  type NetworkEvents,
  type PeerConnection,
  type PeerName,
  type RequestHandler,
  type RequestLimits,
} from "./network.ts";
import type { Timers } from "./timers.ts";

const SEEN_TTL_MS = 120_000;
const MAX_SEEN_MESSAGES = 65_536;
const MAX_INBOUND_REQUESTS_PER_PEER = 16;
const ADDRESS_PATTERN = /^(\/memory\/[^/]+|\/ip[46]\/[^/]+\/tcp\/\d+)(?:\/p2p\/([^/]+))?$/;

export interface MemoryNetworkDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger?: Logger;
}

/** Where the nodes of one process meet. */
export interface MemoryNetworkHub {
  /**
   * A network of its own for the node called `name` (no slashes); its address is `/memory/<name>/p2p/<name>`, or
   * `<place>/p2p/<name>` where a place such as /ip4/192.0.2.1/tcp/4001 is given. Joining again takes the place of a network
   * that was stopped, as a restarted node does.
   */
  join(name: PeerName, place?: string): Network;
}

interface Topic {
  readonly maxBytes: number;
  readonly validate: GossipValidator;
}

interface Served {
  readonly limits: RequestLimits;
  readonly handler: RequestHandler;
}

interface Link {
  readonly info: PeerConnection;
  readonly remote: MemoryNetwork;
  /** Aborted when the link breaks; requests in flight hang on it. */
  readonly broken: AbortController;
  inboundRequests: number;
}

/**
 * Networks of one process that keep the promises of the port without sockets: everything is delivered in a microtask,
 * and only deadlines wait (through `timers`).
 */
export function createMemoryNetworkHub(deps: MemoryNetworkDeps): MemoryNetworkHub {
  const nodes = new Map<PeerName, MemoryNetwork>();
  return {
    join(name, place = `/memory/${name}`) {
      if (name === "" || name.includes("/"))
        throw new RangeError("a node's name is not empty and has no slash");
      if (nodes.get(name)?.addresses().length) throw new Error(`a node called ${name} is running already`);
      const network = new MemoryNetwork(deps, name, place, nodes);
      nodes.set(name, network);
      return network;
    },
  };
}

function gossipId(topic: string, data: Uint8Array): string {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16LE(Buffer.byteLength(topic));
  return createHash("sha256").update(prefix).update(topic).update(data).digest("base64");
}

const settled = (): Promise<void> => new Promise((resolve) => queueMicrotask(resolve));

class MemoryNetwork implements Network {
  readonly self: PeerName;
  readonly #deps: MemoryNetworkDeps;
  readonly #logger: Logger;
  readonly #place: string;
  readonly #nodes: ReadonlyMap<PeerName, MemoryNetwork>;
  readonly #links = new Map<PeerName, Link>();
  readonly #refused = new Set<PeerName>();
  readonly #topics = new Map<string, Topic>();
  readonly #served = new Map<string, Served>();
  readonly #seen = new Map<string, number>();
  readonly #listeners: { readonly [Name in keyof NetworkEvents]: Set<NetworkEvents[Name]> } = {
    connect: new Set(),
    disconnect: new Set(),
    fault: new Set(),
  };
  #running = false;

  constructor(
    deps: MemoryNetworkDeps,
    name: PeerName,
    place: string,
    nodes: ReadonlyMap<PeerName, MemoryNetwork>,
  ) {
    this.self = name;
    this.#deps = deps;
    this.#logger = (deps.logger ?? silentLogger).child({ module: "network", self: name });
    this.#place = place;
    this.#nodes = nodes;
  }

  async start(): Promise<void> {
    this.#running = true;
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const peer of [...this.#links.keys()]) this.#unlink(peer, "stopped");
    this.#seen.clear();
  }

  addresses(): readonly string[] {
    return this.#running ? [`${this.#place}/p2p/${this.self}`] : [];
  }

  connections(): readonly PeerConnection[] {
    return [...this.#links.values()].map((link) => link.info);
  }

  on<Name extends keyof NetworkEvents>(name: Name, listener: NetworkEvents[Name]): () => void {
    const listeners: Set<NetworkEvents[Name]> = this.#listeners[name];
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  async dial(address: string, options: { readonly signal?: AbortSignal } = {}): Promise<PeerName> {
    const [, place, expected] = ADDRESS_PATTERN.exec(address) ?? [];
    if (place === undefined || place === this.#place || expected === this.self) {
      throw new NetworkError("NETWORK_ADDRESS_INVALID", `${address} is not an address to dial`);
    }
    this.#assertRunning();
    options.signal?.throwIfAborted();
    await settled();
    options.signal?.throwIfAborted();
    this.#assertRunning();
    const remote = [...this.#nodes.values()].find((node) => node.#place === place);
    const name = expected ?? remote?.self ?? "";
    if (this.#links.has(name)) return name;
    if (this.#refused.has(name)) throw new NetworkError("NETWORK_REFUSED", `${name} is refused here`);
    if (remote?.self !== name || !remote.#running || remote.#refused.has(this.self)) {
      throw new NetworkError("NETWORK_DIAL_FAILED", `nobody answers at ${address}`);
    }
    this.#link(remote, "outbound");
    remote.#link(this, "inbound");
    this.#announce(name);
    remote.#announce(this.self);
    return name;
  }

  async disconnect(peer: PeerName, reason: string): Promise<void> {
    if (this.#links.has(peer)) this.#logger.info({ peer, reason }, "disconnecting a peer");
    this.#unlink(peer, reason);
  }

  punish(peer: PeerName, reason: string): void {
    this.#logger.warn({ peer, reason }, "a peer broke the protocol and loses its connection");
    this.#unlink(peer, reason);
    for (const listener of [...this.#listeners.fault]) this.#guard(() => listener(peer, reason));
  }

  async refuse(peer: PeerName): Promise<void> {
    this.#refused.add(peer);
    this.#unlink(peer, "refused");
  }

  allow(peer: PeerName): void {
    this.#refused.delete(peer);
  }

  refused(): readonly PeerName[] {
    return [...this.#refused];
  }

  subscribe(topic: string, maxBytes: number, validate: GossipValidator): void {
    if (this.#running) throw new Error("topics are joined before the network starts");
    this.#topics.set(topic, { maxBytes, validate });
  }

  handle(protocol: string, limits: RequestLimits, handler: RequestHandler): void {
    if (this.#running) throw new Error("protocols are declared before the network starts");
    this.#served.set(protocol, { limits, handler });
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    this.#assertRunning();
    const joined = this.#topics.get(topic);
    if (joined === undefined) throw new Error(`the topic ${topic} was not joined`);
    if (data.length > joined.maxBytes) {
      throw new NetworkError(
        "NETWORK_OVERSIZE",
        `a message of ${data.length} bytes on a topic of ${joined.maxBytes}`,
      );
    }
    if (this.#markSeen(gossipId(topic, data))) this.#forward(topic, data.slice(), undefined);
  }

  async request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    limits: RequestLimits,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    this.#assertRunning();
    options.signal?.throwIfAborted();
    if (request.length > limits.maxRequestBytes) {
      throw new NetworkError(
        "NETWORK_OVERSIZE",
        `a request of ${request.length} bytes, at most ${limits.maxRequestBytes}`,
      );
    }
    const link = this.#links.get(peer);
    if (link === undefined) throw new NetworkError("NETWORK_NOT_CONNECTED", `not connected to ${peer}`);
    const response = await this.#withDeadline(
      link,
      limits,
      options.signal,
      settled().then(() => link.remote.#serve(this.self, protocol, request.slice())),
    );
    if (response.length > limits.maxResponseBytes) {
      this.punish(peer, "oversize response");
      throw new NetworkError("NETWORK_OVERSIZE", `a response of ${response.length} bytes`);
    }
    return response;
  }

  #assertRunning(): void {
    if (!this.#running) throw new NetworkError("NETWORK_CLOSED", "the network is not running");
  }

  #link(remote: MemoryNetwork, direction: "inbound" | "outbound"): void {
    const info: PeerConnection = {
      peer: remote.self,
      direction,
      address: `${remote.#place}/p2p/${remote.self}`,
      sinceMs: this.#deps.clock.nowMs(),
    };
    this.#links.set(remote.self, { info, remote, broken: new AbortController(), inboundRequests: 0 });
  }

  #announce(peer: PeerName): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    for (const listener of [...this.#listeners.connect])
      this.#guard(() => listener(link.info, link.remote.addresses()));
  }

  #unlink(peer: PeerName, reason: string): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    this.#links.delete(peer);
    link.broken.abort(new NetworkError("NETWORK_NOT_CONNECTED", `the connection to ${peer} was lost`));
    link.remote.#unlink(this.self, "closed by the peer");
    for (const listener of [...this.#listeners.disconnect]) this.#guard(() => listener(peer, reason));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error({ error }, "a network listener threw");
    }
  }

  /** True the first time within the TTL. */
  #markSeen(id: string): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [oldest, untilMs] of this.#seen) {
      if (untilMs > nowMs && this.#seen.size < MAX_SEEN_MESSAGES) break;
      this.#seen.delete(oldest);
    }
    if (this.#seen.has(id)) return false;
    this.#seen.set(id, nowMs + SEEN_TTL_MS);
    return true;
  }

  #forward(topic: string, data: Uint8Array, source: PeerName | undefined): void {
    for (const [peer, { remote }] of this.#links) {
      if (peer === source || !remote.#topics.has(topic)) continue;
      queueMicrotask(() => {
        // The link may have been cut since: then the message is lost, as it would be on a wire.
        if (this.#links.get(peer)?.remote === remote) void remote.#receive(topic, data, this.self);
      });
    }
  }

  async #receive(topic: string, data: Uint8Array, from: PeerName): Promise<void> {
    const joined = this.#topics.get(topic);
    if (joined === undefined || !this.#running) return;
    if (data.length > joined.maxBytes) {
      this.punish(from, "oversize gossip");
      return;
    }
    if (!this.#markSeen(gossipId(topic, data))) return;
    let verdict: GossipVerdict = "ignore";
    try {
      verdict = await joined.validate(from, data);
    } catch (error) {
      this.#logger.error({ error, topic }, "a gossip validator threw");
    }
    if (verdict === "accept") this.#forward(topic, data, from);
  }

  async #serve(from: PeerName, protocol: string, request: Uint8Array): Promise<Uint8Array> {
    const served = this.#served.get(protocol);
    const link = this.#links.get(from);
    if (link === undefined) throw new NetworkError("NETWORK_NOT_CONNECTED", "the connection was lost");
    if (served === undefined)
      throw new NetworkError("NETWORK_UNSUPPORTED", `${this.self} does not speak ${protocol}`);
    if (link.inboundRequests >= MAX_INBOUND_REQUESTS_PER_PEER)
      throw new NetworkError("NETWORK_REFUSED", `${this.self} does not serve this ${protocol} request`);
    if (request.length > served.limits.maxRequestBytes) {
      this.punish(from, "oversize request");
      throw new NetworkError("NETWORK_NOT_CONNECTED", "the connection was lost");
    }
    link.inboundRequests++;
    try {
      return new Uint8Array(Buffer.concat(await served.handler(from, request)));
    } catch (error) {
      this.#logger.debug({ peer: from, protocol, error }, "a request handler failed");
      throw new NetworkError("NETWORK_REFUSED", `${this.self} refused the ${protocol} request`);
    } finally {
      link.inboundRequests--;
    }
  }

  #withDeadline(
    link: Link,
    limits: RequestLimits,
    signal: AbortSignal | undefined,
    work: Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const fail = (reason: unknown) => {
        finish();
        reject(reason);
      };
      // A response arrives whole here, so its first byte is its last.
      const timeoutMs = Math.min(limits.firstByteTimeoutMs, limits.totalTimeoutMs);
      const timer = this.#deps.timers.set(timeoutMs, () => {
        fail(new NetworkError("NETWORK_TIMEOUT", `no response within ${timeoutMs} ms`));
      });
      const onBroken = () => fail(link.broken.signal.reason);
      const onAbort = () => fail(signal?.reason);
      const finish = () => {
        this.#deps.timers.clear(timer);
        link.broken.signal.removeEventListener("abort", onBroken);
        signal?.removeEventListener("abort", onAbort);
      };
      link.broken.signal.addEventListener("abort", onBroken, { once: true });
      signal?.addEventListener("abort", onAbort, { once: true });
      work.then((response) => {
        finish();
        resolve(response);
      }, fail);
    });
  }
}
