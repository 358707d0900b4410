import { type Endpoint, formatEndpoint, isMeantFor, parseEndpoint, type Reach } from "./ip-address.ts";

/** Peers that a dial of ours has reached, and those that nobody has proven to exist. */
export const MAX_REACHED_PEERS = 400;
export const MAX_UNPROVEN_PEERS = 600;
/** Unproven peers that come from one teller, or from all tellers of one network: names and addresses are free to invent. */
const MAX_UNPROVEN_PER_TELLER = 64;
export const MAX_ADDRESSES_PER_PEER = 4;
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 6 * 60 * 60_000;
/** The same where nobody at all is connected: that so many did not answer may be our own line's fault. */
const LONGEST_RETRY_ALONE_MS = 5 * 60_000;
/** Failures in a row after which a peer that was never reached is forgotten. */
const MAX_UNPROVEN_FAILURES = 5;
/** The same of one that was reached before, but not for so long. */
const MAX_REACHED_FAILURES = 10;
const STALE_AFTER_MS = 7 * 24 * 60 * 60_000;
/** Failures in a row with which a peer is no longer told to others. */
const MAX_TOLD_FAILURES = 3;
/** Places where no node answered, remembered apart from names, which cost nothing: those that failed last. */
const MAX_EMPTY_PLACES = 1_024;

/**
 * Who told of a peer first. `configured`: the operator. `announced`: the peer itself. `exchanged`: another peer. `mdns`:
 * whoever answers on the local network.
 */
export type PeerSource = "configured" | "announced" | "exchanged" | "mdns";
/**
 * What shows that a peer is at an address. `reached`: we dialled it there. `origin`: it says so, and its connection comes
 * from that IP. `none`: somebody says so.
 */
export type AddressProof = "reached" | "origin" | "none";

export interface KnownAddress {
  /** A multiaddr of an IP address and a TCP port, without the peer's name. */
  readonly address: string;
  readonly proof: AddressProof;
}

export interface KnownPeer {
  readonly peer: string;
  readonly source: PeerSource;
  /** The network of who told of it first. */
  readonly teller: string;
  /** 1 to 4, the best proven first. */
  readonly addresses: readonly KnownAddress[];
  /** Unix ms. */
  readonly firstKnownMs: number;
  /** Unix ms of the last dial of ours that reached it; 0: none has. */
  readonly lastReachedMs: number;
  /** Failures since a connection was last of use. */
  readonly failures: number;
}

/** Somebody who tells of peers, at an address that counts for how far to believe it. */
export interface Teller {
  readonly source: PeerSource;
  /** Where the teller is. */
  readonly at: Endpoint;
}

export interface DialChoice {
  readonly peer: string;
  /** With the peer's name at its end. */
  readonly address: string;
}

/** What decides whether a known peer may be dialled now. */
export interface DialRules {
  /** Connected, being dialled, banned, or this node itself. */
  isExcluded(peer: string): boolean;
  /** Whether to leave out what is at this endpoint: banned, or enough connections go to its network. */
  isAvoided(endpoint: Endpoint): boolean;
  /** Nobody is connected. */
  readonly isAlone: boolean;
  /** Random numbers in [0, 1). */
  fraction(): number;
}

/**
 * The peers that this node knows of. A flood of invented ones finds its own place, not that of good ones: who was reached
 * and who was not are kept apart, each teller's network has its share of the latter, and where no room is left the worst
 * of the most crowded network goes. (After the two tables of Bitcoin Core's address manager, much simplified.) Times are
 * Unix ms.
 */
