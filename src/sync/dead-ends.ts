import type { BlockId } from "../primitives/index.ts";
import type { BodyDownload } from "./body-download.ts";
import type { DeadEnd, SyncPeer } from "./claims.ts";
import type { HeaderChain } from "./header-chain.ts";
import { MAX_LOCATOR_IDS } from "./locator.ts";
import type { BranchCutOff, SyncChain, SyncEffect } from "./types.ts";

/** Branches remembered that leave our chain where it is pruned: whoever makes more of them pays for their work. */
const MAX_CUT_OFF = 64;

export interface DeadEndsDeps {
  readonly chain: SyncChain;
  readonly download: () => BodyDownload | undefined;
}

/**
 * What headers not to fetch again: of branches that leave our chain below the blocks that we can still undo, and of a
 * download that waits since the peer that shows it has pruned what we need.
 */
export interface DeadEnds {
  /** What the peer showed led nowhere, and neither it nor we have moved since; or it would show what we have. */
  isAt(peer: SyncPeer): boolean;
  /** Headers of this peer that begin with this new one lead nowhere. */
  isKnown(first: BlockId, peer: SyncPeer): boolean;
  /** Of a peer whose last headers led nowhere: what to ask it, so that one header shows whether it is still that branch. */
  probe(deadEnd: DeadEnd, locator: readonly BlockId[]): readonly BlockId[];
  /**
   * Gives headers up that leave our chain where it cannot be undone any more, and notes it for the peer that showed them;
   * `undefined` where they do not.
   */
  giveUp(headers: HeaderChain, shownBy: string, peer: SyncPeer | undefined): SyncEffect[] | undefined;
  /** The branch that a peer stands on, where that is such a one. */
  cutOffOf(peer: SyncPeer): BranchCutOff | undefined;
}

export const deadEndOf = ({ anchor, ids }: HeaderChain, head: BlockId): DeadEnd => ({
  head,
  anchor: anchor.id,
  first: ids.at(0) ?? "",
});

export function createDeadEnds({ chain, download }: DeadEndsDeps): DeadEnds {
  /** By their first header. */
  const cutOff = new Map<BlockId, BranchCutOff>();

  function judge({ anchor, ids, work }: HeaderChain): BranchCutOff | undefined {
    const firstHeight = chain.firstHeight();
    // Side branches that leave our chain below are forgotten, so what is known and higher leaves it above.
    const isBelow = anchor.height + 1 < firstHeight || chain.get(anchor.id) === undefined;
    const isOurs = chain.idAt(anchor.height + 1) === ids.at(0);
    return isBelow && !isOurs ? { forkHeight: anchor.height, work, firstHeight } : undefined;
  }

  return {
    isAt(peer) {
      const { deadEnd, claim } = peer;
      if (deadEnd?.head === claim.head && chain.get(deadEnd.first) === undefined) return true;
      const waiting = download();
      return waiting?.isHeadHere(peer) === true && waiting.isPrunedBy(peer);
    },
    isKnown(first, peer) {
      const waiting = download();
      return cutOff.has(first) || (waiting?.headers.ids.at(0) === first && waiting.isPrunedBy(peer));
    },
    probe: ({ anchor }, locator) => [...new Set([anchor, ...locator])].slice(0, MAX_LOCATOR_IDS),
    giveUp(headers, shownBy, peer) {
      const branch = judge(headers);
      if (branch === undefined) return undefined;
      const deadEnd = deadEndOf(headers, peer?.claim.head ?? "");
      if (peer !== undefined) peer.deadEnd = deadEnd;
      const isNew = !cutOff.has(deadEnd.first);
      cutOff.set(deadEnd.first, branch);
      const [oldest] = cutOff.keys();
      if (cutOff.size > MAX_CUT_OFF && oldest !== undefined) cutOff.delete(oldest);
      return isNew ? [{ kind: "report", peer: shownBy, ...branch }] : [];
    },
    cutOffOf: ({ deadEnd }) => cutOff.get(deadEnd?.first ?? ""),
  };
}
