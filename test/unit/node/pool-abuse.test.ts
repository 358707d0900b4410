import assert from "node:assert/strict";
import { test } from "node:test";
import { sealTransaction } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, importAll } from "../../support/chain-lab.ts";
import { openPool, proposer, txidsOf, words } from "../../support/pool-lab.ts";

const COIN = 100_000_000;

const genesis = testGenesis();

test("a forged signature under a pending txid is the fault of whoever passed it on (case 16)", async () => {
  const { pool } = await openPool(genesis);
  const pending = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
  const forged = sealTransaction({ ...pending.transaction, signature: new Uint8Array(64).fill(7) });
  const fresh = transfer(genesis, { from: "bob", to: "alice", amount: 1, nonce: 0 });
  await pool.admit([pending]);
  const judged = await pool.admit([forged, fresh]);
  assert.equal(judged.find(({ transaction }) => transaction === forged)?.senderAtFault, true);
  assert.equal(words(judged)[0], "TX-03");
  assert.deepEqual(words(await pool.admit([pending])), ["known"]);
});

test("a batch in which nothing can go on costs no signature, and blames nobody", async () => {
  const { pool, verified } = await openPool(genesis);
  const broke = Array.from({ length: 20 }, (_, nonce) =>
    transfer(genesis, { from: "mallory", to: "bob", amount: 1, nonce }),
  );
  const judged = await pool.admit(broke);
  assert.deepEqual([...new Set(words(judged))], ["TX-09"]);
  assert.equal(
    judged.some(({ senderAtFault }) => senderAtFault),
    false,
  );
  assert.equal(verified(), 0);
});

test("a forged signature in a batch that may be passed on is found even where the account would refuse it anyway", async () => {
  const { pool } = await openPool(genesis);
  const broke = transfer(genesis, { from: "mallory", to: "bob", amount: 1, nonce: 0 });
  const forged = sealTransaction({ ...broke.transaction, signature: new Uint8Array(64).fill(7) });
  const judged = await pool.admit([
    forged,
    transfer(genesis, { from: "bob", to: "alice", amount: 1, nonce: 0 }),
  ]);
  assert.deepEqual(words(judged), ["TX-03", "pending"]);
  assert.equal(judged[0]?.senderAtFault, true);
});

test("a transfer may spend what another one of its batch brings", async () => {
  const { pool } = await openPool(genesis);
  const judged = await pool.admit([
    transfer(genesis, { from: "alice", to: "dave", amount: 5 * COIN, nonce: 0, fee: COIN }),
    transfer(genesis, { from: "dave", to: "erin", amount: 4 * COIN, nonce: 0 }),
  ]);
  assert.deepEqual(words(judged), ["pending", "pending"]);
});

test("dependants of a transfer whose funds were disconnected leave too, with a reason (case 22)", async () => {
  const { pool, chain } = await openPool(genesis);
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  await chain.import(builder.build({ proposer: "mallory" }), fromPeer());
  const first = transfer(genesis, { from: "mallory", to: "dave", amount: 40 * COIN, nonce: 0 });
  const second = transfer(genesis, { from: "dave", to: "erin", amount: 30 * COIN, nonce: 0 });
  assert.deepEqual(words(await pool.admit([first, second])), ["pending", "pending"]);
  const rival = builder.build({ parent: root, proposer: "bob" });
  await importAll(chain, [rival, builder.build({ parent: rival.header.id, proposer: "bob" })]);
  assert.equal(pool.mempool.size, 0);
  const [record] = await chain.reorgs({ limit: 1 });
  const fates = record?.transactions.map((one) => [one.txid, one.fate === "dropped" ? one.rule : one.fate]);
  assert.deepEqual(fates, [
    [first.txid, "TX-09"],
    [second.txid, "TX-09"],
  ]);
});

test("a pending transfer that an ordinary block made unpayable leaves", async () => {
  const { pool, chain } = await openPool(genesis);
  await pool.admit([
    transfer(genesis, { from: "alice", to: "bob", amount: 400 * COIN, nonce: 0 }),
    transfer(genesis, { from: "alice", to: "bob", amount: 400 * COIN, nonce: 1 }),
  ]);
  const rival = transfer(genesis, { from: "alice", to: "carol", amount: 900 * COIN, nonce: 0 });
  await chain.import(createBlockBuilder(genesis).build({ transactions: [rival] }), fromPeer());
  assert.equal(pool.mempool.size, 0);
});

test("dependent transfers of a disconnected block come back in order, and the rival's branch names its own (cases 21, 23)", async () => {
  const { pool, chain } = await openPool(genesis);
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const first = transfer(genesis, { from: "alice", to: "dave", amount: 40 * COIN, nonce: 0, fee: COIN });
  const second = transfer(genesis, { from: "dave", to: "erin", amount: 30 * COIN, nonce: 0, fee: COIN });
  const third = transfer(genesis, { from: "erin", to: "bob", amount: 20 * COIN, nonce: 0 });
  const both = transfer(genesis, { from: "carol", to: "bob", amount: 1, nonce: 0 });
  const lost = transfer(genesis, { from: "carol", to: "bob", amount: 2, nonce: 1 });
  await chain.import(builder.build({ transactions: [first, second, third, both, lost] }), fromPeer());
  const winner = transfer(genesis, { from: "carol", to: "bob", amount: 3, nonce: 1 });
  const rival = builder.build({ parent: root, transactions: [both, winner] });
  await importAll(chain, [rival, builder.build({ parent: rival.header.id })]);
  const [record] = await chain.reorgs({ limit: 1 });
  assert.deepEqual(record?.transactions, [
    { txid: first.txid, fate: "returned" },
    { txid: second.txid, fate: "returned" },
    { txid: third.txid, fate: "returned" },
    { txid: both.txid, fate: "mined", block: rival.header.id },
    { txid: lost.txid, fate: "conflicted", by: winner.txid },
  ]);
  const template = await chain.buildTemplate({ proposer, candidates: () => pool.mempool.select() });
  assert.deepEqual(txidsOf(template.body), [first.txid, second.txid, third.txid]);
});
