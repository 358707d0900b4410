import type { RecordedBlock } from "./block-tree.ts";
import type { RecordingModel } from "./model.ts";

/** How long the nodes took to agree again after a split was healed. */
export interface Convergence {
  readonly healedMs: number;
  /** From the heal until all running nodes had one head, ms; null while they have not. */
  readonly tookMs: number | null;
}

/** The first time from `sinceMs` up to `untilMs` at which all running nodes have one head; undefined if there is none. */
export function firstAgreement(model: RecordingModel, sinceMs: number, untilMs: number): number | undefined {
  const { heads, marks } = model;
  const headOf = new Map<number, number>();
  const nodesAt = new Map<number, number>();
  function move(node: number, block: number | undefined): void {
    const before = headOf.get(node);
    const left = before === undefined ? 0 : (nodesAt.get(before) ?? 1) - 1;
    if (before !== undefined && left === 0) nodesAt.delete(before);
    else if (before !== undefined) nodesAt.set(before, left);
    headOf.delete(node);
    if (block === undefined) return;
    headOf.set(node, block);
    nodesAt.set(block, (nodesAt.get(block) ?? 0) + 1);
  }
  const moveTo = (node: number, timeMs: number): void => {
    const { state, head } = model.nodeAt(node, timeMs);
    move(node, state === "running" ? head?.index : undefined);
  };
  for (const { n } of model.nodes) moveTo(n, sinceMs);
  if (nodesAt.size === 1) return sinceMs;
  let nextHead = heads.countAt(sinceMs);
  let nextMark = marks.findIndex(({ timeMs }) => timeMs > sinceMs);
  if (nextMark === -1) nextMark = marks.length;
  for (;;) {
    const headMs = heads.times[nextHead] ?? Number.POSITIVE_INFINITY;
    const markMs = marks[nextMark]?.timeMs ?? Number.POSITIVE_INFINITY;
    const timeMs = Math.min(headMs, markMs);
    if (timeMs > untilMs || timeMs === Number.POSITIVE_INFINITY) return undefined;
    // Of several changes at one time only the last tells how things stand.
    for (; heads.times[nextHead] === timeMs; nextHead++) {
      const { node, block } = heads.values[nextHead]!;
      if (model.nodeAt(node, timeMs).state !== "gone") move(node, block);
    }
    for (; marks[nextMark]?.timeMs === timeMs; nextMark++) {
      const { kind, node } = marks[nextMark]!;
      if (node !== null && (kind === "gone" || kind === "back")) moveTo(node, timeMs);
    }
    if (nodesAt.size === 1) return timeMs;
  }
}

/** For each heal by a time, oldest first, how long it took until the nodes agreed; the next split ends the wait. */
export function convergences(model: RecordingModel, timeMs: number): Convergence[] {
  const { splits } = model;
  const found: Convergence[] = [];
  for (let i = 0; i < splits.countAt(timeMs); i++) {
    if (splits.values[i] !== null) continue;
    const healedMs = splits.times[i]!;
    const agreedMs = firstAgreement(model, healedMs, Math.min(splits.times[i + 1] ?? timeMs, timeMs));
    found.push({ healedMs, tookMs: agreedMs === undefined ? null : agreedMs - healedMs });
  }
  return found;
}

/** The head with most work among the nodes at a time; on equal work that of the lowest number. */
export function bestHead(model: RecordingModel, timeMs: number): RecordedBlock | undefined {
  let best: RecordedBlock | undefined;
  let bestWork = -1n;
  for (const { n } of model.nodes) {
    const { head } = model.nodeAt(n, timeMs);
    const work = head === undefined ? -1n : BigInt(`0x${head.work}`);
    if (work > bestWork) {
      best = head;
      bestWork = work;
    }
  }
  return best;
}

/** A branch from one of its blocks downwards, at most `limit` blocks, lowest first. */
export function branch(
  model: RecordingModel,
  from: RecordedBlock | undefined,
  limit: number,
): RecordedBlock[] {
  const found: RecordedBlock[] = [];
  for (let block = from; block !== undefined && found.length < limit; block = model.tree.blocks[block.parent])
    found.push(block);
  return found.reverse();
}

/** Blocks that a reorg took out (from the old head down) and in (from the fork point up), as far as they are recorded. */
export function reorgBlocks(
  model: RecordingModel,
  {
    oldHead,
    newHead,
    forkPoint,
  }: { oldHead: { id: string }; newHead: { id: string }; forkPoint: { height: number } },
): { readonly out: readonly RecordedBlock[]; readonly in: readonly RecordedBlock[] } {
  const above = (id: string): RecordedBlock[] => {
    const found: RecordedBlock[] = [];
    let block = model.tree.find(id);
    while (block !== undefined && block.height > forkPoint.height) {
      found.push(block);
      block = model.tree.blocks[block.parent];
    }
    return found;
  };
  return { out: above(oldHead.id), in: above(newHead.id).reverse() };
}
