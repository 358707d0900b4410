import type { RecordedBlock, RecordingModel } from "../../client/index.ts";

/** Who has a head at a block. */
export interface HeadGroup {
  readonly block: RecordedBlock;
  readonly running: readonly number[];
  readonly gone: readonly number[];
}

/** What is to be drawn of one moment, of the heights in view. */
export interface Scene {
  readonly blocks: readonly RecordedBlock[];
  /** By a block's place: how many running nodes have it in their best chain. Absent: none. */
  readonly best: ReadonlyMap<number, number>;
  readonly heads: readonly HeadGroup[];
  /** Highest height that anybody had as head; lowest of the lanes in view and their number. */
  readonly top: number;
  readonly lanes: number;
}

/** Distinct heads at a moment, with their nodes. */
export function headGroups(model: RecordingModel, timeMs: number): HeadGroup[] {
  const groups = new Map<number, { block: RecordedBlock; running: number[]; gone: number[] }>();
  for (const { n } of model.nodes) {
    const { head, state } = model.nodeAt(n, timeMs);
    if (head === undefined) continue;
    const group = groups.get(head.index) ?? { block: head, running: [], gone: [] };
    (state === "gone" ? group.gone : group.running).push(n);
    groups.set(head.index, group);
  }
  return [...groups.values()].sort((a, b) => b.block.height - a.block.height || a.block.lane - b.block.lane);
}

/** Looks up what is known at a moment between two heights: nothing outside of them is touched. */
export function sceneAt(model: RecordingModel, timeMs: number, from: number, to: number): Scene {
  const { tree } = model;
  const heads = headGroups(model, timeMs);
  const low = Math.max(tree.lowest, Math.floor(from) - 1);
  const high = Math.min(tree.highest, Math.ceil(to) + 1);
  const best = new Map<number, number>();
  for (const { block, running } of heads) {
    if (running.length === 0) continue;
    let at: RecordedBlock | undefined = block;
    while (at !== undefined && at.height >= low) {
      if (at.height <= high) best.set(at.index, (best.get(at.index) ?? 0) + running.length);
      at = tree.blocks[at.parent];
    }
  }
  const blocks: RecordedBlock[] = [];
  let lanes = 1;
  for (let height = low; height <= high; height++) {
    for (const index of tree.atHeight(height)) {
      const block = tree.blocks[index];
      if (block === undefined || !model.isKnown(block, timeMs)) continue;
      blocks.push(block);
      lanes = Math.max(lanes, block.lane + 1);
    }
  }
  return { blocks, best, heads, top: heads[0]?.block.height ?? tree.lowest, lanes };
}

/** A child of a block at a moment: on a best chain first. */
export function childAt(
  model: RecordingModel,
  scene: Scene,
  block: RecordedBlock,
  timeMs: number,
): RecordedBlock | undefined {
  const children = model.tree
    .children(block.index)
    .flatMap((index) => model.tree.blocks[index] ?? [])
    .filter((child) => model.isKnown(child, timeMs));
  return children.toSorted((a, b) => (scene.best.get(b.index) ?? 0) - (scene.best.get(a.index) ?? 0))[0];
}

/** The next block of the same height in a direction; where there is none, of a height nearby. */
export function neighbourAt(
  scene: Scene,
  block: RecordedBlock,
  direction: 1 | -1,
): RecordedBlock | undefined {
  const beyond = scene.blocks.filter(({ lane }) => Math.sign(lane - block.lane) === direction);
  const distance = (other: RecordedBlock): number =>
    Math.abs(other.lane - block.lane) * 1_000 + Math.abs(other.height - block.height);
  return beyond.toSorted((a, b) => distance(a) - distance(b))[0];
}
