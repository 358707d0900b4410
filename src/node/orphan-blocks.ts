import type { CompactBlock } from "../network/index.ts";
import type { BlockId } from "../primitives/index.ts";

/** Announcements whose parent is not here yet, in all and of one peer: their proof of work is nearly free to make. */
const MAX_ORPHANS = 64;
const MAX_ORPHANS_PER_PEER = 8;
/** Bytes of their leaves. One full block's leaves take 2 MiB, and most take a few KiB. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_BYTES_PER_PEER = 2 * 1024 * 1024 + 64 * 1024;
/** What a header and the bookkeeping take, about. */
const LEAST_BYTES = 1_024;

export interface Orphan {
  readonly from: string;
  readonly compact: CompactBlock;
  /** Unix ms when it was announced. */
  readonly receivedMs: number;
}

/**
 * Announced blocks that wait for their parent. Two peers may announce one id: the leaves are not compared with the header
 * before it has a place on our chain, so one of them may lie, and must not keep the other's away.
 */
export interface OrphanBlocks {
  readonly size: number;
  readonly sizeBytes: number;
  /** Oldest first. */
  list(): readonly Orphan[];
  /** Where there is no room, the oldest gives way: of this peer, or of the one that has most. */
  add(orphan: Orphan): void;
  /** Those that wait for this block, in the order in which they came; they are here no more. */
  takeChildrenOf(parent: BlockId): Orphan[];
}

const bytesOf = ({ compact: { leaves, engineData } }: Orphan): number =>
  LEAST_BYTES + 32 * leaves.length + engineData.length;
const sum = (orphans: readonly Orphan[]): number =>
  orphans.reduce((bytes, orphan) => bytes + bytesOf(orphan), 0);

export function createOrphanBlocks(): OrphanBlocks {
  /** Oldest first; so few that looking through all of them is nothing. */
  let orphans: Orphan[] = [];
  const ofPeer = (peer: string): Orphan[] => orphans.filter(({ from }) => from === peer);
  const drop = (orphan: Orphan | undefined): void => {
    orphans = orphans.filter((one) => one !== orphan);
  };

  /** Who has most of them keeps others out, and pays for it. */
  function greediest(): string {
    const counts = new Map<string, number>();
    for (const orphan of orphans) counts.set(orphan.from, (counts.get(orphan.from) ?? 0) + bytesOf(orphan));
    return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
  }

  return {
    get size() {
      return orphans.length;
    },
    get sizeBytes() {
      return sum(orphans);
    },
    list: () => orphans,
    add(orphan) {
      const { from, compact } = orphan;
      const isHere = ofPeer(from).some((one) => one.compact.header.id === compact.header.id);
      if (isHere || bytesOf(orphan) > MAX_BYTES_PER_PEER) return;
      orphans.push(orphan);
      for (let own = ofPeer(from); own.length > MAX_ORPHANS_PER_PEER || sum(own) > MAX_BYTES_PER_PEER; ) {
        drop(own[0]);
        own = own.slice(1);
      }
      while (orphans.length > MAX_ORPHANS || sum(orphans) > MAX_BYTES) drop(ofPeer(greediest())[0]);
    },
    takeChildrenOf(parent) {
      const children = orphans.filter(({ compact }) => compact.header.parent === parent);
      if (children.length > 0) orphans = orphans.filter((one) => !children.includes(one));
      return children;
    },
  };
}
