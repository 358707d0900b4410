import { type BlockMark, type BlockSelector, type NodeService, ServiceError } from "../api/index.ts";
import type { Chain, MarkResult } from "../chain/index.ts";
import type { BlockId } from "../primitives/index.ts";
import { blockRef, stateOf } from "./views.ts";

interface BlockMarksDeps {
  readonly chain: Chain;
  /** What peers have may be wanted again. */
  readonly askPeers: () => void;
}

function refusal(id: BlockId, status: Exclude<MarkResult["status"], "done" | "unknown">): ServiceError {
  const [code, message] = {
    genesis: [
      "BLOCK_IS_GENESIS",
      "genesis is part of every branch; to leave its network, use another --data directory",
    ],
    pruned: [
      "CHAIN_PRUNED",
      `block ${id} was pruned here, and this node cannot go back behind it; ask a node that keeps all blocks`,
    ],
    invalid: [
      "BLOCK_INVALID",
      `block ${id} or an ancestor breaks a rule, which no operator can change; it is in no branch`,
    ],
    "too-many": ["TOO_MANY_MARKS", "1,000 blocks are invalidated already; reconsider some of them first"],
  }[status] as [string, string];
  return new ServiceError(code, 409, message, { details: { block: id } });
}

/** The operator's word on blocks, as the API gives it. */
export function createBlockMarks({
  chain,
  askPeers,
}: BlockMarksDeps): Pick<NodeService, "invalidateBlock" | "reconsiderBlock"> {
  async function mark(
    what: "invalidate" | "reconsider",
    selector: BlockSelector,
  ): Promise<BlockMark | undefined> {
    const id = "id" in selector ? selector.id : chain.idAt(selector.height);
    if (id === undefined) return undefined;
    const before = chain.lastReorg;
    const result = await chain[what](id);
    const block = chain.tree.get(id);
    if (result.status === "unknown" || block === undefined) return undefined;
    if (result.status !== "done") throw refusal(id, result.status);
    if (what === "reconsider" && result.marks.length > 0) askPeers();
    const { head, lastReorg } = chain;
    return {
      id,
      height: block.height,
      state: stateOf(chain, block),
      changed: result.marks.length > 0,
      marks: [...result.marks],
      head: blockRef(head),
      reorg: lastReorg > before ? String(lastReorg) : null,
    };
  }

  return {
    invalidateBlock: (selector) => mark("invalidate", selector),
    reconsiderBlock: (selector) => mark("reconsider", selector),
  };
}
