import { MAX_PEERS_PER_RESPONSE, type Protocols, type Supervisor, type ToldPeer } from "../network/index.ts";
import {
  type Clock,
  type Logger,
  type Network,
  NetworkError,
  type PeerConnection,
  type PeerName,
  type Random,
  type Timer,
  type Timers,
} from "../ports/index.ts";
import {
  type DialChoice,
  type Endpoint,
  type PeerBook,
  type PeerSource,
  parseEndpoint,
  type Teller,
} from "../sync/index.ts";

/** Connections that a node opens by itself, with the configured ones among them. */
export const DEFAULT_MAX_OUTBOUND = 8;
/** Dials at a time: known peers may be long gone, and configured ones go first. */
const MAX_DIALING = 4;
/** Of a public network (a /16 of IPv4), so that whoever owns one is not all that a node sees. */
const MAX_OUTBOUND_PER_GROUP = 2;
/** Configured peers, which are dialled at the start, come first. */
const FIRST_LOOK_MS = 1_000;
const LOOK_EVERY_MS = 30_000;
/** A connected peer is asked again so long after, while places are free. */
const ASK_AGAIN_MS = 60_000;
/** A connection that ended sooner was of no use: another chain, or nothing to say. */
const USEFUL_CONNECTION_MS = 60_000;

/** Who is behind a multicast answer is not known: all of them are one teller, which has its share of the book. */
const ON_LOCAL_NETWORK: Teller = {
  source: "mdns",
  at: { ip: "mdns", port: 5_353, reach: "private", group: "mdns" },
};

