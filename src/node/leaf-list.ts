import type { Mempool } from "../mempool/index.ts";
import type { Clock } from "../ports/index.ts";
import type { Leaf } from "../primitives/index.ts";

/** Leaves of the mempool in order, for peers that compare theirs page by page. */
export interface LeafList {
  /** The first `limit` ones greater than `after`. */
  after(after: Leaf, limit: number): Leaf[];
}

/**
 * How often it is sorted again goes by its length: with 50,000 leaves at most once a second, a short one whenever
 * something changed. Until then a newcomer may be missing, which gossip brings anyway.
 */
const TRANSACTIONS_SORTED_PER_MS = 50;

/** Sorting everything for each page would let any peer keep this node busy with small requests. */
export function createLeafList(mempool: Mempool, clock: Clock): LeafList {
  let leaves: Leaf[] = [];
  let revision = mempool.revision;
  let builtMs = clock.monotonicMs();

  function refresh(): void {
    if (revision === mempool.revision) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - builtMs < Math.floor(leaves.length / TRANSACTIONS_SORTED_PER_MS)) return;
    leaves = [];
    for (const { transaction } of mempool.entries()) leaves.push(transaction.leaf);
    leaves.sort();
    revision = mempool.revision;
    builtMs = nowMs;
  }

  function firstGreater(leaf: Leaf): number {
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((leaves[middle] ?? "") > leaf) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  return {
    after(after, limit) {
      refresh();
      const from = firstGreater(after);
      return leaves.slice(from, from + limit);
    },
  };
}
