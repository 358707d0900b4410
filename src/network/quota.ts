import type { Clock, PeerName } from "../ports/index.ts";

/** Tokens for one kind of request: what may be asked at once, and what comes back per second. */
export interface Quota {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Token buckets, one per peer. What is asked for is charged whether it is granted or not, so that asking on and on makes
 * the wait longer, not shorter.
 */
export interface Quotas {
  /**
   * Charges `cost` tokens. "refuse": not now. "abuse": far beyond what a peer that keeps the same quotas can ever
   * owe, whatever the network did to its timing.
   */
  take(peer: PeerName, cost: number): "grant" | "refuse" | "abuse";
  /**
   * For the asking side: charges `cost` and tells how long to wait before asking, in ms; `undefined`, and nothing is
   * charged, if that were longer than `maxWaitMs`.
   */
  reserveMs(peer: PeerName, cost: number, maxWaitMs: number): number | undefined;
  /** How many peers are remembered. */
  readonly size: number;
}

/** Above it the peer that was silent longest is forgotten, and starts afresh. */
const MAX_REMEMBERED_PEERS = 4_096;

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createQuotas(clock: Clock, quota: Quota): Quotas {
  const buckets = new Map<PeerName, Bucket>();

  /** The peer's bucket, filled up to now and newest in the map. */
  function bucketOf(peer: PeerName): Bucket {
    const nowMs = clock.monotonicMs();
    const bucket = buckets.get(peer) ?? { tokens: quota.burst, atMs: nowMs };
    bucket.tokens = Math.min(quota.burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * quota.perSecond);
    bucket.atMs = nowMs;
    buckets.delete(peer);
    buckets.set(peer, bucket);
    if (buckets.size > MAX_REMEMBERED_PEERS) {
      const [longestAgo] = buckets.keys();
      if (longestAgo !== undefined) buckets.delete(longestAgo);
    }
    return bucket;
  }

  return {
    get size() {
      return buckets.size;
    },
    take(peer, cost) {
      const bucket = bucketOf(peer);
      const granted = bucket.tokens >= cost;
      bucket.tokens -= cost;
      if (granted) return "grant";
      return bucket.tokens < -2 * quota.burst ? "abuse" : "refuse";
    },
    reserveMs(peer, cost, maxWaitMs) {
      const bucket = bucketOf(peer);
      const waitMs = Math.max(0, Math.ceil(((cost - bucket.tokens) / quota.perSecond) * 1000));
      if (waitMs > maxWaitMs) return undefined;
      bucket.tokens -= cost;
      return waitMs;
    },
  };
}
