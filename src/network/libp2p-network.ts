import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import {
  type Clock,
  delay,
  type GossipValidator,
  type LinkShapes,
  type Logger,
  type Metrics,
  type Network,
  NetworkError,
  type NetworkEvents,
  type PeerConnection,
  type PeerName,
  type Random,
  type RequestHandler,
  type RequestLimits,
  silentMetrics,
  type Timer,
  type Timers,
} from "../ports/index.ts";
import { type AdmissionOptions, createAdmission } from "./admission.ts";
import { type Conditioner, createConditioner } from "./conditioner.ts";
import { dialError } from "./dial-error.ts";
import { type Gossip, gossipService, runGossip, type Topic } from "./gossip.ts";
import { createHost, DIAL_TIMEOUT_MS, type Host, startHost } from "./host.ts";
import { createLinks, type Links } from "./links.ts";
import type { LocalDiscoveryInit } from "./local-discovery.ts";
import { createNetworkMetrics, type NetworkMetrics } from "./metrics.ts";
import { createRequests, type Requests, type Served } from "./requests.ts";

const STOP_TIMEOUT_MS = 5_000;
/** libp2p remembers every peer it met; one that stays away so long is forgotten. */
const FORGET_PEER_AFTER_MS = 30_000;

export interface Libp2pNetworkDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
}

export interface Libp2pNetworkOptions extends AdmissionOptions {
  /** 32 bytes that the peer's Ed25519 key, and so its name, is made from. Secret. */
  readonly privateKeySeed: Uint8Array;
  /** Multiaddrs to listen on; TCP port 0 lets the system choose. Empty: dial only. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others instead of those we listen on. */
  readonly announce?: readonly string[];
  /** Looks for peers on the local network, and lets itself be found there. Absent: does neither. */
  readonly discover?: Pick<LocalDiscoveryInit, "tag" | "found">;
}

/** The port, and what only this form of it can tell. */
export interface Libp2pNetwork extends Network {
  /** May be handed on alone. */
  readonly punish: Network["punish"];
  /** Peers that gossip tracks; all of them are connected, or something leaks. */
  gossipPeers(): readonly PeerName[];
  /** Peers in libp2p's peer store; each is connected or left a moment ago, or something leaks. */
  rememberedPeers(): Promise<readonly PeerName[]>;
}

/**
 * The network port over libp2p: TCP, noise, yamux, gossipsub. Nothing dials by itself; see `createSupervisor`.
 *
 * ```ts
 * const network = await createLibp2pNetwork(deps, { privateKeySeed, listen: ["/ip4/127.0.0.1/tcp/0"] });
 * network.handle("/echo/1", limits, async (_from, request) => [request]);
 * await network.start();
 * ```
 */
export async function createLibp2pNetwork(
  deps: Libp2pNetworkDeps,
  options: Libp2pNetworkOptions,
): Promise<Libp2pNetwork> {
  if (options.privateKeySeed.length !== 32) throw new RangeError("a private key seed has 32 bytes");
  return new PortOverLibp2p(deps, options, await generateKeyPairFromSeed("Ed25519", options.privateKeySeed));
}

class PortOverLibp2p implements Libp2pNetwork {
  readonly self: PeerName;
  readonly #deps: Libp2pNetworkDeps;
  readonly #options: Libp2pNetworkOptions;
  readonly #privateKey: PrivateKey;
  readonly #logger: Logger;
  readonly #conditioner: Conditioner;
  readonly #links: Links;
  readonly #requests: Requests;
  readonly #metrics: NetworkMetrics;
  readonly #topics = new Map<string, Topic>();
  readonly #served = new Map<string, Served>();
  readonly #forgetting = new Map<PeerName, Timer>();
  /** Set from the start of `start` to the start of `stop`. */
  #host: Host | undefined;
  #gossip: Gossip | undefined;
  #stopping: Promise<void> = Promise.resolve();

