import { delay, NetworkError, type PeerName } from "../ports/index.ts";
import type { Leaf, SealedTransaction } from "../primitives/index.ts";
import { createTransactionBatcher } from "./gossip-transactions.ts";
import { type Context, type Kind, LIMITS, PROTOCOL_NAMES, PROTOCOL_VERSION } from "./protocol-context.ts";
import type { Protocols, RequestOptions } from "./protocol-types.ts";
import * as wire from "./wire.ts";
import { decodePeers, encodePeersRequest } from "./wire-peers.ts";

/** An asker that would have to wait longer for its own quota is told so instead. */
const MAX_QUOTA_WAIT_MS = 10_000;
const ANOTHER_CHAIN =
  "it is a node of another chain, or none of this program: it does not speak our status protocol";

/** Asks one peer, within our own quota; what `decode` does not accept costs the peer its connection. */
async function ask<Response>(
  context: Context,
  kind: Kind,
  peer: PeerName,
  cost: number,
  request: Uint8Array,
  decode: (bytes: Uint8Array) => Response | undefined,
  { signal }: RequestOptions = {},
): Promise<Response> {
  const { network, timers } = context.deps;
  const waitMs = context.used[kind].reserveMs(peer, cost, MAX_QUOTA_WAIT_MS);
  if (waitMs === undefined) {
    throw new NetworkError("NETWORK_REFUSED", `we asked ${peer} for more ${kind} than it would answer`);
  }
  if (waitMs > 0) await delay(timers, waitMs, signal);
  const options = signal === undefined ? {} : { signal };
  const bytes = await network.request(
    peer,
    context.name(PROTOCOL_NAMES[kind]),
    request,
    LIMITS[kind],
    options,
  );
  const response = decode(bytes);
  if (response === undefined) throw context.punish(peer, `malformed ${kind} response`);
  return response;
}

/** The asking side, and what is published. */
export function createRequesters(context: Context): Protocols {
  const { network, timers, logger } = context.deps;
  const publish = (kind: string, message: Uint8Array): Promise<void> =>
    network.publish(context.name(kind), message);
  const batcher = createTransactionBatcher({
    timers,
    publish(message) {
      publish("txs", message).catch((error: unknown) =>
        logger.debug({ error }, "transactions were not gossiped"),
      );
    },
  });
  return {
    async requestStatus(peer, ours, options) {
      const decode = (bytes: Uint8Array) => {
        const theirs = wire.decodeStatus(bytes);
        return theirs?.chain === context.chain && theirs.version === PROTOCOL_VERSION ? theirs : undefined;
      };
      try {
        const theirs = await ask(context, "status", peer, 1, wire.encodeStatus(ours), decode, options);
        context.introduced(peer);
        return theirs;
      } catch (error) {
        // Protocols have the chain in their names. No fault: whoever told of the peer may not have known. Who dialled lets
        // go, so that its operator sees why, and not that the other end was faster.
        const isOurs = network.connections().some((one) => one.peer === peer && one.direction === "outbound");
        if (isOurs && error instanceof NetworkError && error.code === "NETWORK_UNSUPPORTED")
          await network.disconnect(peer, ANOTHER_CHAIN);
        throw error;
      }
    },
    requestHeaders(peer, request, options) {
      const decode = (bytes: Uint8Array) => wire.decodeHeaders(bytes, request.maxCount);
      return ask(
        context,
        "headers",
        peer,
        request.maxCount,
        wire.encodeHeadersRequest(request),
        decode,
        options,
      );
    },
    requestBlocks(peer, ids, options) {
      const decode = (bytes: Uint8Array) => {
        const blocks = wire.decodeBlocks(bytes);
        const asked = blocks?.every(({ header }, index) => header.id === ids[index]);
        return asked ? blocks : undefined;
      };
      return ask(context, "blocks", peer, ids.length, wire.encodeBlocksRequest(ids), decode, options);
    },
    listMempool(peer, after, limit, options) {
      const decode = (bytes: Uint8Array) => {
        const leaves = wire.decodeLeafList(bytes);
        if (leaves === undefined || leaves.length > limit) return undefined;
        // Ascending already, and lowercase hex sorts as its bytes do.
        return leaves[0] === undefined || leaves[0] > after ? leaves : undefined;
      };
      const request = wire.encodeTransactionsRequest({ kind: "list", after, limit });
      return ask(context, "transactions", peer, limit, request, decode, options);
    },
    requestTransactions(peer, leaves, options) {
      const decode = (bytes: Uint8Array) => {
        const transactions = wire.decodeTransactions(bytes);
        return transactions !== undefined && isSubsequence(transactions, leaves) ? transactions : undefined;
      };
      const request = wire.encodeTransactionsRequest({ kind: "get", leaves });
      return ask(context, "transactions", peer, leaves.length, request, decode, options);
    },
    requestPeers(peer, limit, options) {
      const decode = (bytes: Uint8Array) => decodePeers(bytes, limit);
      return ask(context, "peers", peer, 1, encodePeersRequest(limit), decode, options);
    },
    publishTransactions: (transactions) => batcher.add(transactions),
    publishBlock: (block) => publish("blocks", wire.encodeCompactBlock(block)),
    stop: () => batcher.stop(),
  };
}

/** Whether the transactions answer some of the leaves, in the order asked. */
function isSubsequence(transactions: readonly SealedTransaction[], leaves: readonly Leaf[]): boolean {
  let position = 0;
  for (const { leaf } of transactions) {
    while (position < leaves.length && leaves[position] !== leaf) position++;
    if (position++ >= leaves.length) return false;
  }
  return true;
}
