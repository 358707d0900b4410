import {
  type Clock,
  type Logger,
  type Network,
  NetworkError,
  type NetworkErrorCode,
  type PeerName,
  type Random,
  type Timer,
  type Timers,
} from "../ports/index.ts";

const DEFAULT_MIN_BACKOFF_MS = 500;
const DEFAULT_MAX_BACKOFF_MS = 30_000;
/** A connection that lasted so long clears the record of failures before it. */
const STABLE_CONNECTION_MS = 5_000;
/** Configured by hand or by a cluster, so a bound that nobody meets but a mistake. */
const MAX_ADDRESSES = 1_024;

export interface SupervisorDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

export interface SupervisorOptions {
  /** Multiaddrs to keep connected from the start. */
  readonly addresses?: readonly string[];
  /** First wait before a redial. Default 500 ms. */
  readonly minBackoffMs?: number;
  /** Longest wait before a redial. Default 30 s. */
  readonly maxBackoffMs?: number;
}

/** `invalid`: the address can never be dialled (no multiaddr, or this node's own), so nobody tries. */
export type SupervisedState = "connected" | "dialing" | "waiting" | "invalid";

export interface SupervisedPeer {
  readonly address: string;
  /** Known once the address has it or somebody answered. */
  readonly peer: PeerName | undefined;
  readonly state: SupervisedState;
  readonly lastError: { readonly code: NetworkErrorCode | undefined; readonly message: string } | undefined;
  /** Unix ms of the next dial while `waiting`. */
  readonly nextAttemptAtMs: number | undefined;
}

/**
 * Keeps configured peers connected, for ever: dials all at once, redials with exponential backoff and jitter, never
 * gives up. (libp2p's own queue forgets a peer after a few tries, so two halves of a network would not meet again.)
 */
export interface Supervisor {
  /** Dials. The network must have started. */
  start(): void;
  /** Aborts dials in flight and settles when none is left. Connections stay. */
  stop(): Promise<void>;
  /**
   * Keeps the address connected from now on, and answers its entry. Adding it again changes nothing, nor does adding it
   * with or without the name (/p2p/...) of the peer that is known to be there. Throws `RangeError` beyond 1,024.
   */
  add(address: string): SupervisedPeer;
  /**
   * Leaves a peer alone from now on, by its name or any address of it: with all its entries, or the next one would bring
   * it back. An existing connection stays. Answers the entries that are gone.
   */
  remove(peerOrAddress: string): readonly SupervisedPeer[];
  /** The peers that are to be connected, as far as their names are known. */
  wanted(): ReadonlySet<PeerName>;
  /** Dials everything that waits now, with its backoff forgotten: after a heal there is no reason to wait. */
  redialNow(): void;
  list(): readonly SupervisedPeer[];
}

interface Entry {
  readonly address: string;
  peer: PeerName | undefined;
  state: SupervisedState;
  lastError: SupervisedPeer["lastError"];
  nextAttemptAtMs: number | undefined;
  timer: Timer | undefined;
  dial: AbortController | undefined;
  /** Dials since the last connection that lasted. */
  attempts: number;
  connectedAtMs: number;
}

const NAME = /\/p2p\/([^/]+)$/;
const nameIn = (address: string): PeerName | undefined => NAME.exec(address)?.[1];
const placeIn = (address: string): string => address.replace(NAME, "");

const viewOf = ({ address, peer, state, lastError, nextAttemptAtMs }: Entry): SupervisedPeer => ({
  address,
  peer,
  state,
  lastError,
  nextAttemptAtMs,
});

export function createSupervisor(deps: SupervisorDeps, options: SupervisorOptions = {}): Supervisor {
  const supervisor = new PeerSupervisor(deps, options);
  for (const address of options.addresses ?? []) supervisor.add(address);
  return supervisor;
}

