import { formatWork, type TreeBlock } from "../../consensus/index.ts";
import type { CompactBlock, Protocols, Status } from "../../network/index.ts";
import type { BlockId } from "../../primitives/index.ts";
import { HONEST, type Presence, type PresenceDeps } from "../presence.ts";
import { NO_BRANCH, othersFound, ownFound, type SelfishStep } from "./selfish-strategy.ts";
import { createShownChain } from "./shown-chain.ts";

/** Blocks of the own branch, at most: nobody gets so far ahead but by mining alone, and then all is shown. */
const MAX_OWN = 1_000;

/** A block of the own branch; what announces it is known a moment after it was found. */
interface OwnBlock {
  readonly id: BlockId;
  compact?: CompactBlock;
}

/** Mines as Eyal and Sirer describe: `selfish-strategy.ts` says when its blocks are shown, and this shows them. */
export function createSelfishMiner({ chain, logger, tellPeers }: PresenceDeps): Presence {
  let state = NO_BRANCH;
  /** From the fork point up. */
  let own: OwnBlock[] = [];
  let shownCount = 0;
  /** The best block that all may know. */
  let tip: TreeBlock = chain.head;
  let publish: Protocols["publishBlock"] = async () => {};
  const shown = createShownChain(chain);

  const isHiding = (): boolean => own.length > shownCount;
  const isHidden = (id: BlockId): boolean => own.findIndex((block) => block.id === id) >= shownCount;
  const show = (status: Status): Status => (isHiding() ? shown.status(status, tip) : status);

  function announce(compact: CompactBlock): void {
    publish(compact).catch((error: unknown) =>
      logger.warn({ block: compact.header.id, error: String(error) }, "a block was not announced"),
    );
  }

  /** Makes the first `count` blocks of the own branch public. */
  function reveal(count: number): void {
    if (count <= shownCount) return;
    const fresh = own.slice(shownCount, count);
    shownCount = count;
    const last = chain.tree.get(fresh.at(-1)?.id ?? "");
    if (last !== undefined && last.work >= tip.work) tip = last;
    for (const { compact } of fresh) if (compact !== undefined) announce(compact);
    logger.info({ shown: fresh.length, held: own.length - count }, "blocks that were held back are shown");
    tellPeers();
  }

  function take(step: SelfishStep): void {
    reveal(step.show);
    ({ state } = step);
    if (step.won === undefined) return;
    if (own.length > 0)
      logger.info({ won: step.won, blocks: own.length }, "the race of two branches has ended");
    own = [];
    shownCount = 0;
  }

  chain.on("block", ({ block, source, status }) => {
    const known = chain.tree.get(block.header.id);
    if (known === undefined || source.message === "mined" || status === "invalid") return;
    // Another branch of the others, or one that is behind, changes nothing.
    if (known.work <= tip.work) return;
    const steps = Math.max(1, known.height - tip.height);
    tip = known;
    for (let i = 0; i < steps; i++) take(othersFound(state));
  });

  function release() {
    const released = own.length - shownCount;
    take({ state: NO_BRANCH, show: own.length, won: "own" });
    const { id, height, work } = chain.head;
    return { released, head: { id, height, work: formatWork(work) } };
  }

  return {
    ...HONEST,
    role: "selfish-miner",
    answers: (honest) => ({
      ...honest,
      status: async (peer, theirs) => show(await honest.status(peer, theirs)),
      headers: (peer, request) => (isHiding() ? shown.headers(tip, request) : honest.headers(peer, request)),
      blocks(peer, ids, maxBytes) {
        const first = ids.findIndex(isHidden);
        return honest.blocks(peer, first < 0 ? ids : ids.slice(0, first), maxBytes);
      },
    }),
    requests(honest) {
      publish = honest.publishBlock;
      return {
        ...honest,
        requestStatus: (peer, ours, options) => honest.requestStatus(peer, show(ours), options),
        async publishBlock(compact) {
          const held = own.find(({ id }) => id === compact.header.id);
          if (held !== undefined) held.compact = compact;
          if (!isHidden(compact.header.id)) await honest.publishBlock(compact);
        },
      };
    },
    mining: (honest) => ({
      buildTemplate: honest.buildTemplate,
      async import(block, source) {
        const { id, parent } = block.header;
        if (own.length === 0) tip = chain.tree.get(parent) ?? tip;
        // Hidden before it is there: a peer may ask in the moment between.
        const mine: OwnBlock = { id };
        own.push(mine);
        const forget = (): void => {
          own = own.filter((one) => one !== mine);
        };
        try {
          const result = await honest.import(block, source);
          if (result.status !== "connected") forget();
          else if (own.includes(mine)) take(ownFound(state));
          if (own.length >= MAX_OWN) release();
          return result;
        } catch (error) {
          forget();
          throw error;
        }
      },
    }),
    release,
  };
}
