import { isIP } from "node:net";
import type { Clock } from "../ports/index.ts";

/** Tokens: what may be asked at once, and what comes back per second. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** What is asked for: changes, or reading by what it costs the node. */
export type RateKind = "change" | "read";

/** Of one address that is not this machine's. A person or a page that looks once a second stays far below. */
const OF_ADDRESS: Readonly<Record<RateKind, Rate>> = {
  change: { burst: 200, perSecond: 40 },
  read: { burst: 600, perSecond: 200 },
};
/** Of all such addresses together, so that many of them get no more than a part of the machine. */
const OF_ALL: Readonly<Record<RateKind, Rate>> = {
  change: { burst: 600, perSecond: 120 },
  read: { burst: 1_800, perSecond: 600 },
};
/** Of programs on this machine, and of who has the token: a bound on mistakes, above what a load test asks for. */
const OF_TRUSTED: Readonly<Record<RateKind, Rate>> = {
  change: { burst: 60_000, perSecond: 20_000 },
  read: { burst: 60_000, perSecond: 20_000 },
};
/** Addresses remembered; above it the one that was silent longest is forgotten. The bound on all holds anyhow. */
const MAX_ADDRESSES = 4_096;
/** One customer of IPv6 has at least a network of 64 bits: four groups. */
const IPV6_GROUPS = 4;

interface Bucket {
  tokens: number;
  atMs: number;
}

export interface RateQuestion {
  /** The other end of the connection. */
  readonly address: string;
  readonly isTrusted: boolean;
  readonly kind: RateKind;
  /** Tokens: 1 for what is cheap. */
  readonly cost: number;
}

export interface RateLimits {
  /** Takes the tokens, or tells what is exceeded and when it would be granted; what is refused costs nothing. */
  take(question: RateQuestion): { readonly scope: "address" | "all"; readonly waitMs: number } | undefined;
  /** How many addresses are remembered. */
  readonly size: number;
}

/** An address as it is counted: an IPv6 network as one, IPv4 the same however it is written. */
export function rateAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [head = "", tail = ""] = address.split("%")[0]?.split("::") ?? [];
  const groups = head === "" ? [] : head.split(":");
  const missing = address.includes("::") ? 8 - groups.length - (tail === "" ? 0 : tail.split(":").length) : 0;
  const whole = [...groups, ...Array<string>(Math.max(0, missing)).fill("0"), ...tail.split(":")];
  return `${whole
    .slice(0, IPV6_GROUPS)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

/** Token buckets by address and in all. */
export function createRateLimits(clock: Clock): RateLimits {
  const buckets = new Map<string, Bucket>();
  const all = new Map<RateKind, Bucket>();

  function fill(bucket: Bucket | undefined, { burst, perSecond }: Rate): Bucket {
    const nowMs = clock.monotonicMs();
    if (bucket === undefined) return { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
    return { tokens, atMs: nowMs };
  }

  const waitMs = ({ tokens }: Bucket, cost: number, { perSecond }: Rate): number =>
    Math.max(0, Math.ceil(((cost - tokens) / perSecond) * 1_000));

  return {
    get size() {
      return buckets.size;
    },
    take({ address, isTrusted, kind, cost }) {
      const key = `${kind} ${isTrusted ? "trusted" : rateAddress(address)}`;
      const rate = isTrusted ? OF_TRUSTED[kind] : OF_ADDRESS[kind];
      const own = fill(buckets.get(key), rate);
      const shared = isTrusted ? undefined : fill(all.get(kind), OF_ALL[kind]);
      // Newest in the map, so that the first is the one that was silent longest.
      buckets.delete(key);
      buckets.set(key, own);
      if (buckets.size > MAX_ADDRESSES) buckets.delete(buckets.keys().next().value ?? "");
      const ownWaitMs = waitMs(own, cost, rate);
      if (ownWaitMs > 0) return { scope: "address", waitMs: ownWaitMs };
      const sharedWaitMs = shared === undefined ? 0 : waitMs(shared, cost, OF_ALL[kind]);
      if (sharedWaitMs > 0) return { scope: "all", waitMs: sharedWaitMs };
      own.tokens -= cost;
      if (shared !== undefined) {
        shared.tokens -= cost;
        all.set(kind, shared);
      }
      return undefined;
    },
  };
}
