import { type Arrival, ServiceError, type Tree } from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import type { TreeBlock } from "../consensus/index.ts";
import type { BlockId } from "../primitives/index.ts";
import { blockRef, blockSummary } from "./views.ts";

type TreeChain = Pick<
  Chain,
  "tree" | "head" | "idAt" | "branchOf" | "blocks" | "isConnected" | "firstHeight"
>;

/** By height, then id: where a list of blocks goes on. */
const cursorOf = ({ height, id }: TreeBlock): string => `${height}-${id}`;

function placeAt(cursor: string): { height: number; id: BlockId } {
  const [, height, id] = /^(0|[1-9]\d{0,14})-([0-9a-f]{64})$/.exec(cursor) ?? [];
  if (height !== undefined && id !== undefined) return { height: Number(height), id };
  const message = `after must be a next value of this list, not ${cursor}`;
  throw new ServiceError("BAD_CURSOR", 400, message, { details: { at: "after", value: cursor } });
}

/** All known blocks from `depth` below the head upwards, in memory: their rows are read only for the page. */
function blocksFrom(chain: TreeChain, depth: number): TreeBlock[] {
  const { head, tree } = chain;
  const ids: BlockId[] = [chain.idAt(Math.max(0, head.height - depth)) ?? tree.genesis.id];
  const lowest = tree.get(ids[0] ?? "")?.height ?? 0;
  // Branches that left the best chain below the window come in by their tips.
  for (const tip of tree.tips())
    if (tip.height >= lowest && chain.branchOf(tip).forkPoint.height < lowest)
      ids.push(tree.ancestorAt(tip.id, lowest).id);
  const blocks: TreeBlock[] = [];
  const queue = [...new Set(ids)];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const block = tree.get(id);
    if (block === undefined) continue;
    blocks.push(block);
    queue.push(...tree.children(id));
  }
  return blocks.sort((a, b) => a.height - b.height || (a.id < b.id ? -1 : 1));
}

/** One page of the tree: side blocks are cheap to make where blocks are cheap, so no window bounds their number. */
export async function treePage(
  chain: Chain,
  { depth, limit, after }: { readonly depth: number; readonly limit: number; readonly after?: string },
  arrivalsOf: (ids: readonly BlockId[]) => Promise<(Arrival | null)[]> = async () => [],
): Promise<Tree> {
  const place = after === undefined ? undefined : placeAt(after);
  const blocks = blocksFrom(chain, depth);
  const from =
    place === undefined
      ? 0
      : blocks.findIndex(
          ({ height, id }) => height > place.height || (height === place.height && id > place.id),
        );
  const page = from === -1 ? [] : blocks.slice(from, from + limit);
  const items: Tree["items"] = [];
  const arrivals = await arrivalsOf(page.map(({ id }) => id));
  for (const [i, block] of page.entries()) {
    const stored = await chain.blocks.stored(block.id);
    if (stored !== undefined) items.push(blockSummary(chain, block, stored, arrivals[i] ?? null));
  }
  const last = page.at(-1);
  const more = from !== -1 && from + limit < blocks.length;
  return { head: blockRef(chain.head), items, next: more && last !== undefined ? cursorOf(last) : null };
}
