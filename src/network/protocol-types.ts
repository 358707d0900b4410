import type { Clock, GossipVerdict, Logger, Network, PeerName, Timers } from "../ports/index.ts";
import type { BlockId, Leaf, SealedHeader, SealedTransaction } from "../primitives/index.ts";
import type { Quota } from "./quota.ts";
import type * as wire from "./wire.ts";
import type { ToldPeer } from "./wire-peers.ts";

/** Tokens per peer: exchanges for status and peers; headers, blocks, leaves and transactions asked for, for the others. */
export interface ProtocolQuotas {
  readonly status: Quota;
  readonly headers: Quota;
  readonly blocks: Quota;
  readonly transactions: Quota;
  readonly peers: Quota;
}

export interface ProtocolsDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

export interface ProtocolsOptions {
  /** Hex chain id; its first 8 digits are in every protocol and topic name, the whole in `Status`. */
  readonly chain: BlockId;
  readonly quotas?: Partial<ProtocolQuotas>;
}

/** A header as it is stored and sent; whoever passes it on need not decode it. */
export interface EncodedHeader {
  readonly id: BlockId;
  readonly bytes: Uint8Array;
}

/** A block as it is stored and sent. */
export interface EncodedBlock {
  readonly headerBytes: Uint8Array;
  readonly bodyBytes: Uint8Array;
}

/**
 * What the rest of the node answers and judges. Everything handed in has been decoded, nothing checked beyond that. A
 * handler that throws is a refusal to the peer.
 */
export interface ProtocolHandlers {
  /** Our own status; `theirs` is the asker's, of the same chain and version. */
  status(peer: PeerName, theirs: wire.Status): wire.Status | Promise<wire.Status>;
  /** Headers after the newest locator id that is on our best chain (else after genesis), ascending. */
  headers(
    peer: PeerName,
    request: wire.HeadersRequest,
  ): Iterable<EncodedHeader> | Promise<Iterable<EncodedHeader>>;
  /** Stored blocks in the order asked, up to the first that is not there; bodies beyond `maxBytes` in all may be left out. */
  blocks(peer: PeerName, ids: readonly BlockId[], maxBytes: number): Promise<readonly EncodedBlock[]>;
  /** Leaves of our mempool after `after`, ascending, at most `limit`. */
  mempoolLeaves(peer: PeerName, after: Leaf, limit: number): readonly Leaf[] | Promise<readonly Leaf[]>;
  /** A transaction of our mempool or of a recent block. */
  transaction(peer: PeerName, leaf: Leaf): { readonly bytes: Uint8Array } | undefined;
  /** Other peers that the asker may dial, at most `limit`, perhaps none. */
  peers(peer: PeerName, limit: number): readonly ToldPeer[];
  /** Judges a gossiped batch: none twice, at least one. */
  gossipedTransactions(from: PeerName, transactions: readonly SealedTransaction[]): Promise<GossipVerdict>;
  gossipedBlock(from: PeerName, block: wire.CompactBlock): Promise<GossipVerdict>;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/**
 * The protocols of one chain over a network. Requests fail with a `NetworkError`; an answer that is malformed or was not
 * asked for costs the peer its connection and fails with `NETWORK_MALFORMED`.
 */
export interface Protocols {
  /** Tells the peer our status and gets its own. Fails with `NETWORK_MALFORMED` for another chain or version. */
  requestStatus(peer: PeerName, ours: wire.Status, options?: RequestOptions): Promise<wire.Status>;
  /** At most `maxCount` headers. Whether they connect to the locator and to each other is for the asker to see. */
  requestHeaders(
    peer: PeerName,
    request: wire.HeadersRequest,
    options?: RequestOptions,
  ): Promise<readonly SealedHeader[]>;
  /** A prefix of the blocks asked for (1 to 128), perhaps empty. */
  requestBlocks(
    peer: PeerName,
    ids: readonly BlockId[],
    options?: RequestOptions,
  ): Promise<readonly wire.RawBlock[]>;
  /** Leaves of the peer's mempool, ascending, all after `after`, at most `limit` (1 to 8,192). */
  listMempool(peer: PeerName, after: Leaf, limit: number, options?: RequestOptions): Promise<readonly Leaf[]>;
  /** Those that the peer has of the transactions asked for (1 to 2,048), in the order asked, as far as they fit. */
  requestTransactions(
    peer: PeerName,
    leaves: readonly Leaf[],
    options?: RequestOptions,
  ): Promise<readonly SealedTransaction[]>;
  /** At most `limit` (1 to 64) peers that the peer knows of. */
  requestPeers(peer: PeerName, limit: number, options?: RequestOptions): Promise<readonly ToldPeer[]>;
  /** Gossips transactions: at once when idle, in batches under load. Returns at once. */
  publishTransactions(transactions: readonly { readonly bytes: Uint8Array }[]): void;
  publishBlock(block: wire.CompactBlock): Promise<void>;
  /** Publishes what waits in the batch and sets no timer any more. Before the network's own `stop`. */
  stop(): void;
}
