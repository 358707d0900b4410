import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createForkTree, type TreeBlock } from "../../../src/consensus/index.ts";

const GENESIS = { id: "g", parent: "", height: 0, timestampMs: 0, difficulty: 1n, arrival: 0 };

const step = fc.record(
  {
    what: fc.constantFrom("grow", "grow", "grow", "break", "invalidate", "reconsider"),
    at: fc.nat(1_000),
    difficulty: fc.integer({ min: 1, max: 3 }),
  },
  { noNullPrototype: true },
);

test("case 11: whatever is invalidated and reconsidered, the best branch is the heaviest without marks and faults", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = createForkTree(GENESIS);
      const all: TreeBlock[] = [tree.genesis];
      const broken = new Set<string>();
      const marks = new Set<string>();
      const chainOf = (block: TreeBlock): TreeBlock[] => {
        const parent = tree.get(block.parent);
        return parent === undefined ? [block] : [block, ...chainOf(parent)];
      };
      for (const { what, at, difficulty } of steps) {
        const block = all[at % all.length] as TreeBlock;
        if (what === "grow") {
          const id = `b${all.length}`;
          const { height } = block;
          all.push(
            tree.insert({
              id,
              parent: block.id,
              height: height + 1,
              timestampMs: all.length,
              difficulty: BigInt(difficulty),
              arrival: all.length,
            }),
          );
        } else if (what === "reconsider") {
          const related = [...marks].filter((id) => {
            const marked = tree.get(id) as TreeBlock;
            return chainOf(block).includes(marked) || chainOf(marked).includes(block);
          });
          for (const id of related) marks.delete(id);
          assert.deepEqual(tree.reconsider(block.id).sort(), related.sort());
        } else if (block !== tree.genesis) {
          if (what === "invalidate") tree.invalidate(block.id);
          else tree.markInvalid(block.id);
          (what === "invalidate" ? marks : broken).add(block.id);
        }
        let best = tree.genesis;
        for (const one of all) {
          const ids = chainOf(one).map(({ id }) => id);
          assert.equal(
            one.mark,
            ids.find((id) => marks.has(id)),
            `mark of ${one.id}`,
          );
          assert.equal(
            one.status === "invalid",
            ids.some((id) => broken.has(id)),
          );
          if (one.mark !== undefined || one.status === "invalid") continue;
          if (one.work > best.work || (one.work === best.work && one.arrival < best.arrival)) best = one;
        }
        assert.equal(tree.best().id, best.id);
        assert.deepEqual([...tree.marks].sort(), [...marks].sort());
      }
    }),
    { numRuns: 300 },
  );
});

test("a mark holds for a block that comes only after it", () => {
  const tree = createForkTree(GENESIS, ["a"]);
  const block = { timestampMs: 0, difficulty: 1n };
  tree.insert({ ...block, id: "a", parent: "g", height: 1, arrival: 1 });
  tree.insert({ ...block, id: "b", parent: "a", height: 2, arrival: 2 });
  assert.equal(tree.get("b")?.mark, "a");
  assert.equal(tree.best().id, "g");
  tree.reconsider("b");
  assert.equal(tree.best().id, "b");
});