export interface PeerFinderDeps {
  readonly network: Pick<Network, "self" | "on" | "dial" | "connections" | "refused">;
  readonly protocols: () => Pick<Protocols, "requestPeers">;
  readonly supervisor: Pick<Supervisor, "wanted">;
  readonly book: PeerBook;
  /** A peer's name or an IP address. */
  readonly isBanned: (subject: string) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

export interface PeerFinderOptions {
  /** Off: asks nobody, tells nobody, dials nobody; what comes by itself is still written down. */
  readonly exchange: boolean;
  /** Dials known peers until so many connections of ours stand. 0: none. */
  readonly maxOutbound: number;
}

/** Keeps the book of known peers, asks peers for others, and dials them while places are free. */
export interface PeerFinder {
  /** The network must have started. */
  start(): void;
  /** Aborts dials; settles when none is left. */
  stop(): Promise<void>;
  /** A connected peer has shown that it is of our chain: only now is it worth knowing, asking and telling of. */
  introduced(peer: PeerName): void;
  /** Somebody on the local network says, by multicast DNS, that a peer is at these multiaddrs. */
  discovered(peer: PeerName, multiaddrs: readonly string[]): void;
  /** What to tell a peer that asks. */
  told(asker: PeerName, limit: number): readonly ToldPeer[];
}

export function createPeerFinder(deps: PeerFinderDeps, options: PeerFinderOptions): PeerFinder {
  const { network, book, clock, timers, random, isBanned } = deps;
  const logger = deps.logger.child({ module: "finder" });
  const stopping = new AbortController();
  const { signal } = stopping;
  const dialing = new Map<PeerName, Endpoint | undefined>();
  const dials = new Set<Promise<void>>();
  /** Connected peers that have not shown yet that they are of our chain, and where they say that they can be dialled. */
  const strangers = new Map<PeerName, readonly string[]>();
  /** When each connected peer was asked last; its keys are connected. */
  const askedMs = new Map<PeerName, number>();
  /** Since when connections of our own stand. */
  const sinceMs = new Map<PeerName, number>();
  const fraction = (): number => random.fraction();
  let timer: Timer | undefined;
  let unsubscribe: (() => void)[] = [];

  const outbound = (): readonly PeerConnection[] =>
    network.connections().filter(({ direction }) => direction === "outbound");
  const hasRoom = (): boolean => outbound().length + dialing.size < options.maxOutbound;
  const addressOf = (peer: PeerName): Endpoint | undefined =>
    parseEndpoint(network.connections().find((one) => one.peer === peer)?.address ?? "");

  function fill(): void {
    while (options.exchange && !signal.aborted && dialing.size < MAX_DIALING && hasRoom()) {
      const choice = choose();
      if (choice === undefined) return;
      const attempt = dial(choice);
      dials.add(attempt);
      void attempt.finally(() => dials.delete(attempt));
    }
  }

  function choose(): DialChoice | undefined {
    const wanted = deps.supervisor.wanted();
    const busy = new Set([...network.connections().map(({ peer }) => peer), ...dialing.keys()]);
    for (const peer of network.refused()) busy.add(peer);
    const endpoints = [...outbound().map(({ address }) => parseEndpoint(address)), ...dialing.values()];
    const goingTo = (group: string): number => endpoints.filter((one) => one?.group === group).length;
    return book.choose(
      {
        // Whom the supervisor keeps it dials itself.
        isExcluded: (peer) => busy.has(peer) || wanted.has(peer) || isBanned(peer),
        isAvoided: ({ ip, reach, group }) =>
          isBanned(ip) || (reach === "public" && goingTo(group) >= MAX_OUTBOUND_PER_GROUP),
        isAlone: network.connections().length === 0,
        fraction,
      },
      clock.nowMs(),
    );
  }

  async function dial({ peer, address }: DialChoice): Promise<void> {
    dialing.set(peer, parseEndpoint(address));
    try {
      await network.dial(address, { signal });
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof NetworkError ? error.code : undefined;
      logger.debug({ peer, address, code }, "a known peer could not be dialled");
      const isNobodyThere = code === "NETWORK_DIAL_FAILED" || code === "NETWORK_TIMEOUT";
      book.failed(peer, clock.nowMs(), isNobodyThere ? address : undefined);
    } finally {
      dialing.delete(peer);
    }
    fill();
  }

  async function ask(peer: PeerName): Promise<void> {
    const at = addressOf(peer);
    if (!options.exchange || at === undefined) return;
    askedMs.set(peer, clock.monotonicMs());
    try {
      const told = await deps.protocols().requestPeers(peer, MAX_PEERS_PER_RESPONSE, { signal });
      for (const one of told) book.learn(one.peer, one.addresses, { source: "exchanged", at }, clock.nowMs());
      logger.debug({ peer, told: told.length, known: book.size }, "a peer told of others");
    } catch (error) {
      // One that does not exchange is no worse for it.
      if (!signal.aborted) logger.debug({ peer, error: String(error) }, "a peer told of no others");
    }
    fill();
  }

  function connected({ peer, direction }: PeerConnection, announced: readonly string[]): void {
    if (direction === "outbound") sinceMs.set(peer, clock.monotonicMs());
    strangers.set(peer, announced);
  }

  function introduced(peer: PeerName): void {
    const announced = strangers.get(peer);
    const connection = network.connections().find((one) => one.peer === peer);
    if (announced === undefined || connection === undefined || !strangers.delete(peer)) return;
    const { direction, address } = connection;
    const at = parseEndpoint(address);
    const nowMs = clock.nowMs();
    const source: PeerSource = deps.supervisor.wanted().has(peer) ? "configured" : "exchanged";
    if (direction === "outbound") book.reached(peer, address, source, nowMs);
    if (at !== undefined) book.learn(peer, announced, { source: "announced", at }, nowMs);
    void ask(peer);
  }

  function disconnected(peer: PeerName): void {
    if (sinceMs.has(peer) && !isUseful(peer)) book.failed(peer, clock.nowMs());
    strangers.delete(peer);
    sinceMs.delete(peer);
    askedMs.delete(peer);
    fill();
  }

  const isUseful = (peer: PeerName): boolean =>
    !strangers.has(peer) && clock.monotonicMs() - (sinceMs.get(peer) ?? 0) >= USEFUL_CONNECTION_MS;

  function look(): void {
    for (const peer of sinceMs.keys()) if (isUseful(peer)) book.useful(peer);
    if (hasRoom())
      for (const { peer } of network.connections())
        if (
          !strangers.has(peer) &&
          clock.monotonicMs() - (askedMs.get(peer) ?? Number.NEGATIVE_INFINITY) >= ASK_AGAIN_MS
        )
          void ask(peer);
    fill();
    // So that nodes that were started together do not ask together for ever.
    timer = timers.set(LOOK_EVERY_MS * (0.75 + 0.5 * fraction()), look);
  }

  return {
    start() {
      unsubscribe = [network.on("connect", connected), network.on("disconnect", disconnected)];
      timer = timers.set(FIRST_LOOK_MS, look);
    },
    async stop() {
      stopping.abort(new NetworkError("NETWORK_CLOSED", "the node stops"));
      for (const end of unsubscribe.splice(0)) end();
      if (timer !== undefined) timers.clear(timer);
      await Promise.allSettled([...dials]);
    },
    introduced,
    discovered(peer, multiaddrs) {
      book.learn(peer, multiaddrs, ON_LOCAL_NETWORK, clock.nowMs());
      fill();
    },
    told(asker, limit) {
      const at = addressOf(asker);
      if (!options.exchange || at === undefined) return [];
      const connectedPeers = new Set(network.connections().map(({ peer }) => peer));
      const rules = {
        isExcluded: (peer: PeerName) => peer === asker || isBanned(peer),
        isConnected: (peer: PeerName) => connectedPeers.has(peer),
        fraction,
      };
      return book.tell(at.reach, limit, rules, clock.nowMs());
    },
  };
}
