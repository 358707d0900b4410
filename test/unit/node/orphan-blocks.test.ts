import assert from "node:assert/strict";
import { test } from "node:test";
import { createOrphanBlocks, type Orphan } from "../../../src/node/orphan-blocks.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";

const builder = createBlockBuilder(testGenesis());
const root = builder.tip;
const orphanOf = (from: string, { leaves = 0, parent = root } = {}): Orphan => {
  const { header } = builder.build({ parent });
  return {
    from,
    receivedMs: 0,
    compact: {
      header,
      leaves: Array.from({ length: leaves }, () => new Uint8Array(32)),
      engineData: new Uint8Array(),
    },
  };
};

test("case 28: orphans are bounded by number, of one peer and in all, and a flooder pushes out only its own", () => {
  const orphans = createOrphanBlocks();
  const honest = orphanOf("honest");
  orphans.add(honest);
  let parent = root;
  for (let i = 0; i < 100; i++) {
    const orphan = orphanOf("flooder", { parent });
    parent = orphan.compact.header.id;
    orphans.add(orphan);
  }
  assert.equal(orphans.size, 9);
  for (let peer = 0; peer < 50; peer++)
    for (let i = 0; i < 8; i++) {
      const orphan = orphanOf(`peer ${peer}`, { parent });
      parent = orphan.compact.header.id;
      orphans.add(orphan);
    }
  assert.equal(orphans.size, 64);
  assert.ok(orphans.takeChildrenOf(root).includes(honest), "many peers with many each take from each other");
});

test("case 28: orphans are bounded by their bytes, and one that is told twice is kept once", () => {
  const orphans = createOrphanBlocks();
  const once = orphanOf("a");
  orphans.add(once);
  orphans.add(once);
  assert.equal(orphans.size, 1);
  let parent = root;
  for (let peer = 0; peer < 20; peer++)
    for (let i = 0; i < 4; i++) {
      const orphan = orphanOf(`peer ${peer}`, { leaves: 40_000, parent });
      parent = orphan.compact.header.id;
      orphans.add(orphan);
      assert.ok(orphans.sizeBytes <= 8 * 1024 * 1024);
    }
  assert.ok(orphans.size >= 5);
});

test("those that wait for a block are given once, in the order in which they came", () => {
  const orphans = createOrphanBlocks();
  const [first, second] = [orphanOf("a"), orphanOf("b")];
  orphans.add(first);
  orphans.add(second);
  orphans.add(orphanOf("a", { parent: first.compact.header.id }));
  assert.deepEqual(orphans.takeChildrenOf(root), [first, second]);
  assert.deepEqual(orphans.takeChildrenOf(root), []);
  assert.equal(orphans.size, 1);
});