class PeerSupervisor implements Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #minBackoffMs: number;
  readonly #maxBackoffMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #dials = new Set<Promise<void>>();
  #unsubscribe: (() => void)[] = [];
  #running = false;

  constructor(deps: SupervisorDeps, options: SupervisorOptions) {
    this.#deps = { ...deps, logger: deps.logger.child({ module: "supervisor" }) };
    this.#minBackoffMs = options.minBackoffMs ?? DEFAULT_MIN_BACKOFF_MS;
    this.#maxBackoffMs = options.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS;
    if (!(this.#minBackoffMs > 0 && this.#maxBackoffMs >= this.#minBackoffMs)) {
      throw new RangeError("backoffs are positive, the longest not below the first");
    }
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#unsubscribe = [
      this.#deps.network.on("connect", ({ peer }) => this.#connected(peer)),
      this.#deps.network.on("disconnect", (peer, reason) => this.#disconnected(peer, reason)),
    ];
    for (const entry of this.#entries.values()) this.#dialOrAdopt(entry);
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const entry of this.#entries.values()) this.#release(entry);
    await Promise.allSettled([...this.#dials]);
  }

  add(address: string): SupervisedPeer {
    const known = this.#entries.get(address) ?? this.#sameEntry(address);
    if (known !== undefined) return viewOf(known);
    if (this.#entries.size >= MAX_ADDRESSES)
      throw new RangeError(`at most ${MAX_ADDRESSES} addresses are kept`);
    const entry: Entry = {
      address,
      peer: nameIn(address),
      state: "waiting",
      lastError: undefined,
      nextAttemptAtMs: undefined,
      timer: undefined,
      dial: undefined,
      attempts: 0,
      connectedAtMs: 0,
    };
    this.#entries.set(address, entry);
    if (this.#running) this.#dialOrAdopt(entry);
    return viewOf(entry);
  }

  remove(peerOrAddress: string): readonly SupervisedPeer[] {
    const entries = [...this.#entries.values()];
    const name = nameIn(peerOrAddress);
    const isMeant = ({ address, peer }: Entry) =>
      address === peerOrAddress ||
      peer === peerOrAddress ||
      (placeIn(address) === placeIn(peerOrAddress) &&
        (name === undefined || peer === undefined || name === peer));
    const peers = new Set(entries.filter(isMeant).flatMap(({ peer }) => peer ?? []));
    const gone = entries.filter((entry) => isMeant(entry) || (entry.peer && peers.has(entry.peer)));
    for (const entry of gone) {
      this.#entries.delete(entry.address);
      this.#release(entry);
    }
    return gone.map(viewOf);
  }

  wanted(): ReadonlySet<PeerName> {
    return new Set([...this.#entries.values()].flatMap(({ peer }) => peer ?? []));
  }

  redialNow(): void {
    if (!this.#running) return;
    for (const entry of this.#entries.values()) {
      // A dial that is under way and fails, as of a link that was dead when it began, is soon followed by another.
      if (entry.state === "dialing") entry.attempts = 1;
      if (entry.state !== "waiting") continue;
      entry.attempts = 0;
      this.#release(entry);
      this.#dialOrAdopt(entry);
    }
  }

  list(): readonly SupervisedPeer[] {
    return [...this.#entries.values()].map(viewOf);
  }

  /** The entry that keeps the same peer at the same place, as far as that is certain. */
  #sameEntry(address: string): Entry | undefined {
    const name = nameIn(address);
    return [...this.#entries.values()].find(
      (entry) =>
        placeIn(entry.address) === placeIn(address) &&
        (name === undefined ? entry.state === "connected" : entry.peer === name),
    );
  }

  /** Forgets the entry's timer and aborts its dial. */
  #release(entry: Entry): void {
    if (entry.timer !== undefined) this.#deps.timers.clear(entry.timer);
    entry.timer = undefined;
    entry.nextAttemptAtMs = undefined;
    entry.dial?.abort(new NetworkError("NETWORK_CLOSED", "the supervisor lost interest"));
    entry.dial = undefined;
  }

  #dialOrAdopt(entry: Entry): void {
    const { peer } = entry;
    if (peer !== undefined && this.#deps.network.connections().some((link) => link.peer === peer)) {
      this.#settle(entry, peer);
      return;
    }
    const controller = new AbortController();
    entry.dial = controller;
    entry.state = "dialing";
    entry.attempts++;
    const dial = this.#deps.network.dial(entry.address, { signal: controller.signal }).then(
      (name) => this.#dialed(entry, controller, name),
      (error: unknown) => this.#failed(entry, controller, error),
    );
    this.#dials.add(dial);
    void dial.finally(() => this.#dials.delete(dial));
  }

  #dialed(entry: Entry, controller: AbortController, peer: PeerName): void {
    if (entry.dial !== controller) return;
    entry.dial = undefined;
    entry.peer = peer;
    // The connection may have come and gone while the answer was on its way.
    const stands = this.#deps.network.connections().some((link) => link.peer === peer);
    if (stands) this.#settle(entry, peer);
    else this.#wait(entry);
  }

  #failed(entry: Entry, controller: AbortController, error: unknown): void {
    if (entry.dial !== controller) return;
    entry.dial = undefined;
    // The peer came by another way while we tried.
    if (entry.state === "connected") return;
    const code = error instanceof NetworkError ? error.code : undefined;
    entry.lastError = { code, message: error instanceof Error ? error.message : String(error) };
    this.#deps.logger.debug({ address: entry.address, code, attempts: entry.attempts }, "a dial failed");
    if (code === "NETWORK_ADDRESS_INVALID") {
      entry.state = "invalid";
      this.#deps.logger.warn({ address: entry.address }, "an address can never be dialled");
      return;
    }
    this.#wait(entry);
  }

  #settle(entry: Entry, peer: PeerName): void {
    if (entry.timer !== undefined) this.#deps.timers.clear(entry.timer);
    entry.timer = undefined;
    entry.nextAttemptAtMs = undefined;
    if (entry.state !== "connected") entry.connectedAtMs = this.#deps.clock.monotonicMs();
    entry.state = "connected";
    entry.peer = peer;
    entry.lastError = undefined;
  }

  #wait(entry: Entry): void {
    const longestMs = Math.min(
      this.#maxBackoffMs,
      this.#minBackoffMs * 2 ** Math.min(entry.attempts - 1, 30),
    );
    // Half of it is chance, so that nodes that lost each other together do not all come back together.
    const waitMs = Math.ceil(longestMs * (0.5 + 0.5 * this.#deps.random.fraction()));
    entry.state = "waiting";
    entry.nextAttemptAtMs = this.#deps.clock.nowMs() + waitMs;
    entry.timer = this.#deps.timers.set(waitMs, () => {
      entry.timer = undefined;
      entry.nextAttemptAtMs = undefined;
      this.#dialOrAdopt(entry);
    });
  }

  #connected(peer: PeerName): void {
    for (const entry of this.#entries.values()) {
      // A dial in flight is left to end by itself: aborting one of two connections in the making could cost both.
      if (entry.peer === peer) this.#settle(entry, peer);
    }
  }

  #disconnected(peer: PeerName, reason: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.peer !== peer || entry.state !== "connected") continue;
      entry.lastError = { code: undefined, message: `the connection ended: ${reason}` };
      if (entry.dial !== undefined) {
        entry.state = "dialing";
        continue;
      }
      // Only a connection that lasted clears the record, or a peer that hangs up at once would be dialled in a loop.
      const lastedMs = this.#deps.clock.monotonicMs() - entry.connectedAtMs;
      entry.attempts = lastedMs >= STABLE_CONNECTION_MS ? 1 : entry.attempts + 1;
      this.#wait(entry);
    }
  }
}