  constructor(deps: Libp2pNetworkDeps, options: Libp2pNetworkOptions, privateKey: PrivateKey) {
    this.self = peerIdFromPrivateKey(privateKey).toString();
    this.#options = options;
    this.#privateKey = privateKey;
    this.#logger = deps.logger.child({ module: "network" });
    this.#deps = { ...deps, logger: this.#logger };
    this.#conditioner = createConditioner(this.#deps);
    this.#links = createLinks({
      ...this.#deps,
      admission: createAdmission(this.#deps, options),
      conditioner: this.#conditioner,
    });
    this.#metrics = createNetworkMetrics(deps.metrics ?? silentMetrics, deps.clock);
    this.#metrics.watch(this.#links, this.#conditioner.bytes);
    this.#requests = createRequests({ ...this.#deps, punish: this.punish, metrics: this.#metrics });
  }

  async start(): Promise<void> {
    if (this.#host !== undefined) throw new Error("the network runs already");
    await this.#stopping;
    const { discover } = this.#options;
    const problem = (reason: string): void =>
      this.#logger.warn({ reason }, "multicast DNS does not work here: no peers are found by it");
    const host = await createHost({
      privateKey: this.#privateKey,
      listen: this.#options.listen,
      announce: this.#options.announce ?? [],
      gater: this.#links.gater,
      guard: { punish: this.punish },
      conditioner: this.#conditioner,
      gossip: gossipService(this.#topics),
      ...(discover && { discover: { ...discover, problem } }),
    });
    this.#host = host;
    host.addEventListener("connection:open", ({ detail }) => {
      this.#remember(detail.remotePeer.toString());
      this.#links.opened(detail);
    });
    host.addEventListener("connection:close", ({ detail }) => {
      this.#links.closed(detail);
      // Also of peers that were never announced: a single stream is enough for libp2p to remember its peer.
      if (host.getConnections(detail.remotePeer).length === 0)
        this.#forgetLater(detail.remotePeer.toString());
    });
    host.addEventListener("peer:identify", ({ detail }) => {
      this.#gossip?.forgetDeadStream(detail.peerId.toString());
      const announced = detail.listenAddrs.map((address) => address.toString());
      this.#links.identified(detail.connection, detail.protocols, announced);
    });
    try {
      await this.#requests.register(host, this.#served);
      await startHost(host, this.#options.listen);
    } catch (error) {
      this.#host = undefined;
      throw error;
    }
    const deps = {
      timers: this.#deps.timers,
      logger: this.#logger,
      punish: this.punish,
      cut: this.#links.cut,
      metrics: this.#metrics,
    };
    this.#gossip = runGossip(deps, host.services.gossip, this.#topics);
    this.#logger.info({ self: this.self, addresses: this.addresses() }, "the network listens");
  }

  stop(): Promise<void> {
    const host = this.#host;
    if (host !== undefined) {
      this.#host = undefined;
      this.#gossip = undefined;
      this.#stopping = this.#stopHost(host);
    }
    return this.#stopping;
  }

  async #stopHost(host: Host): Promise<void> {
    // First, because libp2p waits for streams to drain, and one to a dead link never does.
    this.#links.cutAll("stopped");
    const stopped = new AbortController();
    const late = delay(this.#deps.timers, STOP_TIMEOUT_MS, stopped.signal).then(
      () => this.#logger.warn({}, "libp2p did not stop in time"),
      () => {},
    );
    try {
      await Promise.race([host.stop(), late]);
    } catch (error) {
      this.#logger.warn({ error }, "libp2p did not stop cleanly");
    }
    stopped.abort();
    host.services.listening.ended();
    this.#links.cutAll("stopped");
    for (const timer of this.#forgetting.values()) this.#deps.timers.clear(timer);
    this.#forgetting.clear();
  }

  addresses(): readonly string[] {
    return this.#host?.getMultiaddrs().map((address) => address.toString()) ?? [];
  }

  connections(): readonly PeerConnection[] {
    return this.#links.list();
  }

  gossipPeers(): readonly PeerName[] {
    return this.#gossip?.peers() ?? [];
  }

  async rememberedPeers(): Promise<readonly PeerName[]> {
    return ((await this.#host?.peerStore.all()) ?? []).map(({ id }) => id.toString());
  }

  on<Name extends keyof NetworkEvents>(name: Name, listener: NetworkEvents[Name]): () => void {
    return this.#links.on(name, listener);
  }

  async dial(address: string, options: { readonly signal?: AbortSignal } = {}): Promise<PeerName> {
    const host = this.#running();
    const target = this.#parse(address);
    options.signal?.throwIfAborted();
    const controller = new AbortController();
    const onAbort = () => controller.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const timer = this.#deps.timers.set(DIAL_TIMEOUT_MS, () => {
      controller.abort(
        new NetworkError("NETWORK_TIMEOUT", `no connection to ${address} within ${DIAL_TIMEOUT_MS} ms`),
      );
    });
    try {
      return await this.#metrics.dial(async () => {
        try {
          const connection = await host.dial(target, { signal: controller.signal });
          await this.#announced(connection, controller.signal);
          return connection.remotePeer.toString();
        } catch (error) {
          if (controller.signal.aborted) throw controller.signal.reason;
          throw dialError(address, error);
        }
      });
    } finally {
      this.#deps.timers.clear(timer);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  async disconnect(peer: PeerName, reason: string): Promise<void> {
    if (this.#links.connectionTo(peer) !== undefined)
      this.#logger.info({ peer, reason }, "disconnecting a peer");
    this.#links.cut(peer, reason);
  }

  async refuse(peer: PeerName): Promise<void> {
    this.#links.refuse(peer);
  }

  allow(peer: PeerName): void {
    this.#links.allow(peer);
  }

  refused(): readonly PeerName[] {
    return this.#links.refused();
  }

  shape(peer: PeerName, shapes: LinkShapes | undefined): void {
    this.#conditioner.shape(peer, shapes);
  }

  subscribe(topic: string, maxBytes: number, validate: GossipValidator): void {
    if (this.#host !== undefined) throw new Error("topics are joined before the network starts");
    this.#topics.set(topic, { maxBytes, validate });
  }

  handle(protocol: string, limits: RequestLimits, handler: RequestHandler): void {
    if (this.#host !== undefined) throw new Error("protocols are declared before the network starts");
    this.#served.set(protocol, { limits, handler });
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    this.#running();
    await this.#gossip?.publish(topic, data);
  }

  async request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    limits: RequestLimits,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    this.#running();
    options.signal?.throwIfAborted();
    if (request.length > limits.maxRequestBytes) {
      throw new NetworkError(
        "NETWORK_OVERSIZE",
        `a request of ${request.length} bytes, at most ${limits.maxRequestBytes}`,
      );
    }
    const connection = this.#links.connectionTo(peer);
    if (connection === undefined) throw new NetworkError("NETWORK_NOT_CONNECTED", `not connected to ${peer}`);
    return this.#metrics
      .protocol(protocol)
      .ask(request.length, () => this.#requests.ask(connection, protocol, request, limits, options.signal));
  }

  #running(): Host {
    if (this.#host?.status !== "started")
      throw new NetworkError("NETWORK_CLOSED", "the network is not running");
    return this.#host;
  }

  #parse(address: string): Multiaddr {
    let target: Multiaddr;
    try {
      target = multiaddr(address);
    } catch (error) {
      throw new NetworkError("NETWORK_ADDRESS_INVALID", `${address} is not a multiaddr`, { cause: error });
    }
    if (target.getComponents().some(({ name, value }) => name === "p2p" && value === this.self)) {
      throw new NetworkError("NETWORK_ADDRESS_INVALID", `${address} is this node itself`);
    }
    return target;
  }

  async #announced(connection: Connection, signal: AbortSignal): Promise<void> {
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      await Promise.race([this.#links.whenAnnounced(connection), aborted]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    }
  }

  /** Bound, for it is handed to every part that reads what peers send. */
  readonly punish = (peer: PeerName, reason: string): void => {
    this.#metrics.penalties.increment();
    if (this.#links.cut(peer, reason))
      this.#logger.warn({ peer, reason }, "a peer broke the protocol and loses its connection");
    this.#links.tellFault(peer, reason);
  };

  #remember(peer: PeerName): void {
    const timer = this.#forgetting.get(peer);
    if (timer !== undefined) this.#deps.timers.clear(timer);
    this.#forgetting.delete(peer);
  }

  #forgetLater(peer: PeerName): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#remember(peer);
    const timer = this.#deps.timers.set(FORGET_PEER_AFTER_MS, () => {
      this.#forgetting.delete(peer);
      if (host.status === "started")
        Promise.resolve(host.peerStore.delete(peerIdFromString(peer))).catch(() => {});
    });
    this.#forgetting.set(peer, timer);
  }
}
