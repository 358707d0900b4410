import assert from "node:assert/strict";
import { test } from "node:test";
import { createMempool } from "../../../src/mempool/index.ts";
import { createLeafList } from "../../../src/node/leaf-list.ts";
import { createManualClock } from "../../../src/ports/index.ts";
import { testGenesis, transfer } from "../../support/block-builder.ts";

const genesis = testGenesis();
const FIRST = "00".repeat(32);

function setUp() {
  const mempool = createMempool(genesis.spec);
  const clock = createManualClock();
  let nonce = 0;
  function add(count: number): void {
    for (let i = 0; i < count; i++) {
      const transaction = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: nonce++ });
      mempool.add(transaction, { nonce: 0, balance: 1e12 }, 0, 0);
    }
  }
  const sorted = (): string[] => [...mempool.entries()].map(({ transaction }) => transaction.leaf).sort();
  return { list: createLeafList(mempool, clock), clock, add, sorted };
}

test("pages of the leaf list cover the mempool in order, each leaf once", () => {
  const { list, add, sorted } = setUp();
  add(45);
  const seen: string[] = [];
  for (let page = list.after(FIRST, 10); page.length > 0; page = list.after(page.at(-1) ?? "", 10))
    seen.push(...page);
  assert.deepEqual(seen, sorted());
  assert.deepEqual(list.after("ff".repeat(32), 10), []);
});

test("a short leaf list is always up to date; a long one is sorted again only after a while", () => {
  const { list, clock, add, sorted } = setUp();
  add(1);
  assert.equal(list.after(FIRST, 1_000).length, 1);
  add(119);
  assert.equal(list.after(FIRST, 1_000).length, 120);
  add(1);
  assert.equal(list.after(FIRST, 1_000).length, 120);
  clock.advance(2);
  assert.deepEqual(list.after(FIRST, 1_000), sorted());
});
