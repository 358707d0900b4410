import type { Peer } from "../api/index.ts";
import { formatWork } from "../consensus/index.ts";
import type { Supervisor } from "../network/index.ts";
import type { Network } from "../ports/index.ts";
import type { Bans } from "./bans.ts";
import type { SyncDriver } from "./sync-driver.ts";

export interface PeerViewsDeps {
  readonly network: Network;
  readonly supervisor: Supervisor;
  readonly sync: Pick<SyncDriver, "lastStatus">;
  readonly bans: Bans;
  /** Known peers are dialled; one that is to be left alone is forgotten. */
  readonly forget: (peer: string) => void;
}

/** Everybody we are connected to, and everybody we should be. */
export function peerViews({ network, supervisor, sync, bans }: Omit<PeerViewsDeps, "forget">): Peer[] {
  const configured = supervisor.list();
  const refused = new Set(network.refused());
  const banned = new Map(bans.list().map((ban) => [ban.subject, ban]));
  const shown = new Set<string>();
  const views: Peer[] = network.connections().map(({ peer, direction, address, sinceMs }) => {
    shown.add(peer);
    const head = sync.lastStatus(peer);
    return {
      peer,
      state: "connected",
      configured: configured.some((entry) => entry.peer === peer),
      address,
      direction,
      sinceMs,
      head: head === undefined ? null : { id: head.head, height: head.height, work: formatWork(head.work) },
      problem: null,
      score: bans.score(peer),
    };
  });
  const stateOf = (peer: string | null): Peer["state"] => {
    if (peer === null) return "disconnected";
    if (banned.has(peer)) return "banned";
    return refused.has(peer) ? "refused" : "disconnected";
  };
  const problemOf = (peer: string | undefined): string | undefined => {
    if (peer === undefined) return undefined;
    const ban = banned.get(peer);
    if (ban !== undefined) return `banned until ${new Date(ban.untilMs).toISOString()}: ${ban.reason}`;
    return refused.has(peer) ? "refused by this node" : undefined;
  };
  const away = (
    peer: string | null,
    address: string | null,
    isConfigured: boolean,
    problem: string | null,
  ): Peer => ({
    peer,
    state: stateOf(peer),
    configured: isConfigured,
    address,
    direction: null,
    sinceMs: null,
    head: null,
    problem,
    score: peer === null ? 0 : bans.score(peer),
  });
  for (const { address, peer, lastError } of configured) {
    if (peer !== undefined && shown.has(peer)) continue;
    if (peer !== undefined) shown.add(peer);
    views.push(away(peer ?? null, address, true, problemOf(peer) ?? lastError?.message ?? null));
  }
  for (const peer of refused)
    if (!shown.has(peer)) views.push(away(peer, null, false, problemOf(peer) ?? null));
  return views;
}
