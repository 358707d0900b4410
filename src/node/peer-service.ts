import { type Ban, type NodeService, type Page, type Peer, ServiceError } from "../api/index.ts";
import { isDialable, isPeerName } from "../network/index.ts";
import { type Ban as BanEntry, formatIp, ipIn, isLocal, MAX_BANS, parseIp } from "../sync/index.ts";
import { type PeerViewsDeps, peerViews } from "./peer-views.ts";

const DEFAULT_BAN_MS = 24 * 60 * 60_000;

type PeerService = Pick<NodeService, "peers" | "addPeer" | "removePeer" | "bans" | "ban" | "unban">;

const banView = (ban: BanEntry): Ban => ({
  ...ban,
  kind: isPeerName(ban.subject) ? "peer" : "address",
});

/** The list's order must not change while it is read. */
const bySubject = (a: BanEntry, b: BanEntry): number => (a.subject < b.subject ? -1 : 1);

/** The peer's name, or else the IP address, that a text names. */
function subjectOf(text: string): string {
  const name = text.split("/p2p/").at(-1) ?? text;
  if (isPeerName(name)) return name;
  const ip = ipIn(text) ?? parseIp(text);
  if (ip !== undefined) return formatIp(ip);
  const message = `${text} is no peer's name, which begins with 12D3Koo, no IP address and no multiaddr of one; GET /v1/peers lists peers`;
  throw new ServiceError("PEER_INVALID", 400, message, { details: { at: "peer", value: text } });
}

/** What an operator sees of peers, and does to them. */
export function createPeerService(deps: PeerViewsDeps): PeerService {
  const { network, supervisor, bans } = deps;

  /** What is answered must outlive a crash right after. */
  async function whenSaved(what: string): Promise<void> {
    if (await bans.saved()) return;
    const message = `${what}, but that cannot be written to disk, so a restart forgets it; the node's log has the reason`;
    throw new ServiceError("BANS_NOT_SAVED", 500, message);
  }

  return {
    peers: async (): Promise<Peer[]> => peerViews(deps),
    async addPeer(address) {
      const details = { at: "address", value: address };
      if (!isDialable(address)) {
        const message = `${address} is no address of a peer; give one such as /ip4/127.0.0.1/tcp/4001, with a port above 0 and after /p2p/ a whole peer's name`;
        throw new ServiceError("ADDRESS_INVALID", 400, message, { details });
      }
      if (address.endsWith(`/p2p/${network.self}`)) {
        throw new ServiceError("ADDRESS_INVALID", 400, `${address} is this node itself`, { details });
      }
      try {
        const peer = supervisor.add(address).peer ?? null;
        // Who is wanted is not kept away for faults of before.
        if (peer !== null && bans.list().some(({ subject, byHand }) => subject === peer && !byHand))
          bans.unban(peer);
        return { address, peer };
      } catch (error) {
        throw new ServiceError("TOO_MANY_PEERS", 409, String((error as Error).message), { cause: error });
      }
    },
    async removePeer(peerOrAddress) {
      const removed = supervisor.remove(peerOrAddress);
      const peers = new Set([peerOrAddress, ...removed.flatMap(({ peer }) => peer ?? [])]);
      for (const peer of peers) deps.forget(peer);
      const connected = network.connections().filter(({ peer }) => peers.has(peer));
      for (const { peer } of connected) await network.disconnect(peer, "removed by an operator");
      return removed.length > 0 || connected.length > 0;
    },
    async bans({ limit, after }): Promise<Page<Ban>> {
      const from = after === undefined ? "" : Buffer.from(after, "base64url").toString();
      const left = bans
        .list()
        .filter(({ subject }) => subject > from)
        .sort(bySubject);
      const items = left.slice(0, limit).map(banView);
      const next =
        left.length > limit ? Buffer.from(items.at(-1)?.subject ?? "").toString("base64url") : null;
      return { items, next };
    },
    async ban(peerOrAddress, { forMs = DEFAULT_BAN_MS, reason = "by an operator" }) {
      const subject = subjectOf(peerOrAddress);
      const details = { at: "peer", value: peerOrAddress };
      if (subject === network.self)
        throw new ServiceError("PEER_INVALID", 400, `${subject} is this node itself`, { details });
      const ip = parseIp(subject);
      if (ip !== undefined && isLocal(ip)) {
        const message = `${subject} is an address of this machine or a private network, which many peers may share; ban each by its name`;
        throw new ServiceError("ADDRESS_LOCAL", 400, message, { details });
      }
      const ban = bans.ban(subject, forMs, reason);
      if (ban === undefined)
        throw new ServiceError("TOO_MANY_BANS", 409, `${MAX_BANS} bans are in force; end some first`);
      await whenSaved(`${subject} is banned`);
      return banView(ban);
    },
    async unban(peerOrAddress) {
      const subject = subjectOf(peerOrAddress);
      const wasBanned = bans.unban(subject);
      await whenSaved(`${subject} is not banned any more`);
      return wasBanned;
    },
  };
}
