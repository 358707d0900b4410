import type { Chain } from "../../chain/index.ts";
import type { TreeBlock } from "../../consensus/index.ts";
import type { EncodedHeader, ProtocolHandlers, Status } from "../../network/index.ts";
import type { BlockId } from "../../primitives/index.ts";

type HeadersRequest = Parameters<ProtocolHandlers["headers"]>[1];

/** A chain that is shown in place of the node's best one, as an honest node would show it if that were all it had. */
export interface ShownChain {
  status(own: Status, tip: TreeBlock): Status;
  headers(tip: TreeBlock, request: HeadersRequest): Promise<readonly EncodedHeader[]>;
}

export function createShownChain(chain: Chain): ShownChain {
  /** Ids of the branch that ends in `tip`, by height. */
  function branchTo(tip: TreeBlock): (height: number) => BlockId | undefined {
    const { forkPoint } = chain.branchOf(tip);
    const above = chain.tree.path(forkPoint.id, tip.id);
    return (height) =>
      height <= forkPoint.height ? chain.idAt(height) : above[height - forkPoint.height - 1];
  }

  return {
    status: (own, { id, height, work }) => ({ ...own, head: id, height, work }),
    async headers(tip, { locator, maxCount }) {
      const idAt = branchTo(tip);
      const common = locator
        .map((id) => chain.tree.get(id))
        .find((block) => block && idAt(block.height) === block.id);
      const ids: BlockId[] = [];
      for (let height = (common?.height ?? 0) + 1; height <= tip.height && ids.length < maxCount; height++) {
        const id = idAt(height);
        if (id === undefined) break;
        ids.push(id);
      }
      const stored = await chain.blocks.headerBytes(ids);
      return stored.map((bytes, i) => ({ id: ids[i] as BlockId, bytes }));
    },
  };
}