export interface PeerBook {
  /** Somebody tells that a peer is at these multiaddrs; takes in what is dialable and meant for who is where the teller is. */
  learn(peer: string, multiaddrs: readonly string[], teller: Teller, nowMs: number): void;
  /** A dial of ours has reached the peer at this multiaddr. */
  reached(peer: string, multiaddr: string, source: PeerSource, nowMs: number): void;
  /** A connection to the peer lasts: earlier failures are forgotten. */
  useful(peer: string): void;
  /**
   * A dial of a known peer has failed, or its connection was of no use. `nobodyAt`: the multiaddr where no node answered;
   * whoever is said to be there is not looked for again so soon, under whatever name.
   */
  failed(peer: string, nowMs: number, nobodyAt?: string): void;
  /** A peer to dial, and where; half of the times one that was reached before, if there are both. */
  choose(rules: DialRules, nowMs: number): DialChoice | undefined;
  /** Peers to tell somebody who is at `reach`: proven ones, with what of their addresses is meant for there. */
  tell(
    reach: Reach,
    limit: number,
    rules: { isExcluded(peer: string): boolean; isConnected(peer: string): boolean; fraction(): number },
    nowMs: number,
  ): { readonly peer: string; readonly addresses: readonly string[] }[];
  forget(peer: string): void;
  get(peer: string): KnownPeer | undefined;
  /** By name. */
  list(): readonly KnownPeer[];
  /** How many are known. */
  readonly size: number;
}

interface Entry {
  readonly peer: string;
  readonly source: PeerSource;
  readonly teller: string;
  addresses: KnownAddress[];
  readonly firstKnownMs: number;
  lastReachedMs: number;
  failures: number;
  /** Not to be dialled for so long. By its beginning and length, or a clock that is set back would make it last as long. */
  rest: Rest;
}

interface Rest {
  readonly sinceMs: number;
  readonly forMs: number;
}

const PROOFS: readonly AddressProof[] = ["reached", "origin", "none"];
const placeIn = (multiaddr: string): string => multiaddr.replace(/\/p2p\/[^/]+$/, "");
const strength = ({ proof }: KnownAddress): number => PROOFS.indexOf(proof);
const isReached = ({ lastReachedMs }: Entry): boolean => lastReachedMs > 0;
const networkOf = ({ addresses: [first] }: Entry): string => parseEndpoint(first?.address ?? "")?.group ?? "";
const crowdOf = (entry: Entry): string => (isReached(entry) ? networkOf(entry) : entry.teller);
const NO_REST = { sinceMs: 0, forMs: 0 };
const restAfter = (failures: number, nowMs: number): Rest => ({
  sinceMs: nowMs,
  forMs: Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)),
});
const isOver = ({ sinceMs, forMs }: Rest, nowMs: number, isAlone: boolean): boolean =>
  nowMs < sinceMs || nowMs >= sinceMs + Math.min(forMs, isAlone ? LONGEST_RETRY_ALONE_MS : forMs);
/** A public IP address with all its ports: it is one party's, and whoever is to be bothered there has but one. */
function placeOf(address: string): string {
  const endpoint = parseEndpoint(address);
  return endpoint?.reach === "public" ? endpoint.ip : address;
}
/** Not reached for long; or in a future that only a wrong clock has seen. */
const isStale = ({ lastReachedMs }: Entry, nowMs: number): boolean =>
  Math.abs(nowMs - lastReachedMs) > STALE_AFTER_MS;
const viewOf = ({ rest: _, addresses, ...entry }: Entry): KnownPeer => ({
  ...entry,
  addresses: [...addresses],
});

