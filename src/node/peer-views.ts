import type { Peer } from "../api/index.ts";
import { formatWork } from "../consensus/index.ts";
import type { Supervisor } from "../network/index.ts";
import type { Network } from "../ports/index.ts";
import type { SyncDriver } from "./sync-driver.ts";

export interface PeerViewsDeps {
  readonly network: Network;
  readonly supervisor: Supervisor;
  readonly sync: SyncDriver;
}

/** Everybody we are connected to, and everybody we should be. */
export function peerViews({ network, supervisor, sync }: PeerViewsDeps): Peer[] {
  const configured = supervisor.list();
  const refused = new Set(network.refused());
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
    };
  });
  const away = (
    peer: string | null,
    address: string | null,
    isConfigured: boolean,
    problem: string | null,
  ): Peer => ({
    peer,
    state: peer !== null && refused.has(peer) ? "refused" : "disconnected",
    configured: isConfigured,
    address,
    direction: null,
    sinceMs: null,
    head: null,
    problem,
  });
  for (const { address, peer, lastError } of configured) {
    if (peer !== undefined && shown.has(peer)) continue;
    if (peer !== undefined) shown.add(peer);
    const isRefused = peer !== undefined && refused.has(peer);
    views.push(
      away(peer ?? null, address, true, isRefused ? "refused by this node" : (lastError?.message ?? null)),
    );
  }
  for (const peer of refused)
    if (!shown.has(peer)) views.push(away(peer, null, false, "refused by this node"));
  return views;
}
