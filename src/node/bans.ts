import type { Supervisor } from "../network/index.ts";
import { type Clock, type Logger, type Metrics, type Network, silentMetrics } from "../ports/index.ts";
import { type Ban, type BanList, formatIp, ipIn } from "../sync/index.ts";

export interface BansDeps {
  readonly network: Network;
  readonly supervisor: Pick<Supervisor, "wanted" | "redialNow">;
  readonly banList: BanList;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  /** Bans changed and are to be saved; whether that succeeded. Never rejects. */
  readonly save: () => Promise<boolean>;
}

/** Who is kept away. The faults of peers become bans here, and an operator's wishes. */
export interface Bans {
  /** False: no room is left. `subject`: a peer's name or an IP address. */
  ban(subject: string, forMs: number, reason: string): Ban | undefined;
  unban(subject: string): boolean;
  /** Settles when all changes so far have been saved; false: the last could not be, and a restart forgets it. */
  saved(): Promise<boolean>;
  list(): readonly Ban[];
  /** 0 is good, -100 a ban. */
  score(peer: string): number;
}

export function createBans(deps: BansDeps): Bans {
  const { network, supervisor, banList, clock } = deps;
  const logger = deps.logger.child({ module: "bans" });

  const metrics = deps.metrics ?? silentMetrics;
  metrics.gaugeOf(
    { name: "cumulo_sync_bans", help: "Peers and addresses that are banned" },
    () => banList.list(clock.nowMs()).length,
  );
  const bansOfFaults = metrics.counter({
    name: "cumulo_sync_fault_bans_total",
    help: "Bans of peers that made too many faults",
  });
  let saving: Promise<boolean> = Promise.resolve(true);

  /** Connections that stand do not ask whether they may. */
  function disconnect({ subject, reason }: Ban): void {
    for (const { peer, address } of network.connections()) {
      const ip = ipIn(address);
      if (peer !== subject && (ip === undefined || formatIp(ip) !== subject)) continue;
      network.disconnect(peer, `banned: ${reason}`).catch((error: unknown) => {
        logger.error({ peer, error: String(error) }, "a banned peer could not be disconnected");
      });
    }
  }

  network.on("fault", (peer, reason) => {
    const ban = banList.fault(peer, reason, supervisor.wanted().has(peer), clock.nowMs());
    if (ban === undefined) return;
    bansOfFaults.increment();
    logger.warn(
      { peer, reason, untilMs: ban.untilMs },
      "a peer made too many faults and is banned for a time",
    );
    disconnect(ban);
    saving = deps.save();
  });

  return {
    ban(subject, forMs, reason) {
      const sinceMs = clock.nowMs();
      const ban: Ban = { subject, sinceMs, untilMs: sinceMs + forMs, reason, byHand: true };
      if (!banList.ban(ban, sinceMs)) return undefined;
      logger.info({ subject, reason, untilMs: ban.untilMs }, "banned by an operator");
      disconnect(ban);
      saving = deps.save();
      return ban;
    },
    unban(subject) {
      const wasBanned = banList.unban(subject, clock.nowMs());
      // Also where there is none: its end may not be on disk yet, which is why it is asked for again.
      saving = deps.save();
      if (wasBanned) supervisor.redialNow();
      return wasBanned;
    },
    saved: () => saving,
    list: () => banList.list(clock.nowMs()),
    score: (peer) => banList.score(peer, clock.nowMs()),
  };
}
