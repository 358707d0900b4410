import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createForkTree, type ForkTree } from "../../../src/consensus/index.ts";

const SEED = 20_260_105;

interface ModelBlock {
  readonly id: string;
  readonly parent: string;
  readonly height: number;
  readonly difficulty: bigint;
  readonly arrival: number;
  invalid: boolean;
}

/** The rules of fork choice as plainly as they can be said; every answer walks the whole tree. */
class Model {
  readonly blocks = new Map<string, ModelBlock>([
    ["g", { id: "g", parent: "", height: 0, difficulty: 1n, arrival: 0, invalid: false }],
  ]);

  need(id: string): ModelBlock {
    const block = this.blocks.get(id);
    if (block === undefined) throw new Error(`no block ${id}`);
    return block;
  }
  /** From genesis to the block. */
  chain(id: string): ModelBlock[] {
    const block = this.need(id);
    return id === "g" ? [block] : [...this.chain(block.parent), block];
  }
  work(id: string): bigint {
    return this.chain(id)
      .slice(1)
      .reduce((sum, { difficulty }) => sum + difficulty, 0n);
  }
  valid(id: string): boolean {
    return this.chain(id).every(({ invalid }) => !invalid);
  }
  /** Leaves of the tree without invalid blocks: a block with a valid child never wins against the child. */
  best(): ModelBlock {
    const valid = [...this.blocks.values()].filter(({ id }) => this.valid(id));
    return valid.reduce((best, block) => {
      const difference = this.work(block.id) - this.work(best.id);
      return difference > 0n || (difference === 0n && block.arrival < best.arrival) ? block : best;
    });
  }
  tips(): string[] {
    const parents = new Set([...this.blocks.values()].map(({ parent }) => parent));
    return [...this.blocks.keys()].filter((id) => !parents.has(id));
  }
  forkPoint(a: string, b: string): string {
    const other = new Set(this.chain(b).map(({ id }) => id));
    return (
      this.chain(a)
        .filter(({ id }) => other.has(id))
        .at(-1)?.id ?? ""
    );
  }
}

const step = fc.record(
  {
    invalidate: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    at: fc.nat(1_000),
    difficulty: fc.integer({ min: 1, max: 3 }),
  },
  { noNullPrototype: true },
);
type Step = { invalidate: boolean; at: number; difficulty: number };

function grow(steps: readonly Step[], check: (tree: ForkTree, model: Model) => void): void {
  const model = new Model();
  const tree = createForkTree({ id: "g", parent: "", height: 0, timestampMs: 0, difficulty: 1n, arrival: 0 });
  let arrival = 0;
  for (const { invalidate, at, difficulty } of steps) {
    const ids = [...model.blocks.keys()];
    const id = ids[at % ids.length] ?? "g";
    if (invalidate && id !== "g") {
      const expected = ids.filter(
        (other) => model.valid(other) && model.chain(other).includes(model.need(id)),
      );
      const changed = tree.markInvalid(id);
      model.need(id).invalid = true;
      assert.deepEqual([...changed].sort(), expected.sort());
      if (changed.length > 0) assert.equal(changed[0], id);
    } else {
      arrival += 1;
      const { height } = model.need(id);
      const block = {
        id: `b${arrival}`,
        parent: id,
        height: height + 1,
        difficulty: BigInt(difficulty),
        arrival,
      };
      model.blocks.set(block.id, { ...block, invalid: false });
      const inserted = tree.insert({ ...block, timestampMs: arrival });
      assert.equal(inserted.status, model.valid(block.id) ? "stored" : "invalid");
      assert.equal(inserted.work, model.work(block.id));
    }
    check(tree, model);
  }
}

test("best, statuses, tips, fork points and paths agree with a plain model on random trees", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(1_000), fc.nat(1_000), (steps, x, y) => {
      grow(steps, (tree, model) => {
        const best = tree.best();
        assert.equal(best.id, model.best().id);
        assert.equal(tree.size, model.blocks.size);
        for (const id of model.blocks.keys()) {
          assert.equal(tree.get(id)?.status === "invalid", !model.valid(id), id);
        }
        const tips = tree.tips();
        assert.deepEqual(tips.map(({ id }) => id).sort(), model.tips().sort());
        for (const [i, block] of tips.entries()) {
          const before = tips[i - 1];
          if (before === undefined) continue;
          assert.ok(
            before.work > block.work || (before.work === block.work && before.arrival < block.arrival),
          );
        }
        const ids = [...model.blocks.keys()];
        const [a, b] = [ids[x % ids.length] ?? "g", ids[y % ids.length] ?? "g"];
        const forkPoint = model.forkPoint(a, b);
        assert.equal(tree.forkPoint(a, b).id, forkPoint);
        const path = model.chain(a).slice(model.chain(forkPoint).length);
        assert.deepEqual(
          tree.path(forkPoint, a),
          path.map(({ id }) => id),
        );
        for (const { id, height } of model.chain(a)) assert.equal(tree.ancestorAt(a, height).id, id);
        if (forkPoint !== b) assert.throws(() => tree.path(b, a));
      });
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("once the head's branch is valid nothing but more work moves the best, whatever arrives", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let before = { id: "g", work: 0n };
      grow(
        steps.map((one) => ({ ...one, invalidate: false })),
        (tree) => {
          const best = tree.best();
          assert.ok(best.id === before.id || best.work > before.work);
          before = best;
        },
      );
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("genesis is never invalid, an invalid block never becomes valid, and a block is inserted once, on a known parent", () => {
  const block = { parent: "g", height: 1, timestampMs: 1, difficulty: 1n, arrival: 1 };
  const tree = createForkTree({ id: "g", parent: "", height: 0, timestampMs: 0, difficulty: 1n, arrival: 0 });
  tree.insert({ ...block, id: "a" });
  assert.throws(() => tree.markInvalid("g"));
  assert.throws(() => tree.insert({ ...block, id: "a" }));
  assert.throws(() => tree.insert({ ...block, id: "b", parent: "unknown" }));
  tree.markValid("a");
  assert.equal(tree.get("a")?.status, "valid");
  tree.markInvalid("a");
  assert.throws(() => tree.markValid("a"));
  assert.equal(tree.best().id, "g");
  assert.deepEqual(tree.markInvalid("a"), [], "nothing changes the second time");
  assert.throws(() => tree.ancestorAt("a", 2), RangeError);
  assert.throws(() => tree.ancestorAt("a", -1), RangeError);
});

test("a chain of 100,000 blocks is walked without recursion", () => {
  const tree = createForkTree({ id: "0", parent: "", height: 0, timestampMs: 0, difficulty: 1n, arrival: 0 });
  for (let i = 1; i <= 100_000; i++) {
    tree.insert({
      id: String(i),
      parent: String(i - 1),
      height: i,
      timestampMs: i,
      difficulty: 1n,
      arrival: i,
    });
  }
  assert.equal(tree.best().height, 100_000);
  assert.equal(tree.markInvalid("1").length, 100_000);
  assert.equal(tree.best().id, "0");
});
