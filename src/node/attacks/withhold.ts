import { formatWork, type TreeBlock } from "../../consensus/index.ts";
import type { Status } from "../../network/index.ts";
import type { BlockId } from "../../primitives/index.ts";
import { HONEST, type Presence, type PresenceDeps } from "../presence.ts";
import { createShownChain } from "./shown-chain.ts";

/** Blocks kept back, at most: far more than anybody makes another's chain go back, and then all is shown. */
const MAX_SECRET = 10_000;

/**
 * Keeps the blocks that it mines to itself, from the first one on, until it is told to release them: then its branch is
 * simply there, and honest nodes go over to it if it has more work. While it holds any back it takes no blocks of others,
 * so its branch stays its own however far they come; transactions given to it go into its own blocks and nowhere else.
 * What it has when it starts counts as shown.
 */
export function createWithhold({ chain, logger, tellPeers }: PresenceDeps): Presence {
  const secret = new Set<BlockId>();
  /** The last block that others may know, while there are secret ones above it. */
  let tip: TreeBlock | undefined;
  const shown = createShownChain(chain);

  const show = (own: Status): Status => (tip === undefined ? own : shown.status(own, tip));
  /** A peer's claim, as of one that has nothing to offer. */
  function unheeded(theirs: Status): Status {
    if (tip === undefined) return theirs;
    logger.info({ head: theirs.head, height: theirs.height }, "a peer's claim is not heeded");
    return { ...theirs, head: chain.tree.genesis.id, height: 0, work: 0n };
  }

  function forget(id: BlockId): void {
    secret.delete(id);
    if (secret.size === 0) tip = undefined;
  }

  function release() {
    const released = secret.size;
    secret.clear();
    tip = undefined;
    const { id, height, work } = chain.head;
    logger.warn({ released, head: id, height }, "the blocks that were held back are shown to all peers");
    tellPeers();
    return { released, head: { id, height, work: formatWork(work) } };
  }

  return {
    ...HONEST,
    role: "withhold",
    answers: (honest) => ({
      ...honest,
      status: async (peer, theirs) => show(await honest.status(peer, unheeded(theirs))),
      headers: (peer, request) =>
        tip === undefined ? honest.headers(peer, request) : shown.headers(tip, request),
      blocks(peer, ids, maxBytes) {
        const first = ids.findIndex((id) => secret.has(id));
        return honest.blocks(peer, first < 0 ? ids : ids.slice(0, first), maxBytes);
      },
      mempoolLeaves: () => [],
      transaction: () => undefined,
      gossipedBlock: async (from, block) =>
        tip === undefined ? honest.gossipedBlock(from, block) : "ignore",
    }),
    requests: (honest) => ({
      ...honest,
      requestStatus: async (peer, ours, options) =>
        unheeded(await honest.requestStatus(peer, show(ours), options)),
      publishTransactions() {},
      publishBlock: async (block) => {
        if (!secret.has(block.header.id)) await honest.publishBlock(block);
      },
    }),
    mining: (honest) => ({
      buildTemplate: honest.buildTemplate,
      async import(block, source) {
        const { id, parent } = block.header;
        // Hidden before it is there: a peer may ask in the moment between.
        tip ??= chain.tree.get(parent);
        secret.add(id);
        try {
          const result = await honest.import(block, source);
          // Another block was faster, and ours builds on nothing of the secret branch's end.
          if (result.status !== "connected") forget(id);
          return result;
        } catch (error) {
          forget(id);
          throw error;
        } finally {
          if (secret.size >= MAX_SECRET) release();
        }
      },
    }),
    release,
  };
}
