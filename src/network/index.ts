/**
 * Network: bytes to and from other nodes. The network port over libp2p (host, admission, links, gossip, request streams),
 * the wire format with its quotas and batching, and the supervisor that keeps configured peers connected.
 *
 * It knows encodings, not validity, and never imports chain/: node/ hands in functions that answer and judge.
 *
 * Invariants: bytes from outside never throw past this room and never make it allocate by a length they claim; every
 * gossip message gets exactly one verdict; every wait has a deadline and every queue a bound; a peer that breaks the
 * protocol loses its connection with the reason in the log; gossip tracks connected peers only; libp2p stays in here.
 */

export { isDialable, isPeerName, isTcpAddress } from "./address.ts";
export { MAX_INBOUND, MAX_INBOUND_PER_IP } from "./admission.ts";
export {
  createLibp2pNetwork,
  type Libp2pNetwork,
  type Libp2pNetworkDeps,
  type Libp2pNetworkOptions,
} from "./libp2p-network.ts";
export { PROTOCOL_VERSION } from "./protocol-context.ts";
export * from "./protocol-types.ts";
export * from "./protocols.ts";
export type { Quota } from "./quota.ts";
export * from "./supervisor.ts";
export type { CompactBlock, HeadersRequest, RawBlock, Status, TransactionsRequest } from "./wire.ts";
export {
  MAX_BLOCKS_PER_REQUEST,
  MAX_HEADERS_PER_RESPONSE,
  MAX_LEAVES_PER_LIST,
  MAX_LOCATOR_IDS,
  MAX_TRANSACTIONS_PER_REQUEST,
} from "./wire.ts";
export { MAX_PEERS_PER_RESPONSE, type ToldPeer } from "./wire-peers.ts";
