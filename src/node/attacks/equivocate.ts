import type { TreeBlock } from "../../consensus/index.ts";
import type { Status } from "../../network/index.ts";
import { assembleBlock, type Block, type BlockId, decodeBody } from "../../primitives/index.ts";
import { HONEST, type MiningChain, type Presence, type PresenceDeps } from "../presence.ts";
import { sealWithWork } from "./nonce-search.ts";
import { createShownChain } from "./shown-chain.ts";

/** A sibling costs what its block did; at far worse luck than that it is left out. */
const MAX_TRIES_PER_DIFFICULTY = 64;
/** Peers that have been given a half: far above any limit of connections. */
const MAX_PEERS = 4_096;

/** Two blocks of one height and parent; the second is undefined while it is being mined. */
interface Pair {
  readonly parent: TreeBlock;
  readonly first: BlockId;
  second: TreeBlock | undefined;
}

/**
 * Mines two blocks of each height, both valid, and shows one to half of its peers and the other to the rest. Gossip would
 * show both to all, so they come by status and sync alone.
 */
export function createEquivocate(deps: PresenceDeps): Presence {
  const { chain, logger, tellPeers } = deps;
  const shown = createShownChain(chain);
  const halves = new Map<string, 0 | 1>();
  let pair: Pair | undefined;
  let isStopped = false;

  /** The half of a peer: the smaller one when it was first asked for. */
  function halfOf(peer: string): 0 | 1 {
    const known = halves.get(peer);
    if (known !== undefined) return known;
    if (halves.size >= MAX_PEERS) halves.clear();
    const ones = [...halves.values()].filter((half) => half === 1).length;
    const half = ones * 2 < halves.size ? 1 : 0;
    halves.set(peer, half);
    return half;
  }

  /** What a peer is shown in place of the head; undefined: the head. */
  function tipFor(peer: string): TreeBlock | undefined {
    const half = halfOf(peer);
    if (pair === undefined || pair.first !== chain.head.id) return undefined;
    if (pair.second === undefined) return pair.parent;
    return half === 0 ? undefined : pair.second;
  }

  function show(peer: string, own: Status): Status {
    const tip = tipFor(peer);
    return tip === undefined ? own : shown.status(own, tip);
  }

  /** The same block but for its free bytes, and so for its nonce and id. */
  async function siblingOf({ header, bodyBytes }: Block): Promise<Block | undefined> {
    const { core } = header.header;
    const extra = Uint8Array.from(core.extra, (byte, i) => (i === 0 ? byte ^ 1 : byte));
    const maxTries = Number(core.difficulty) * MAX_TRIES_PER_DIFFICULTY;
    const isWanted = (): boolean => !isStopped && chain.head.id === header.id;
    const sealed = await sealWithWork(deps, { ...core, extra }, maxTries, isWanted);
    const body = decodeBody(bodyBytes);
    return sealed === undefined || body === undefined ? undefined : assembleBlock(sealed, body);
  }

  const importTwice =
    (honest: MiningChain): MiningChain["import"] =>
    async (block, source) => {
      const { id } = block.header;
      const parent = chain.tree.get(block.header.parent);
      const next = parent && { parent, first: id, second: undefined };
      // Hidden before it is there: a peer may ask in the moment between.
      pair = next;
      const result = await honest.import(block, source);
      if (result.status !== "connected" || next === undefined || pair !== next) return result;
      const sibling = await siblingOf(block);
      const imported = sibling && (await honest.import(sibling, source));
      if (imported?.status === "side") {
        pair = { ...next, second: chain.tree.get(sibling?.header.id ?? "") };
        logger.info(
          { height: parent?.height, first: id, second: pair.second?.id },
          "two blocks of one height",
        );
      } else pair = undefined;
      tellPeers();
      return result;
    };

  return {
    ...HONEST,
    role: "equivocate",
    answers: (honest) => ({
      ...honest,
      status: async (peer, theirs) => show(peer, await honest.status(peer, theirs)),
      headers(peer, request) {
        const tip = tipFor(peer);
        return tip === undefined ? honest.headers(peer, request) : shown.headers(tip, request);
      },
    }),
    requests: (honest) => ({
      ...honest,
      requestStatus: (peer, ours, options) => honest.requestStatus(peer, show(peer, ours), options),
      async publishBlock() {},
    }),
    mining: (honest) => ({ buildTemplate: honest.buildTemplate, import: importTwice(honest) }),
    stop() {
      isStopped = true;
    },
  };
}
