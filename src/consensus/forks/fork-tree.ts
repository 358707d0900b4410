import type { BlockId } from "../../primitives/index.ts";

/**
 * stored: complete data, not connected yet. valid: connected at least once, so its state is known to be right.
 * invalid: breaks a rule, or descends from a block that does.
 */
export type BlockStatus = "stored" | "valid" | "invalid";

/** What the tree knows of a block: enough for fork choice and for the context rules. */
export interface TreeBlock {
  readonly id: BlockId;
  readonly parent: BlockId;
  readonly height: number;
  readonly timestampMs: number;
  readonly difficulty: bigint;
  /** Cumulative work from genesis (0) to here. */
  readonly work: bigint;
  /** Order in which complete blocks became known to this node; on equal work the lower one stays head. */
  readonly arrival: number;
  readonly status: BlockStatus;
  /**
   * The nearest block, this one or an ancestor, that the operator invalidated. Such a branch is passed over like an invalid
   * one, but the mark says nothing about the block, and can be taken back.
   */
  readonly mark: BlockId | undefined;
}

/** A block as it comes into the tree, which adds the rest. */
export type NewBlock = Omit<TreeBlock, "work" | "status" | "mark">;

/**
 * Every block with a known way to genesis, and the rule that chooses among them: most cumulative work; on equal work
 * whose complete data was known first; never through an invalid block, or one that the operator invalidated.
 */
export interface ForkTree {
  readonly genesis: TreeBlock;
  /** The lowest block from which branches may fork: genesis, unless blocks below another one were pruned. */
  readonly floor: TreeBlock;
  readonly size: number;
  get(id: BlockId): TreeBlock | undefined;
  /**
   * Adds a block whose parent is in the tree, at the floor or above; status is invalid where the parent's is. Throws where
   * it is known.
   */
  insert(block: NewBlock, status?: "stored" | "valid"): TreeBlock;
  /** Records that the block was connected. */
  markValid(id: BlockId): void;
  /** Marks a block and its descendants; returns all ids that changed, the block first. Genesis cannot be invalid. */
  markInvalid(id: BlockId): BlockId[];
  /** The operator's marks in force, also those of blocks that are not in the tree now. */
  readonly marks: ReadonlySet<BlockId>;
  /** Sets the operator's mark on a block, and so its descendants aside. Genesis cannot be. */
  invalidate(id: BlockId): void;
  /** Takes the marks from a block, its ancestors and its descendants; returns whose they were. */
  reconsider(id: BlockId): BlockId[];
  /** The tip of the best branch without invalid or invalidated blocks. */
  best(): TreeBlock;
  /** Leaves of the tree, invalid ones too: most work first, then the order of arrival. */
  tips(): TreeBlock[];
  /** The last common ancestor of two known blocks. */
  forkPoint(a: BlockId, b: BlockId): TreeBlock;
  /** Ids from the child of `ancestor` up to `descendant`, ascending; empty where they are the same block. */
  path(ancestor: BlockId, descendant: BlockId): BlockId[];
  /** Walks down from `id` to `height` (<= the block's own). Cost grows with the distance. */
  ancestorAt(id: BlockId, height: number): TreeBlock;
  children(id: BlockId): readonly BlockId[];
  /**
   * Makes a descendant of the floor the new one. Branches that leave the way up to it are forgotten, with the marks on
   * them; returns their blocks, parents first.
   */
  raiseFloor(id: BlockId): BlockId[];
}

interface Node extends TreeBlock {
  status: BlockStatus;
  mark: BlockId | undefined;
  children: BlockId[];
}

const NO_CHILDREN: BlockId[] = [];