/** `restored`: what was known before a restart; each entry whole and of valid addresses. */
export function createPeerBook(self: string, restored: readonly KnownPeer[] = []): PeerBook {
  const entries = new Map<string, Entry>();
  const emptyPlaces = new Map<string, { readonly failures: number; readonly rest: Rest }>();

  function noteEmpty(address: string, nowMs: number): void {
    const place = placeOf(address);
    const failures = (emptyPlaces.get(place)?.failures ?? 0) + 1;
    emptyPlaces.delete(place);
    emptyPlaces.set(place, { failures, rest: restAfter(failures, nowMs) });
    const [oldest] = emptyPlaces.keys();
    if (emptyPlaces.size > MAX_EMPTY_PLACES && oldest !== undefined) emptyPlaces.delete(oldest);
  }

  /** Nobody was found there, and nobody has proven since that there is somebody, by our dial or a connection from there. */
  const emptinessOf = ({ address, proof }: KnownAddress) =>
    proof === "none" ? emptyPlaces.get(placeOf(address)) : undefined;
  const isEmpty = (known: KnownAddress): number => Number(emptinessOf(known) !== undefined);
  const isLeftAlone = (known: KnownAddress, nowMs: number): boolean => {
    const found = emptinessOf(known);
    return found !== undefined && !isOver(found.rest, nowMs, false);
  };

  /** The entry that is missed least: most failures, then the one not reached, then not heard of, for longest. */
  function worstOf(candidates: readonly Entry[]): Entry | undefined {
    return candidates.toSorted(
      (a, b) =>
        b.failures - a.failures || a.lastReachedMs - b.lastReachedMs || a.firstKnownMs - b.firstKnownMs,
    )[0];
  }

  function mostCrowded(table: readonly Entry[]): Entry[] {
    const crowds = Map.groupBy(table, crowdOf);
    return [...crowds.values()].reduce((most, crowd) => (crowd.length > most.length ? crowd : most), []);
  }

  /** Makes the table that the entry is in fit again. */
  function makeRoom(newcomer: Entry): void {
    const table = [...entries.values()].filter((entry) => isReached(entry) === isReached(newcomer));
    const others = table.filter((entry) => entry !== newcomer);
    const ofTeller = others.filter(({ teller }) => teller === newcomer.teller);
    if (!isReached(newcomer) && ofTeller.length >= MAX_UNPROVEN_PER_TELLER) remove(worstOf(ofTeller));
    else if (table.length > (isReached(newcomer) ? MAX_REACHED_PEERS : MAX_UNPROVEN_PEERS))
      remove(worstOf(mostCrowded(others)));
  }

  function remove(entry: Entry | undefined): void {
    if (entry !== undefined) entries.delete(entry.peer);
  }

  function add(peer: string, source: PeerSource, teller: string, addresses: KnownAddress[], nowMs: number) {
    const times = { firstKnownMs: nowMs, lastReachedMs: 0, failures: 0, rest: NO_REST };
    const entry: Entry = { peer, source, teller, addresses, ...times };
    entries.set(peer, entry);
    return entry;
  }

  /**
   * The best proven first; of as good ones, those known for longer, unless nobody was found there: what anybody says takes
   * nobody's place, and what a liar said first keeps out no other.
   */
  function merge(known: readonly KnownAddress[], fresh: readonly KnownAddress[]): KnownAddress[] {
    const byAddress = new Map<string, KnownAddress>();
    for (const one of [...known, ...fresh]) {
      const before = byAddress.get(one.address);
      if (before === undefined || strength(one) < strength(before)) byAddress.set(one.address, one);
    }
    return [...byAddress.values()]
      .sort((a, b) => strength(a) - strength(b) || isEmpty(a) - isEmpty(b))
      .slice(0, MAX_ADDRESSES_PER_PEER);
  }

  for (const { peer, addresses, ...others } of restored) {
    if (peer === self) continue;
    const entry = { peer, addresses: [...addresses], ...others, rest: NO_REST };
    entries.set(peer, entry);
    makeRoom(entry);
  }

  return {
    learn(peer, multiaddrs, { source, at }, nowMs) {
      if (peer === self) return;
      const fresh: KnownAddress[] = [];
      for (const multiaddr of multiaddrs) {
        const endpoint = parseEndpoint(multiaddr);
        if (endpoint === undefined || !isMeantFor(endpoint.reach, at.reach)) continue;
        const isOrigin = source === "announced" && endpoint.ip === at.ip;
        fresh.push({ address: formatEndpoint(endpoint), proof: isOrigin ? "origin" : "none" });
      }
      const known = entries.get(peer);
      // What it comes from now is what counts of its own word.
      const before = (known?.addresses ?? []).map(
        (one): KnownAddress =>
          source === "announced" && one.proof === "origin" ? { ...one, proof: "none" } : one,
      );
      const addresses = merge(before, fresh);
      if (known !== undefined) known.addresses = addresses;
      else if (addresses.length > 0) makeRoom(add(peer, source, at.group, addresses, nowMs));
    },
    reached(peer, multiaddr, source, nowMs) {
      const endpoint = parseEndpoint(multiaddr);
      if (peer === self || endpoint === undefined) return;
      const address: KnownAddress = { address: formatEndpoint(endpoint), proof: "reached" };
      emptyPlaces.delete(placeOf(address.address));
      const entry = entries.get(peer) ?? add(peer, source, endpoint.group, [], nowMs);
      // What it was reached at before may be an address that it has left.
      const others = entry.addresses.map(
        (one): KnownAddress => (one.proof === "reached" ? { ...one, proof: "none" } : one),
      );
      entry.addresses = merge([address], others);
      entry.lastReachedMs = nowMs;
      entry.rest = { sinceMs: nowMs, forMs: FIRST_RETRY_MS };
      makeRoom(entry);
    },
    useful(peer) {
      const entry = entries.get(peer);
      if (entry !== undefined) entry.failures = 0;
    },
    failed(peer, nowMs, nobodyAt) {
      if (nobodyAt !== undefined) noteEmpty(placeIn(nobodyAt), nowMs);
      const entry = entries.get(peer);
      if (entry === undefined) return;
      entry.failures += 1;
      entry.rest = restAfter(entry.failures, nowMs);
      if (
        isStale(entry, nowMs) &&
        entry.failures >= (isReached(entry) ? MAX_REACHED_FAILURES : MAX_UNPROVEN_FAILURES)
      )
        remove(entry);
    },
    choose({ isExcluded, isAvoided, isAlone, fraction }, nowMs) {
      const choices = [...entries.values()].flatMap((entry) => {
        if (!isOver(entry.rest, nowMs, isAlone && isReached(entry)) || isExcluded(entry.peer)) return [];
        const addresses = entry.addresses.filter((known) => {
          const endpoint = parseEndpoint(known.address);
          return endpoint !== undefined && !isAvoided(endpoint) && !isLeftAlone(known, nowMs);
        });
        return addresses.length === 0 ? [] : [{ entry, addresses }];
      });
      const tables = [true, false]
        .map((wanted) => choices.filter(({ entry }) => isReached(entry) === wanted))
        .filter((table) => table.length > 0);
      const table = tables[Math.floor(fraction() * tables.length)] ?? [];
      const choice = table[Math.floor(fraction() * table.length)];
      if (choice === undefined) return undefined;
      const { entry, addresses } = choice;
      // One that failed is tried at its next address.
      const { address = "" } = addresses[entry.failures % addresses.length] ?? {};
      return { peer: entry.peer, address: `${address}/p2p/${entry.peer}` };
    },
    tell(reach, limit, { isExcluded, isConnected, fraction }, nowMs) {
      const told = [...entries.values()].flatMap((entry) => {
        const { peer, failures } = entry;
        const isFresh = failures < MAX_TOLD_FAILURES && !isStale(entry, nowMs);
        if (isExcluded(peer)) return [];
        const addresses = entry.addresses.flatMap(({ address, proof }) => {
          const isProven = (proof === "reached" && isFresh) || (proof === "origin" && isConnected(peer));
          const endpoint = parseEndpoint(address);
          return isProven && endpoint !== undefined && isMeantFor(endpoint.reach, reach) ? [address] : [];
        });
        return addresses.length === 0 ? [] : [{ peer, addresses, order: fraction() }];
      });
      return told
        .sort((a, b) => a.order - b.order)
        .slice(0, limit)
        .map(({ peer, addresses }) => ({ peer, addresses }));
    },
    forget: (peer) => void entries.delete(peer),
    get(peer) {
      const entry = entries.get(peer);
      return entry === undefined ? undefined : viewOf(entry);
    },
    list: () => [...entries.values()].map(viewOf).sort((a, b) => (a.peer < b.peer ? -1 : 1)),
    get size() {
      return entries.size;
    },
  };
}
