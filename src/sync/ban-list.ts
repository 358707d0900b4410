/** What one fault costs. Three in a short time are a ban; one every ten minutes never is. */
const FAULT_POINTS = 40;
const BAN_AT_POINTS = 100;
/** Points fade: half of them are gone after so long. */
const HALF_LIFE_MS = 10 * 60_000;
/** What a peer sent in one go may be found faulty many times; within this it counts once. */
const ONE_FAULT_MS = 1_000;
const AUTOMATIC_BAN_MS = 60 * 60_000;
/** Peers whose points are remembered; names cost nothing, so the ones with the fewest points are forgotten first. */
const MAX_SCORED = 1_024;
export const MAX_BANS = 1_024;

/** Who is kept away, and until when. */
export interface Ban {
  /** A peer's name, or an IP address. */
  readonly subject: string;
  readonly sinceMs: number;
  /** Unix ms. */
  readonly untilMs: number;
  readonly reason: string;
  /** Made by an operator, not for faults. */
  readonly byHand: boolean;
}

/**
 * Faults of peers, which add up and fade, and bans, which end by themselves. Times are Unix ms, because bans outlive the
 * process.
 */
export interface BanList {
  /**
   * A peer has made a fault. Answers the ban where this was one too many; a peer that is to be kept (`isKept`) is never
   * banned for faults: it is somebody's wish to be connected to it.
   */
  fault(peer: string, reason: string, isKept: boolean, nowMs: number): Ban | undefined;
  /** 0 is good; at -100 a peer is banned. */
  score(peer: string, nowMs: number): number;
  /** Bans, or changes the ban there is. False: 1,024 are there already, and none of them is for faults. */
  ban(ban: Ban, nowMs: number): boolean;
  /** False where there was none. The peer's faults are forgiven too. */
  unban(subject: string, nowMs: number): boolean;
  isBanned(subject: string, nowMs: number): boolean;
  /** Those in force, the newest first. */
  list(nowMs: number): readonly Ban[];
}

interface Scored {
  points: number;
  atMs: number;
}

/** `restored`: bans from before a restart. */
export function createBanList(restored: readonly Ban[] = []): BanList {
  const bans = new Map(restored.slice(0, MAX_BANS).map((ban) => [ban.subject, ban]));
  const scored = new Map<string, Scored>();

  function pointsOf(peer: string, nowMs: number): number {
    const entry = scored.get(peer);
    if (entry === undefined) return 0;
    // A clock that was set back must not keep them for as long.
    return entry.points * 0.5 ** (Math.abs(nowMs - entry.atMs) / HALF_LIFE_MS);
  }

  /** One for faults that has twice as much left as it had at first is of a clock that was wrong then. */
  function isInForce({ untilMs, byHand }: Ban, nowMs: number): boolean {
    return untilMs > nowMs && (byHand || untilMs <= nowMs + 2 * AUTOMATIC_BAN_MS);
  }

  function dropExpired(nowMs: number): void {
    for (const [subject, one] of bans) if (!isInForce(one, nowMs)) bans.delete(subject);
  }

  function forgetLeast(nowMs: number): void {
    let least: string | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const peer of scored.keys()) {
      const points = pointsOf(peer, nowMs);
      if (points < fewest) [least, fewest] = [peer, points];
    }
    if (least !== undefined) scored.delete(least);
  }

  function ban(one: Ban, nowMs: number): boolean {
    dropExpired(nowMs);
    if (!bans.has(one.subject) && bans.size >= MAX_BANS) {
      const soonest = [...bans.values()]
        .filter(({ byHand }) => !byHand)
        .sort((a, b) => a.untilMs - b.untilMs)[0];
      if (soonest === undefined) return false;
      bans.delete(soonest.subject);
    }
    bans.set(one.subject, one);
    return true;
  }

  return {
    fault(peer, reason, isKept, nowMs) {
      const before = scored.get(peer);
      if (before !== undefined && Math.abs(nowMs - before.atMs) < ONE_FAULT_MS) return undefined;
      const points = Math.min(pointsOf(peer, nowMs) + FAULT_POINTS, BAN_AT_POINTS);
      if (before === undefined && scored.size >= MAX_SCORED) forgetLeast(nowMs);
      scored.set(peer, { points, atMs: nowMs });
      if (points < BAN_AT_POINTS || isKept || bans.get(peer)?.byHand) return undefined;
      const made = {
        subject: peer,
        sinceMs: nowMs,
        untilMs: nowMs + AUTOMATIC_BAN_MS,
        reason,
        byHand: false,
      };
      return ban(made, nowMs) ? made : undefined;
    },
    score: (peer, nowMs) => 0 - Math.round(pointsOf(peer, nowMs)),
    ban,
    unban(subject, nowMs) {
      dropExpired(nowMs);
      scored.delete(subject);
      return bans.delete(subject);
    },
    isBanned(subject, nowMs) {
      const found = bans.get(subject);
      return found !== undefined && isInForce(found, nowMs);
    },
    list(nowMs) {
      dropExpired(nowMs);
      return [...bans.values()].sort((a, b) => b.sinceMs - a.sinceMs || (a.subject < b.subject ? -1 : 1));
    },
  };
}
