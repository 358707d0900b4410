import type { IdKind } from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import type { TransactionPool } from "./transaction-pool.ts";

/** How far below the head short block ids are looked for. In memory, as all that is searched here. */
export const SHORT_ID_HEIGHTS = 1_000;
/** Tips whose branches are searched: the best come first, and nobody names a block of the hundredth. */
const MAX_TIPS = 100;

interface Sources {
  readonly tree: Pick<Chain["tree"], "tips" | "get">;
  readonly headHeight: number;
  readonly pool: {
    readonly mempool: Pick<TransactionPool["mempool"], "entries">;
    readonly history: Pick<TransactionPool["history"], "ids">;
  };
}

/** Blocks near the head, on every branch. */
function* recentBlocks({ tree, headHeight }: Sources): Generator<string> {
  const seen = new Set<string>();
  for (const tip of tree.tips().slice(0, MAX_TIPS)) {
    let block: ReturnType<typeof tree.get> = tip;
    while (block !== undefined && block.height >= headHeight - SHORT_ID_HEIGHTS && !seen.has(block.id)) {
      seen.add(block.id);
      yield block.id;
      block = tree.get(block.parent);
    }
  }
}

/** Transactions that wait, and those this node remembers; both are bounded. */
function* recentTransactions({ pool }: Sources): Generator<string> {
  for (const { transaction } of pool.mempool.entries()) yield transaction.txid;
  yield* pool.history.ids();
}

/** Ids that begin with these digits, at most `limit`. */
export function findIds(sources: Sources, kind: IdKind, prefix: string, limit: number): string[] {
  const found = new Set<string>();
  for (const id of kind === "block" ? recentBlocks(sources) : recentTransactions(sources)) {
    if (id.startsWith(prefix)) found.add(id);
    if (found.size >= limit) break;
  }
  return [...found];
}
