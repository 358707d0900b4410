import assert from "node:assert/strict";
import { test } from "node:test";
import { testGenesis, transfer } from "../../support/block-builder.ts";
import { createCrowd } from "../../support/pending-crowd.ts";
import { openPool, proposer, txidsOf, words } from "../../support/pool-lab.ts";

const COIN = 100_000_000;

test("transfers that wait for money behind a gap are refused, and keep nobody out of a block", async () => {
  const genesis = testGenesis({ maxBlockBytes: 4_096 });
  const { pool, chain } = await openPool(genesis);
  await pool.admit([transfer(genesis, { from: "alice", to: "mallory", amount: 100 * COIN, nonce: 1 })]);
  const spam = Array.from({ length: 30 }, (_, nonce) =>
    transfer(genesis, { from: "mallory", to: "bob", amount: 1, nonce, fee: COIN }),
  );
  assert.deepEqual([...new Set(words(await pool.admit(spam)))], ["TX-09"]);
  const honest = transfer(genesis, { from: "bob", to: "carol", amount: 5, nonce: 0 });
  await pool.admit([honest]);
  const template = await chain.buildTemplate({ proposer, candidates: () => pool.mempool.select() });
  assert.deepEqual(txidsOf(template.body), [honest.txid]);
});

test("a transfer that pays better than the one that brings its money is mined in the same block", async () => {
  const genesis = testGenesis();
  const { pool, chain } = await openPool(genesis);
  const parent = transfer(genesis, { from: "alice", to: "bob", amount: 900 * COIN, nonce: 0 });
  const child = transfer(genesis, { from: "bob", to: "carol", amount: 1_500 * COIN, nonce: 0, fee: COIN });
  const after = transfer(genesis, { from: "bob", to: "carol", amount: 1, nonce: 1, fee: COIN });
  assert.deepEqual(words(await pool.admit([parent, child, after])), ["pending", "pending", "pending"]);
  const candidates = [...pool.mempool.select()];
  assert.equal(candidates[0]?.txid, child.txid);
  const template = await chain.buildTemplate({ proposer, candidates: () => candidates });
  assert.deepEqual(txidsOf(template.body), [parent.txid, child.txid, after.txid]);
  assert.deepEqual(template.refused, []);
});

test("what a template could not execute leaves with what it would have paid for, unless the head moved", async () => {
  const genesis = testGenesis({ accountCreationFee: COIN });
  const { pool, chain } = await openPool(genesis);
  const poor = transfer(genesis, { from: "alice", to: "dave", amount: 10 * COIN, nonce: 0 });
  const child = transfer(genesis, { from: "dave", to: "bob", amount: 1, nonce: 0 });
  const honest = transfer(genesis, { from: "bob", to: "carol", amount: 5, nonce: 0 });
  assert.deepEqual(words(await pool.admit([poor, child, honest])), ["pending", "pending", "pending"]);
  const template = await chain.buildTemplate({ proposer, candidates: () => pool.mempool.select() });
  assert.deepEqual(txidsOf(template.body), [honest.txid]);
  assert.deepEqual(
    template.refused.map(({ txid, rule }) => [txid, rule]),
    [
      [child.txid, "TX-09"],
      [poor.txid, "TX-10"],
    ],
  );
  await pool.refusedOn("00".repeat(32), template.refused);
  assert.equal(pool.mempool.size, 3);
  await pool.refusedOn(chain.head.id, template.refused);
  assert.deepEqual(
    [...pool.mempool.entries()].map(({ transaction }) => transaction.txid),
    [honest.txid],
  );
});

test("a full block reports nothing as unexecutable, and is filled up to its last bytes", async () => {
  const genesis = testGenesis({ maxBlockBytes: 4_096 });
  const { pool, chain } = await openPool(genesis);
  await pool.admit(
    Array.from({ length: 60 }, (_, nonce) =>
      transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce }),
    ),
  );
  const template = await chain.buildTemplate({ proposer, candidates: () => pool.mempool.select() });
  const bytes = template.body.transactions[0]?.bytes.length ?? 0;
  assert.equal(template.body.transactions.length, Math.floor((4_096 - 8) / (bytes + 4)));
  assert.deepEqual(template.refused, []);
});

test("case 26: a template tries so many candidates and no more, and tells of those that could not be executed", async () => {
  const genesis = testGenesis();
  const { chain } = await openPool(genesis);
  const crowd = createCrowd(genesis);
  let taken = 0;
  // Of keys without money; what can be executed stands behind them all.
  function* candidates() {
    for (let sender = 0; sender < 40_000; sender++, taken++) yield crowd({ sender, nonce: 0 });
  }
  const template = await chain.buildTemplate({ proposer, candidates });
  assert.ok(taken <= 17_000, `${taken} candidates were looked at`);
  assert.equal(template.refused.length, 16_384);
  assert.ok(template.refused.every(({ rule }) => rule === "TX-09"));
  await chain.close();
});
