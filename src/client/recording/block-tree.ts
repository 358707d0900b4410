import type { NodeEntries } from "./types.ts";

/** A block as the recording knows it. Of one that was only named (a head at start) all but id, height and work is missing. */
export interface RecordedBlock {
  /** Its place in the tree's list, in the order in which blocks became known. */
  readonly index: number;
  readonly id: string;
  readonly height: number;
  /** Place of its parent; -1 while that is not known. */
  readonly parent: number;
  readonly parentId: string | undefined;
  /** Cumulative, hex. */
  readonly work: string;
  readonly difficulty: string | undefined;
  readonly timestampMs: number | undefined;
  readonly proposer: string | undefined;
  /** Undefined until somebody had all of it. */
  readonly transactions: number | undefined;
  readonly sizeBytes: number | undefined;
  /** The rule that it breaks, where a node said so. */
  readonly rule: string | undefined;
  readonly isInvalid: boolean;
  /** Where it stands across the direction of heights: 0, 1, 2, ... It never changes, so nothing jumps while time passes. */
  readonly lane: number;
  /** When the first node knew its header, ms; Infinity for one that was only named. */
  readonly firstSeenMs: number;
}

type Stored = { -readonly [Key in keyof RecordedBlock]: RecordedBlock[Key] };

export interface BlockTree {
  readonly blocks: readonly RecordedBlock[];
  /** Places of the blocks at a height, in the order they became known. */
  atHeight(height: number): readonly number[];
  readonly lowest: number;
  readonly highest: number;
  /** Lanes in use, at least 1. */
  readonly lanes: number;
  find(id: string): RecordedBlock | undefined;
  children(index: number): readonly number[];
  /** The block of one branch at a height, from one of its blocks downwards; undefined where the recording ends before. */
  ancestor(index: number, height: number): RecordedBlock | undefined;
  /** Last block that two branches have in common. */
  forkPoint(a: number, b: number): RecordedBlock | undefined;
}

export interface GrowingTree extends BlockTree {
  /** The block, noted as one that is named only if it is new. */
  name(ref: { readonly id: string; readonly height: number; readonly work: string }): RecordedBlock;
  /** Adds what an entry says of a block. */
  tell(timeMs: number, data: NodeEntries["header"] | NodeEntries["block"]): RecordedBlock;
}

const NONE: readonly number[] = [];
/** Heights for which a lane must have been empty before a branch moves up into it. */
const LONG_EMPTY = 10;

/** All blocks of a recording, each in a lane: a branch keeps its lane for long, and a new one takes the first that is free. */
export function createBlockTree(): GrowingTree {
  const blocks: Stored[] = [];
  const byId = new Map<string, Stored>();
  const byHeight = new Map<number, number[]>();
  const childrenOf = new Map<number, number[]>();
  /** Blocks whose parent is not known yet, by its id. */
  const orphans = new Map<string, Stored[]>();
  /** The last block of each lane. */
  const laneEnds: Stored[] = [];
  let lowest = 0;
  let highest = 0;

  /**
   * Its parent's lane where it is the first to go on there, or one further up where nothing has been for long, so that
   * the best chain comes back to the first lane; else the first lane where nothing has been for two heights.
   */
  function laneFor(block: Stored): number {
    const parent = blocks[block.parent];
    if (parent !== undefined && laneEnds[parent.lane] === parent) {
      const above = laneEnds.findIndex((end) => end.height < block.height - LONG_EMPTY);
      return above === -1 ? parent.lane : Math.min(above, parent.lane);
    }
    const free = laneEnds.findIndex((end) => end.height < block.height - 1);
    return free === -1 ? laneEnds.length : free;
  }

  function place(block: Stored): void {
    block.lane = laneFor(block);
    const end = laneEnds[block.lane];
    if (end === undefined || end.height < block.height) laneEnds[block.lane] = block;
  }

  function join(block: Stored, parentId: string): void {
    block.parentId = parentId;
    const parent = byId.get(parentId);
    if (parent === undefined) {
      orphans.set(parentId, [...(orphans.get(parentId) ?? []), block]);
      return;
    }
    block.parent = parent.index;
    const siblings = childrenOf.get(parent.index);
    if (siblings === undefined) childrenOf.set(parent.index, [block.index]);
    else siblings.push(block.index);
  }

  function add(ref: { id: string; height: number; work: string }, parentId: string | undefined): Stored {
    const block: Stored = {
      index: blocks.length,
      id: ref.id,
      height: ref.height,
      parent: -1,
      parentId: undefined,
      work: ref.work,
      difficulty: undefined,
      timestampMs: undefined,
      proposer: undefined,
      transactions: undefined,
      sizeBytes: undefined,
      rule: undefined,
      isInvalid: false,
      lane: 0,
      firstSeenMs: Number.POSITIVE_INFINITY,
    };
    lowest = blocks.length === 0 ? ref.height : Math.min(lowest, ref.height);
    highest = blocks.length === 0 ? ref.height : Math.max(highest, ref.height);
    blocks.push(block);
    byId.set(ref.id, block);
    const level = byHeight.get(ref.height);
    if (level === undefined) byHeight.set(ref.height, [block.index]);
    else level.push(block.index);
    if (parentId !== undefined) join(block, parentId);
    place(block);
    for (const child of orphans.get(ref.id) ?? []) join(child, ref.id);
    orphans.delete(ref.id);
    return block;
  }

  function ancestor(index: number, height: number): RecordedBlock | undefined {
    let block = blocks[index];
    while (block !== undefined && block.height > height) block = blocks[block.parent];
    return block?.height === height ? block : undefined;
  }

  return {
    blocks,
    atHeight: (height) => byHeight.get(height) ?? NONE,
    get lowest() {
      return lowest;
    },
    get highest() {
      return highest;
    },
    get lanes() {
      return Math.max(1, laneEnds.length);
    },
    find: (id) => byId.get(id),
    children: (index) => childrenOf.get(index) ?? NONE,
    ancestor,
    forkPoint(a, b) {
      let left = blocks[a];
      let right = blocks[b];
      while (left !== undefined && right !== undefined && left !== right) {
        if (left.height >= right.height) left = blocks[left.parent];
        else right = blocks[right.parent];
      }
      return left === right ? left : undefined;
    },
    name: (ref) => byId.get(ref.id) ?? add(ref, undefined),
    tell(timeMs, data) {
      const block = byId.get(data.id) ?? add(data, data.parent);
      if (block.parentId === undefined) join(block, data.parent);
      block.difficulty = data.difficulty;
      block.timestampMs = data.timestampMs;
      block.proposer = data.proposer;
      block.firstSeenMs = Math.min(block.firstSeenMs, timeMs);
      if ("transactions" in data) {
        block.transactions = data.transactions;
        block.sizeBytes = data.sizeBytes;
        block.isInvalid ||= data.state === "invalid";
        block.rule ??= data.rule;
      }
      return block;
    },
  };
}
