import type { Chain } from "../chain/index.ts";
import type { ProtocolHandlers, Status } from "../network/index.ts";
import type { BlockId } from "../primitives/index.ts";
import type { BlockRelay } from "./block-relay.ts";
import type { Punish } from "./punish.ts";
import type { SyncDriver } from "./sync-driver.ts";
import type { TransactionPool } from "./transaction-pool.ts";

export interface ProtocolHandlersDeps {
  readonly chain: Chain;
  readonly pool: TransactionPool;
  readonly sync: SyncDriver;
  readonly relay: BlockRelay;
  readonly ownStatus: () => Status;
  readonly punish: Punish;
  /** Other peers that an asker may dial. */
  readonly toldPeers: ProtocolHandlers["peers"];
}

/** What this node answers its peers: read from the chain and the mempool as they are. */
export function createProtocolHandlers(deps: ProtocolHandlersDeps): ProtocolHandlers {
  const { chain, pool, sync, relay, ownStatus, punish } = deps;
  /** The newest locator id on our best chain, else genesis. */
  function commonHeight(locator: readonly BlockId[]): number {
    for (const id of locator) {
      const block = chain.tree.get(id);
      if (block !== undefined && chain.isConnected(id)) return block.height;
    }
    return 0;
  }

  return {
    status(peer, theirs) {
      sync.peerStatus(peer, theirs);
      return ownStatus();
    },
    async headers(_peer, { locator, maxCount }) {
      const from = commonHeight(locator) + 1;
      const ids: BlockId[] = [];
      for (let height = from; ids.length < maxCount; height++) {
        const id = chain.idAt(height);
        if (id === undefined) break;
        ids.push(id);
      }
      const stored = await chain.blocks.headerBytes(ids);
      return stored.map((bytes, i) => ({ id: ids[i] as BlockId, bytes }));
    },
    async blocks(_peer, ids, maxBytes) {
      const isGood = (id: BlockId): boolean => (chain.tree.get(id)?.status ?? "invalid") !== "invalid";
      const bad = ids.findIndex((id) => !isGood(id));
      return await chain.blocks.serialized(bad < 0 ? ids : ids.slice(0, bad), maxBytes);
    },
    mempoolLeaves: (_peer, after, limit) => pool.mempool.leavesAfter(after, limit),
    transaction: (_peer, leaf) => pool.mempool.getByLeaf(leaf) ?? pool.recentlyMined(leaf),
    async gossipedTransactions(from, transactions) {
      const judged = await pool.admit(transactions, from);
      const fault = judged.find(({ senderAtFault }) => senderAtFault);
      if (fault?.admission.status === "refused") {
        punish(from, `gossiped a transaction against rule ${fault.admission.rule}`);
        return "reject";
      }
      // One stale transaction does not hold back the rest; a batch with nothing new in it need not go on.
      return judged.some(({ admission }) => admission.status === "pending") ? "accept" : "ignore";
    },
    gossipedBlock: (from, compact) => relay.announced(from, compact),
    peers: deps.toldPeers,
  };
}
