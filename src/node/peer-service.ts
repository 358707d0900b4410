import { type Link, type NodeService, type Peer, ServiceError } from "../api/index.ts";
import { isDialable, isPeerName } from "../network/index.ts";
import { type PeerViewsDeps, peerViews } from "./peer-views.ts";

/** Peers refused at a time: by hand or by a cluster's split, so a bound that nobody meets but a mistake. */
const MAX_REFUSED = 1_024;

/** What an operator sees of peers, and does to them. */
export function createPeerService(
  deps: PeerViewsDeps,
): Pick<NodeService, "peers" | "addPeer" | "removePeer" | "links" | "refuseLink" | "allowLink"> {
  const { network, supervisor } = deps;
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
        return { address, peer: supervisor.add(address).peer ?? null };
      } catch (error) {
        throw new ServiceError("TOO_MANY_PEERS", 409, String((error as Error).message), { cause: error });
      }
    },
    async removePeer(peerOrAddress) {
      const removed = supervisor.remove(peerOrAddress);
      const peers = new Set([peerOrAddress, ...removed.flatMap(({ peer }) => peer ?? [])]);
      const connected = network.connections().filter(({ peer }) => peers.has(peer));
      for (const { peer } of connected) await network.disconnect(peer, "removed by an operator");
      return removed.length > 0 || connected.length > 0;
    },
    links: async (): Promise<Link[]> => network.refused().map((peer) => ({ peer, mode: "refuse" })),
    async refuseLink(peer) {
      const details = { at: "peer", value: peer };
      if (!isPeerName(peer) || peer === network.self) {
        const what = peer === network.self ? "this node itself" : "no peer's name, which begins with 12D3Koo";
        throw new ServiceError("PEER_INVALID", 400, `${peer} is ${what}; GET /v1/peers lists peers`, {
          details,
        });
      }
      const refused = network.refused();
      if (refused.length >= MAX_REFUSED && !refused.includes(peer)) {
        const message = `${MAX_REFUSED} peers are refused already; allow some again first`;
        throw new ServiceError("TOO_MANY_PEERS", 409, message);
      }
      await network.refuse(peer);
    },
    async allowLink(peer) {
      const wasRefused = network.refused().includes(peer);
      network.allow(peer);
      supervisor.redialNow();
      return wasRefused;
    },
  };
}
