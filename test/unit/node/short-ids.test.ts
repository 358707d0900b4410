import assert from "node:assert/strict";
import { test } from "node:test";
import { createForkTree } from "../../../src/consensus/index.ts";
import { createMempool, createTransactionHistory } from "../../../src/mempool/index.ts";
import { findIds, SHORT_ID_HEIGHTS } from "../../../src/node/short-ids.ts";
import { devnetSpec, type SealedTransaction } from "../../../src/primitives/index.ts";

const idOf = (height: number, branch = "a"): string =>
  `${height.toString(16).padStart(8, "0")}${branch.repeat(56)}`;
const part = { timestampMs: 0, difficulty: 1n };

/** A chain of `length` blocks above genesis, and one block at height 3 beside it. */
function treeOf(length: number) {
  const tree = createForkTree({ ...part, id: idOf(0), parent: "0".repeat(64), height: 0, arrival: 0 });
  for (let height = 1; height <= length; height++)
    tree.insert({ ...part, id: idOf(height), parent: idOf(height - 1), height, arrival: height });
  tree.insert({ ...part, id: idOf(3, "b"), parent: idOf(2), height: 3, arrival: length + 1 });
  return tree;
}

function sourcesOf(length: number) {
  const pool = { mempool: createMempool(devnetSpec()), history: createTransactionHistory() };
  return { tree: treeOf(length), headHeight: length, pool };
}

test("the beginning of a block's id finds it on every branch, and all that it fits", () => {
  const sources = sourcesOf(5);
  assert.deepEqual(findIds(sources, "block", "00000004", 10), [idOf(4)]);
  assert.deepEqual(findIds(sources, "block", "00000003", 10).sort(), [idOf(3), idOf(3, "b")]);
  assert.deepEqual(findIds(sources, "block", "00000003bb", 10), [idOf(3, "b")]);
  assert.deepEqual(findIds(sources, "block", "ffffffff", 10), []);
});

test("blocks are looked for near the head only, and no more are told than asked for", () => {
  const sources = sourcesOf(SHORT_ID_HEIGHTS + 5);
  assert.deepEqual(findIds(sources, "block", "00000004", 10), []);
  assert.deepEqual(findIds(sources, "block", "00000005", 10), [idOf(5)]);
  assert.equal(findIds(sources, "block", "0000", 10).length, 10);
});

test("the beginning of a transaction's id finds what this node saw", () => {
  const sources = sourcesOf(3);
  const seen = { txid: "c".repeat(64) } as SealedTransaction;
  sources.pool.history.add(seen, { what: "dropped", timeMs: 1, detail: "", rule: "TX-01" });
  assert.deepEqual(findIds(sources, "transaction", "cccccccc", 10), [seen.txid]);
  assert.deepEqual(findIds(sources, "transaction", "dddddddd", 10), []);
});
