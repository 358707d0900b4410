import {
  type BlockDetail,
  type Fate,
  type NodeService,
  ServiceError,
  type TransactionStatus,
  transactionToJson,
} from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import type { TreeBlock } from "../consensus/index.ts";
import type { Block, BlockId, SealedTransaction, TxId } from "../primitives/index.ts";
import type { Timeline } from "./timeline/index.ts";
import { presentLife } from "./transaction-life.ts";
import type { TransactionPool } from "./transaction-pool.ts";
import { blockDetail, eventView, fateOf, hasBody, minedFate } from "./views.ts";

interface LookupsDeps {
  readonly chain: Chain;
  readonly pool: TransactionPool;
  readonly timeline: Pick<Timeline, "arrivals" | "life" | "startedMs">;
}

/** Where in the best chain a transaction is. In the middle of a long reorg the database is ahead of what was told to anyone. */
async function placeOf(chain: Chain, id: TxId): Promise<{ block: TreeBlock; index: number } | undefined> {
  const place = await chain.blocks.place(id);
  const block = place === undefined ? undefined : chain.tree.get(place.block);
  if (place === undefined || block === undefined || !chain.isConnected(block.id)) return undefined;
  return { block, index: place.index };
}

/** What became of a transaction, without its block's body: events tell it of a block's every transaction. */
export async function findFate(
  { chain, pool }: Omit<LookupsDeps, "timeline">,
  id: TxId,
): Promise<Fate | undefined> {
  if (pool.mempool.get(id) !== undefined) return { state: "pending" };
  const place = await placeOf(chain, id);
  if (place !== undefined) return minedFate(chain, place.block.id);
  return fateOf(pool.history.get(id)?.happenings ?? []);
}

/** One block, or one transaction, whole; fails with BLOCK_PRUNED or TRANSACTION_PRUNED for what was here once. */
export function createLookups({
  chain,
  pool,
  timeline,
}: LookupsDeps): Pick<NodeService, "block" | "transaction"> {
  /** `undefined`: pruned, perhaps in this moment. */
  async function wholeBlock(block: TreeBlock): Promise<Block | undefined> {
    try {
      return hasBody(chain, block) ? await chain.blocks.block(block.id) : undefined;
    } catch (error) {
      if (hasBody(chain, block)) throw error;
      return undefined;
    }
  }

  function blockPruned(header: BlockDetail): ServiceError {
    const { id, height } = header;
    const { firstHeight } = chain;
    const message = `block ${height} was pruned here: this node keeps blocks from height ${firstHeight} on; ask a full node`;
    return new ServiceError("BLOCK_PRUNED", 410, message, {
      details: { block: id, height, firstHeight, header },
    });
  }

  function transactionPruned(id: TxId, block: BlockId): ServiceError {
    const { firstHeight } = chain;
    const height = chain.tree.get(block)?.height ?? 0;
    const message = `the transaction is in block ${height}, which was pruned here: this node keeps blocks from height ${firstHeight} on; ask a full node`;
    return new ServiceError("TRANSACTION_PRUNED", 410, message, {
      details: { id, block, height, firstHeight },
    });
  }

  return {
    async block(selector) {
      const id = "id" in selector ? selector.id : chain.idAt(selector.height);
      const known = id === undefined ? undefined : chain.tree.get(id);
      if (known === undefined) return undefined;
      const [data, stored, [arrival = null]] = await Promise.all([
        wholeBlock(known),
        chain.blocks.stored(known.id),
        timeline.arrivals([known.id]),
      ]);
      if (stored === undefined) return undefined;
      const detail = blockDetail(chain, known, data?.transactions, stored, arrival);
      if (data === undefined) throw blockPruned(detail);
      return detail;
    },
    async transaction(id) {
      const kept = await timeline.life(id);
      const record = pool.history.get(id);
      const noted = kept?.happenings ?? record?.happenings ?? [];
      const pending = pool.mempool.get(id);
      const place = pending === undefined ? await placeOf(chain, id) : undefined;
      const stored = place === undefined ? undefined : await chain.blocks.stored(place.block.id);
      const mined =
        place === undefined || stored === undefined
          ? undefined
          : { block: place.block.id, height: place.block.height, timeMs: stored.receivedMs };
      const present = { isPending: pending !== undefined, mined };
      const { isConnected } = chain;
      const life = presentLife(noted, present, { isConnected, startedMs: timeline.startedMs });
      const describe = (sealed: SealedTransaction | undefined, fate: Fate): TransactionStatus => ({
        id,
        fate,
        transaction: sealed === undefined ? null : transactionToJson(sealed),
        sizeBytes: sealed?.bytes.length ?? null,
        events: life.map(eventView),
      });
      if (pending !== undefined) return describe(pending.transaction, { state: "pending" });
      if (place !== undefined) {
        const { block } = place;
        const data = await wholeBlock(block);
        if (data === undefined) throw transactionPruned(id, block.id);
        return describe(data.transactions[place.index], minedFate(chain, block.id));
      }
      const last = life.at(-1);
      if (last?.what === "mined" && chain.isConnected(last.block)) throw transactionPruned(id, last.block);
      const fate = fateOf(life);
      return fate === undefined ? undefined : describe(record?.transaction ?? kept?.transaction, fate);
    },
  };
}
