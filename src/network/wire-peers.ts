import { ByteVectorType, ContainerType, ListCompositeType, UintNumberType } from "@chainsafe/ssz";
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey, peerIdFromString } from "@libp2p/peer-id";
import type { PeerName } from "../ports/index.ts";
import { Bytes32, Uint32 } from "../primitives/index.ts";
import {
  endpointOf,
  formatEndpoint,
  formatIp,
  MAX_ADDRESSES_PER_PEER,
  parseEndpoint,
  parseIp,
} from "../sync/index.ts";
import { strict } from "./wire.ts";

/** Peers in one answer, at most. */
export const MAX_PEERS_PER_RESPONSE = 64;
const IP_BYTES = 16;
const ADDRESS_BYTES = IP_BYTES + 2;
const OFFSET_BYTES = 4;
export const MAX_PEERS_RESPONSE_BYTES: number =
  MAX_PEERS_PER_RESPONSE * (OFFSET_BYTES + 32 + OFFSET_BYTES + MAX_ADDRESSES_PER_PEER * ADDRESS_BYTES);

/** A peer as others are told of it. */
export interface ToldPeer {
  readonly peer: PeerName;
  /** 1 to 4 multiaddrs of an IP address and a TCP port. */
  readonly addresses: readonly string[];
}

const PeersRequestSsz = new ContainerType({ limit: Uint32 });
const PeersResponseSsz = new ListCompositeType(
  new ContainerType({
    key: Bytes32,
    addresses: new ListCompositeType(
      new ContainerType({ ip: new ByteVectorType(IP_BYTES), port: new UintNumberType(2) }),
      MAX_ADDRESSES_PER_PEER,
    ),
  }),
  MAX_PEERS_PER_RESPONSE,
);

/** The Ed25519 key behind a name; undefined for names of other keys, which our nodes never have. */
function keyOf(name: PeerName): Uint8Array | undefined {
  const { publicKey } = peerIdFromString(name);
  return publicKey?.type === "Ed25519" ? publicKey.raw : undefined;
}

export function encodePeersRequest(limit: number): Uint8Array {
  return PeersRequestSsz.serialize({ limit });
}

/** How many peers are asked for, 1 to 64. */
export function decodePeersRequest(bytes: Uint8Array): number | undefined {
  const limit = strict(PeersRequestSsz, bytes)?.limit;
  return limit !== undefined && limit >= 1 && limit <= MAX_PEERS_PER_RESPONSE ? limit : undefined;
}

/** Leaves out what has no place in an answer: peers with other keys, addresses that are not of IP and TCP. */
export function encodePeers(peers: readonly ToldPeer[]): Uint8Array {
  return PeersResponseSsz.serialize(
    peers.flatMap(({ peer, addresses: told }) => {
      const key = keyOf(peer);
      const addresses = told.flatMap((address) => {
        const endpoint = parseEndpoint(address);
        const ip = parseIp(endpoint?.ip ?? "");
        return endpoint === undefined || ip === undefined ? [] : [{ ip, port: endpoint.port }];
      });
      return key === undefined || addresses.length === 0 ? [] : [{ key, addresses }];
    }),
  );
}

/**
 * At most `limit` peers, none twice, each with an address and none of them twice. An address that nobody can dial is
 * passed over, so a peer may be left without one: what is one for whom is not the same in every version.
 */
export function decodePeers(bytes: Uint8Array, limit: number): readonly ToldPeer[] | undefined {
  const list = strict(PeersResponseSsz, bytes);
  if (list === undefined || list.length > limit) return undefined;
  const peers: ToldPeer[] = [];
  const names = new Set<PeerName>();
  for (const { key, addresses } of list) {
    const peer = peerIdFromPublicKey(publicKeyFromRaw(key)).toString();
    const texts = new Set(addresses.map(({ ip, port }) => `${formatIp(ip)} ${port}`));
    if (names.has(peer) || addresses.length === 0 || texts.size < addresses.length) return undefined;
    names.add(peer);
    const endpoints = addresses.flatMap(({ ip, port }) => endpointOf(ip, port) ?? []);
    peers.push({ peer, addresses: endpoints.map(formatEndpoint) });
  }
  return peers;
}
