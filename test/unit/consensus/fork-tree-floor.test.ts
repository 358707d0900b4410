import assert from "node:assert/strict";
import { test } from "node:test";
import { createForkTree } from "../../../src/consensus/index.ts";

const GENESIS = { id: "g", parent: "", height: 0, timestampMs: 0, difficulty: 1n, arrival: 0 };

/** g - a1 - a2 - a3 - a4, with b2 on a1 (and c3, d3 on it), and e4 on a3. */
function forkedTree(marked: readonly string[] = []) {
  const tree = createForkTree(GENESIS, marked);
  const add = (id: string, parent: string, difficulty = 1n): void => {
    const height = (tree.get(parent)?.height ?? 0) + 1;
    tree.insert({ id, parent, height, timestampMs: height, difficulty, arrival: tree.size });
  };
  for (const [id, parent] of ["a1 g", "a2 a1", "a3 a2", "a4 a3"].map((pair) => pair.split(" ")))
    add(id ?? "", parent ?? "");
  add("b2", "a1");
  add("c3", "b2");
  add("d3", "b2");
  add("e4", "a3");
  return { tree, add };
}

test("a raised floor forgets the branches that leave below it, parents first, and keeps those from it on", () => {
  const { tree } = forkedTree();
  assert.equal(tree.floor, tree.genesis);
  assert.deepEqual(tree.raiseFloor("a3"), ["b2", "c3", "d3"]);
  assert.equal(tree.floor.id, "a3");
  for (const id of ["b2", "c3", "d3"]) assert.equal(tree.get(id), undefined);
  assert.deepEqual(
    tree.tips().map(({ id }) => id),
    ["a4", "e4"],
  );
  assert.deepEqual(tree.children("a1"), ["a2"]);
  assert.equal(tree.forkPoint("a4", "e4").id, "a3");
  assert.deepEqual(tree.path("g", "a4"), ["a1", "a2", "a3", "a4"]);
});

test("what was forgotten is no candidate any more, however heavy, and its marks are gone with it", () => {
  const { tree, add } = forkedTree(["d3"]);
  add("f4", "c3", 100n);
  tree.invalidate("f4");
  tree.raiseFloor("a3");
  assert.deepEqual([...tree.marks], []);
  tree.invalidate("a4");
  tree.invalidate("e4");
  assert.equal(tree.best().id, "a3");
  tree.reconsider("e4");
  assert.equal(tree.best().id, "e4");
});

test("below the floor no branch begins, and the floor goes up only", () => {
  const { tree, add } = forkedTree();
  tree.raiseFloor("a2");
  assert.throws(() => add("x2", "a1"), /below the floor/);
  add("x3", "a2");
  assert.throws(() => tree.raiseFloor("a1"), /not above the floor/);
  assert.deepEqual(tree.raiseFloor("a2"), []);
  assert.deepEqual(tree.raiseFloor("a4"), ["e4", "x3"]);
});