/** `marked`: blocks that the operator has invalidated; they need not be there yet. */
export function createForkTree(genesisBlock: NewBlock, marked: Iterable<BlockId> = []): ForkTree {
  const genesis: Node = { ...genesisBlock, work: 0n, status: "valid", mark: undefined, children: [] };
  const marks = new Set(marked);
  let floor = genesis;
  const nodes = new Map<BlockId, Node>([[genesis.id, genesis]]);
  // Candidates for the head: blocks that are neither invalid nor set aside and have no child of that kind.
  const candidates = new Set<Node>([genesis]);
  const leaves = new Set<Node>([genesis]);

  const need = (id: BlockId): Node => {
    const node = nodes.get(id);
    if (node === undefined) throw new Error(`block ${id} is not in the tree`);
    return node;
  };
  const isEligible = ({ status, mark }: Node): boolean => status !== "invalid" && mark === undefined;
  const isCandidate = (node: Node): boolean =>
    isEligible(node) && !node.children.some((child) => isEligible(need(child)));

  /** Every block from one upwards, parents first. */
  function descendantsOf(top: Node): Node[] {
    const found = [top];
    for (const node of found) for (const child of node.children) found.push(need(child));
    return found;
  }

  /** Says of a block and its descendants anew whether a mark sets them aside. */
  function applyMarks(top: Node): void {
    const changed = descendantsOf(top);
    for (const node of changed) node.mark = marks.has(node.id) ? node.id : nodes.get(node.parent)?.mark;
    const parent = nodes.get(top.parent);
    for (const node of parent === undefined ? changed : [parent, ...changed]) {
      if (isCandidate(node)) candidates.add(node);
      else candidates.delete(node);
    }
  }

  function forkPoint(a: BlockId, b: BlockId): Node {
    let [left, right] = [need(a), need(b)];
    while (left.height > right.height) left = need(left.parent);
    while (right.height > left.height) right = need(right.parent);
    while (left !== right) {
      left = need(left.parent);
      right = need(right.parent);
    }
    return left;
  }

  return {
    genesis,
    get floor() {
      return floor;
    },
    get size() {
      return nodes.size;
    },
    get: (id) => nodes.get(id),
    insert(block, status = "stored") {
      if (nodes.has(block.id)) throw new Error(`block ${block.id} is already in the tree`);
      const parent = need(block.parent);
      if (parent.height < floor.height) throw new Error(`block ${block.id} forks below the floor`);
      const work = parent.work + block.difficulty;
      const node: Node = {
        ...block,
        work,
        status: parent.status === "invalid" ? "invalid" : status,
        mark: marks.has(block.id) ? block.id : parent.mark,
        children: NO_CHILDREN,
      };
      nodes.set(node.id, node);
      leaves.delete(parent);
      leaves.add(node);
      // Most blocks have one child or none: the array is made only when needed.
      if (parent.children === NO_CHILDREN) parent.children = [node.id];
      else parent.children.push(node.id);
      if (isEligible(node)) {
        candidates.delete(parent);
        candidates.add(node);
      }
      return node;
    },
    markValid(id) {
      const node = need(id);
      if (node.status === "invalid") throw new Error(`block ${id} is invalid and cannot become valid`);
      node.status = "valid";
    },
    markInvalid(id) {
      const first = need(id);
      if (first === genesis) throw new Error("genesis cannot be invalid");
      const changed: BlockId[] = [];
      for (const node of descendantsOf(first)) {
        if (node.status === "invalid") continue;
        node.status = "invalid";
        candidates.delete(node);
        changed.push(node.id);
      }
      const parent = need(first.parent);
      if (isCandidate(parent)) candidates.add(parent);
      return changed;
    },
    marks,
    invalidate(id) {
      const node = need(id);
      if (node === genesis) throw new Error("genesis cannot be invalidated");
      marks.add(id);
      applyMarks(node);
    },
    reconsider(id) {
      const taken: BlockId[] = [];
      let lowest = need(id);
      for (let node = lowest; node !== genesis; node = need(node.parent)) {
        if (!marks.has(node.id)) continue;
        lowest = node;
        taken.push(node.id);
      }
      for (const node of descendantsOf(need(id)).slice(1)) if (marks.has(node.id)) taken.push(node.id);
      for (const one of taken) marks.delete(one);
      if (taken.length > 0) applyMarks(lowest);
      return taken;
    },
    best() {
      let best: Node = genesis;
      for (const node of candidates) {
        if (node.work > best.work || (node.work === best.work && node.arrival < best.arrival)) best = node;
      }
      return best;
    },
    tips() {
      return [...leaves].sort((a, b) =>
        a.work === b.work ? a.arrival - b.arrival : a.work > b.work ? -1 : 1,
      );
    },
    forkPoint,
    path(ancestor, descendant) {
      const ids: BlockId[] = [];
      const bottom = need(ancestor);
      let node = need(descendant);
      while (node.height > bottom.height) {
        ids.push(node.id);
        node = need(node.parent);
      }
      if (node !== bottom) throw new Error(`${ancestor} is not an ancestor of ${descendant}`);
      return ids.reverse();
    },
    ancestorAt(id, height) {
      let node = need(id);
      if (height < 0 || height > node.height)
        throw new RangeError(`block ${id} has no ancestor at height ${height}`);
      while (node.height > height) node = need(node.parent);
      return node;
    },
    children: (id) => nodes.get(id)?.children ?? NO_CHILDREN,
    raiseFloor(id) {
      const top = need(id);
      if (forkPoint(id, floor.id) !== floor) throw new Error(`block ${id} is not above the floor`);
      const forgotten: BlockId[] = [];
      for (let node = top; node !== floor; node = need(node.parent)) {
        const parent = need(node.parent);
        for (const child of parent.children) {
          if (child === node.id) continue;
          for (const gone of descendantsOf(need(child))) {
            forgotten.push(gone.id);
            candidates.delete(gone);
            leaves.delete(gone);
            marks.delete(gone.id);
          }
        }
        parent.children = [node.id];
      }
      for (const gone of forgotten) nodes.delete(gone);
      floor = top;
      return forgotten;
    },
  };
}
