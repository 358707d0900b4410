import { NetworkError, type PeerName } from "../ports/index.ts";
import { type Context, type Kind, LIMITS, PROTOCOL_NAMES, PROTOCOL_VERSION } from "./protocol-context.ts";
import type { EncodedHeader, ProtocolHandlers } from "./protocol-types.ts";
import * as wire from "./wire.ts";
import { decodePeersRequest, encodePeers } from "./wire-peers.ts";

/** The answering side: declares every request protocol and topic. */
export function declareAnswers(context: Context, handlers: ProtocolHandlers): void {
  serveStatus(context, handlers);
  serveHeaders(context, handlers);
  serveBlocks(context, handlers);
  serveTransactions(context, handlers);
  servePeers(context, handlers);
  joinTopics(context, handlers);
}

/** Serves one protocol: decodes, charges the peer's quota, answers. */
function serve<Request>(
  context: Context,
  kind: Kind,
  decode: (bytes: Uint8Array) => Request | undefined,
  cost: (request: Request) => number,
  answer: (peer: PeerName, request: Request) => Promise<readonly Uint8Array[]>,
): void {
  context.deps.network.handle(context.name(PROTOCOL_NAMES[kind]), LIMITS[kind], async (peer, bytes) => {
    const request = decode(bytes);
    if (request === undefined) throw context.punish(peer, `malformed ${kind} request`);
    const verdict = context.granted[kind].take(peer, cost(request));
    if (verdict === "abuse") throw context.punish(peer, `far beyond the ${kind} quota`);
    if (verdict === "refuse") throw new NetworkError("NETWORK_REFUSED", `beyond the ${kind} quota`);
    return answer(peer, request);
  });
}

function serveStatus(context: Context, handlers: ProtocolHandlers): void {
  serve(
    context,
    "status",
    wire.decodeStatus,
    () => 1,
    async (peer, theirs) => {
      if (theirs.chain !== context.chain || theirs.version !== PROTOCOL_VERSION) {
        throw context.punish(peer, "another chain or version");
      }
      context.introduced(peer);
      return [wire.encodeStatus(await handlers.status(peer, theirs))];
    },
  );
}

function serveHeaders(context: Context, handlers: ProtocolHandlers): void {
  serve(
    context,
    "headers",
    wire.decodeHeadersRequest,
    ({ maxCount }) => maxCount,
    async (peer, request) => {
      const headers: EncodedHeader[] = [];
      for (const header of await handlers.headers(peer, request)) {
        if (headers.length === request.maxCount) break;
        headers.push(header);
        if (header.id === request.stop) break;
      }
      return [wire.encodeHeaders(headers)];
    },
  );
}

function serveBlocks(context: Context, handlers: ProtocolHandlers): void {
  serve(
    context,
    "blocks",
    wire.decodeBlocksRequest,
    (ids) => ids.length,
    async (peer, ids) => {
      const stored = await handlers.blocks(peer, ids, wire.MAX_BLOCKS_RESPONSE_BYTES);
      let bytes = 0;
      const fitting = stored.findIndex(({ bodyBytes }) => {
        bytes += wire.blockResponseBytes(bodyBytes.length);
        return bytes > wire.MAX_BLOCKS_RESPONSE_BYTES;
      });
      return wire.encodeBlocks(fitting < 0 ? stored : stored.slice(0, fitting));
    },
  );
}

function serveTransactions(context: Context, handlers: ProtocolHandlers): void {
  serve(
    context,
    "transactions",
    wire.decodeTransactionsRequest,
    (request) => (request.kind === "list" ? request.limit : request.leaves.length),
    async (peer, request) => {
      if (request.kind === "list") {
        const leaves = await handlers.mempoolLeaves(peer, request.after, request.limit);
        return [wire.encodeLeafList(leaves.slice(0, request.limit))];
      }
      const transactions: { readonly bytes: Uint8Array }[] = [];
      let bytes = 0;
      for (const leaf of request.leaves) {
        const transaction = handlers.transaction(peer, leaf);
        if (transaction === undefined) continue;
        bytes += wire.listedTransactionBytes(transaction.bytes.length);
        if (bytes > wire.MAX_TRANSACTIONS_RESPONSE_BYTES) break;
        transactions.push(transaction);
      }
      return [wire.encodeTransactions(transactions)];
    },
  );
}

function servePeers(context: Context, handlers: ProtocolHandlers): void {
  serve(
    context,
    "peers",
    decodePeersRequest,
    () => 1,
    async (peer, limit) => [encodePeers(handlers.peers(peer, limit).slice(0, limit))],
  );
}

function joinTopics(context: Context, handlers: ProtocolHandlers): void {
  const { network } = context.deps;
  network.subscribe(context.name("txs"), wire.MAX_TRANSACTIONS_MESSAGE_BYTES, async (from, data) => {
    const transactions = wire.decodeTransactionsMessage(data);
    if (transactions !== undefined) return handlers.gossipedTransactions(from, transactions);
    context.punish(from, "malformed gossip of transactions");
    return "reject";
  });
  network.subscribe(context.name("blocks"), wire.MAX_COMPACT_BLOCK_BYTES, async (from, data) => {
    const block = wire.decodeCompactBlock(data);
    if (block !== undefined) return handlers.gossipedBlock(from, block);
    context.punish(from, "malformed gossip of a block");
    return "reject";
  });
}
