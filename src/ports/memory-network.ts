import type { Clock } from "./clock.ts";
import type { LinkShapes } from "./line.ts";
import { createLinkShapeTable } from "./link-shapes.ts";
import { type Logger, silentLogger } from "./logger.ts";
import { withDeadline } from "./memory-deadline.ts";
import { createMemoryLine, type MemoryLine } from "./memory-line.ts";
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
import type { Random } from "./random.ts";
import { SeenMessages } from "./seen-messages.ts";
import type { Timer, Timers } from "./timers.ts";

const MAX_INBOUND_REQUESTS_PER_PEER = 16;
/** As of the real one: how long a connection over a dead line stands, and a dial into one waits. */
const PING_MS = 25_000;
const DIAL_TIMEOUT_MS = 10_000;
const ADDRESS_PATTERN = /^(\/memory\/[^/]+|\/ip[46]\/[^/]+\/tcp\/\d+)(?:\/p2p\/([^/]+))?$/;

export interface MemoryNetworkDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger?: Logger;
  /** For links that are shaped. Absent: they neither jitter nor lose. */
  readonly random?: Pick<Random, "fraction">;
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
  /** What we send. */
  readonly line: MemoryLine;
  /** While the line is dead. */
  unanswered: Timer | undefined;
}

/**
 * Networks of one process that keep the promises of the port without sockets: everything is delivered in a microtask,
 * and only deadlines wait (through `timers`). A link that is shaped holds messages as the real one does bytes; making a
 * connection takes no time on it.
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

const settled = (): Promise<void> => new Promise((resolve) => queueMicrotask(resolve));

class MemoryNetwork implements Network {
  readonly self: PeerName;
  readonly #deps: MemoryNetworkDeps;
  readonly #logger: Logger;
  readonly #place: string;
  readonly #nodes: ReadonlyMap<PeerName, MemoryNetwork>;
  readonly #links = new Map<PeerName, Link>();
  readonly #refused = new Set<PeerName>();
  readonly #shapes = createLinkShapeTable();
  readonly #topics = new Map<string, Topic>();
  readonly #served = new Map<string, Served>();
  readonly #seen: SeenMessages;
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
    this.#seen = new SeenMessages(deps.clock);
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
    if (this.#shapes.isDead(name)) await this.#lineLives(name, options.signal);
    if (this.#links.has(name)) return name;
    if (this.#refused.has(name)) throw new NetworkError("NETWORK_REFUSED", `${name} is refused here`);
    if (
      remote?.self !== name ||
      !remote.#running ||
      remote.#refused.has(this.self) ||
      remote.#shapes.isDead(this.self)
    ) {
      throw new NetworkError("NETWORK_DIAL_FAILED", `nobody answers at ${address}`);
    }
    const link = this.#link(remote, "outbound");
    const back = remote.#link(this, "inbound");
    this.#shapeLink(link);
    remote.#shapeLink(back);
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

  shape(peer: PeerName, shapes: LinkShapes | undefined): void {
    this.#shapes.set(peer, shapes);
    const link = this.#links.get(peer);
    if (link !== undefined) this.#shapeLink(link);
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
    if (this.#seen.mark(topic, data)) this.#forward(topic, data.slice(), undefined);
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
    const work = this.#exchange(link, protocol, request.slice());
    const response = await withDeadline(this.#deps.timers, limits, link.broken.signal, options.signal, work);
    if (response.length > limits.maxResponseBytes) {
      this.punish(peer, "oversize response");
      throw new NetworkError("NETWORK_OVERSIZE", `a response of ${response.length} bytes`);
    }
    return response;
  }

  #assertRunning(): void {
    if (!this.#running) throw new NetworkError("NETWORK_CLOSED", "the network is not running");
  }

  #link(remote: MemoryNetwork, direction: "inbound" | "outbound"): Link {
    const info: PeerConnection = {
      peer: remote.self,
      direction,
      address: `${remote.#place}/p2p/${remote.self}`,
      sinceMs: this.#deps.clock.nowMs(),
    };
    const line = createMemoryLine({ random: undefined, ...this.#deps });
    const broken = new AbortController();
    const link: Link = { info, remote, broken, inboundRequests: 0, line, unanswered: undefined };
    this.#links.set(remote.self, link);
    return link;
  }

  /** The end of the line out that is ours, and that of the line in. */
  #shapeLink(link: Link): void {
    const { remote } = link;
    const { out, in: into } = this.#shapes.of(remote.self) ?? {};
    link.line.shapeOut(out);
    remote.#links.get(this.self)?.line.shapeIn(into);
    if (link.unanswered !== undefined) this.#deps.timers.clear(link.unanswered);
    link.unanswered = undefined;
    if (!this.#shapes.isDead(remote.self)) return;
    link.unanswered = this.#deps.timers.set(PING_MS, () => this.#unlink(remote.self, "a ping timed out"));
  }

  /** A dial into a dead line waits, as the real one does. */
  async #lineLives(peer: PeerName, signal: AbortSignal | undefined): Promise<void> {
    const late = new AbortController();
    const timer = this.#deps.timers.set(DIAL_TIMEOUT_MS, () => {
      late.abort(
        new NetworkError("NETWORK_TIMEOUT", `no connection to ${peer} within ${DIAL_TIMEOUT_MS} ms`),
      );
    });
    try {
      await this.#shapes.whenAlive(peer, AbortSignal.any(signal ? [late.signal, signal] : [late.signal]));
    } finally {
      this.#deps.timers.clear(timer);
    }
  }

  /** There and back. What is lost on the way is never answered. */
  async #exchange(link: Link, protocol: string, request: Uint8Array): Promise<Uint8Array> {
    const { line, remote } = link;
    await new Promise<void>((resolve) => line.send(request.length, resolve));
    const response = await remote.#serve(this.self, protocol, request);
    await new Promise<void>((resolve) => remote.#links.get(this.self)?.line.send(response.length, resolve));
    return response;
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
    link.line.cut();
    if (link.unanswered !== undefined) this.#deps.timers.clear(link.unanswered);
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

  #forward(topic: string, data: Uint8Array, source: PeerName | undefined): void {
    for (const [peer, { remote, line }] of this.#links) {
      if (peer === source || !remote.#topics.has(topic)) continue;
      line.send(data.length, () => {
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
    if (!this.#seen.mark(topic, data)) return;
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
}
