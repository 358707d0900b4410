import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../../src/ports/index.ts";
import { bytesToHex, specRoot } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, importAll, openTestChain } from "../../support/chain-lab.ts";

test("case 1: an equal-work rival that arrives second does not change the head; one block more does; and back again", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const [a1, a2, a3] = builder.extend(3, { parent: root, proposer: "alice" });
  const [b1, b2] = builder.extend(2, { parent: root, proposer: "bob" });
  assert.ok(a1 && a2 && a3 && b1 && b2);
  const chain = await openTestChain(builder.genesis);
  await importAll(chain, [a1, b1]);
  assert.equal(chain.head.id, a1.header.id);
  await importAll(chain, [b2]);
  assert.equal(chain.head.id, b2.header.id);
  await importAll(chain, [a2]);
  assert.equal(chain.head.id, b2.header.id, "equal work again: the first to arrive stays");
  await importAll(chain, [a3]);
  assert.equal(chain.head.id, a3.header.id);
  assert.deepEqual(
    (await chain.reorgs({ limit: 10 })).map(({ depth }) => depth),
    [2, 1],
  );
  await chain.close();
});

test("case 3: after a restart with tied tips the same head stands, and the next block extends it", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const [a1] = builder.extend(1, { parent: root, proposer: "alice" });
  const [b1] = builder.extend(1, { parent: root, proposer: "bob" });
  assert.ok(a1 && b1);
  const data = new Map();
  const before = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
  await importAll(before, [b1, a1]);
  await before.close();
  const after = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
  assert.equal(after.head.id, b1.header.id);
  const [b2] = builder.extend(1, { parent: b1.header.id });
  assert.ok(b2);
  assert.deepEqual(await importAll(after, [b2]), [{ status: "connected" }]);
  await after.close();
});

test("the genesis block's parent is the root of its spec, as in its header", async () => {
  const genesis = testGenesis();
  const data = new Map();
  for (const _ of ["new", "restarted"]) {
    const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.equal(chain.head.parent, bytesToHex(specRoot(genesis.spec)));
    assert.equal(chain.tree.path(chain.tree.genesis.id, chain.head.id).length, 0);
    await chain.close();
  }
});

test("case 4: a longer chain with less total work does not win", async () => {
  const genesis = testGenesis({ difficultyMode: "adjusting", smoothing: 4, intervalMs: 1_000 });
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const startMs = genesis.spec.genesisTimestampMs;
  // Blocks that come fast raise the difficulty of their branch; slow ones keep it at the least.
  let parent = root;
  const heavy = Array.from({ length: 8 }, (_, i) => {
    const block = builder.build({ parent, timestampMs: startMs + 10 * (i + 1), proposer: "alice" });
    parent = block.header.id;
    return block;
  });
  parent = root;
  const long = Array.from({ length: 9 }, (_, i) => {
    const block = builder.build({ parent, timestampMs: startMs + 6_000 * (i + 1), proposer: "bob" });
    parent = block.header.id;
    return block;
  });
  const chain = await openTestChain(genesis);
  await importAll(chain, heavy);
  const head = chain.head;
  await importAll(chain, long);
  const tip = chain.tree.get(parent);
  assert.ok(tip !== undefined && tip.height > head.height && tip.work < head.work);
  assert.equal(chain.head.id, head.id);
  await chain.close();
});

test("case 5: a heavier branch whose last block is invalid: the best valid block wins and the bad tip is listed as invalid", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const mine = builder.extend(2, { parent: root, proposer: "alice" });
  const rival = builder.extend(3, { parent: root, proposer: "bob" });
  const bad = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(7) }) });
  const chain = await openTestChain(builder.genesis);
  await importAll(chain, mine);
  const results = await importAll(chain, [...rival, bad]);
  const last = results.at(-1);
  assert.ok(
    last?.status === "refused" && last.verdict.code === "STA-01" && last.verdict.permanence === "permanent",
  );
  assert.equal(chain.head.id, rival[2]?.header.id);
  const tip = chain.tree.tips().find(({ id }) => id === bad.header.id);
  assert.equal(tip?.status, "invalid");
  await chain.close();
});

test("case 6: a heavier branch invalid in the middle: the reorg is abandoned, the old head stands, descendants are invalid", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const mine = builder.extend(3, { parent: root, proposer: "alice" });
  const rival = builder.extend(1, { parent: root, proposer: "bob" });
  const bad = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(7) }) });
  const after = builder.extend(3, { proposer: "bob" });
  const data = new Map();
  const chain = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
  const heads: string[] = [];
  chain.on("head", ({ newHead }) => heads.push(newHead.id));
  await importAll(chain, mine);
  heads.length = 0;
  const results = await importAll(chain, [...rival, bad, ...after]);
  assert.deepEqual(
    results.map((result) => (result.status === "refused" ? result.verdict.code : result.status)),
    ["side", "side", "side", "HDR-12", "HDR-12"],
    "the branch only becomes heavier with its fourth block, and is abandoned at its second",
  );
  assert.equal(chain.head.id, mine[2]?.header.id);
  assert.deepEqual(heads, [], "nothing was published of the attempt");
  assert.equal((await chain.reorgs({ limit: 1 })).length, 0);
  await chain.close();
  const restarted = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
  assert.equal(restarted.head.id, mine[2]?.header.id);
  assert.equal(restarted.tree.get(bad.header.id)?.status, "invalid");
  await restarted.close();
});

test("case 9: two halves mine 10 and 20, then join: one head, the short half listed as a valid fork of length 10", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const short = builder.extend(10, { parent: root, proposer: "alice" });
  const long = builder.extend(20, { parent: root, proposer: "bob" });
  const [left, right] = [await openTestChain(builder.genesis), await openTestChain(builder.genesis)];
  await importAll(left, short);
  await importAll(right, long);
  await importAll(left, long);
  await importAll(right, short);
  for (const chain of [left, right]) assert.equal(chain.head.id, long[19]?.header.id);
  const tip = left.tree.tips().find(({ id }) => id === short[9]?.header.id);
  assert.ok(tip?.status === "valid");
  const branch = left.branchOf(tip);
  assert.ok(branch.length === 10 && branch.forkPoint.height === 0);
  const [record] = await left.reorgs({ limit: 1 });
  assert.ok(record?.depth === 10 && record.blocksInCount === 11 && record.forkPoint.height === 0);
  await left.close();
  await right.close();
});

test("state at the head equals a plain model after going to another branch and back", async () => {
  const genesis = testGenesis();
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const pay = (from: string, to: string, amount: number, nonce: number) =>
    transfer(genesis, { from, to, amount, nonce });
  const a1 = builder.build({
    parent: root,
    transactions: [pay("alice", "dave", 5, 0), pay("bob", "erin", 7, 0)],
  });
  const a2 = builder.build({ transactions: [pay("alice", "bob", 9, 1)] });
  const b1 = builder.build({ parent: root, proposer: "bob", transactions: [pay("alice", "erin", 11, 0)] });
  const b2 = builder.build({ transactions: [pay("carol", "dave", 13, 0)] });
  const b3 = builder.build();
  const a3 = builder.build({ parent: a2.header.id });
  const a4 = builder.build();
  const chain = await openTestChain(genesis);
  await importAll(chain, [a1, a2, b1, b2, b3, a3, a4]);
  assert.equal(chain.head.id, a4.header.id);
  for (const name of ["alice", "bob", "carol", "dave", "erin", "miner"]) {
    const expected = builder.account(a4.header.id, name);
    const [actual] = await chain.accounts([expected?.key ?? ""].filter((key) => key !== ""));
    assert.deepEqual(actual, expected);
  }
  await chain.close();
});

test("a block that arrives twice at once is imported once", async () => {
  const builder = createBlockBuilder(testGenesis());
  const block = builder.build();
  const chain = await openTestChain(builder.genesis);
  const results = await Promise.all([chain.import(block, fromPeer("a")), chain.import(block, fromPeer("b"))]);
  assert.deepEqual(results, [{ status: "connected" }, { status: "connected" }]);
  assert.deepEqual(await chain.import(block, fromPeer("c")), { status: "known" });
  await chain.close();
});

test("a side branch whose parent turns out invalid in the same batch is refused whole, and told of as invalid", async () => {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const mine = builder.extend(3, { parent: root, proposer: "alice" });
  const bad = builder.build({
    parent: root,
    tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(7) }),
  });
  const after = builder.extend(3, { proposer: "bob" });
  const chain = await openTestChain(builder.genesis);
  await importAll(chain, mine);
  const told: string[] = [];
  chain.on("block", ({ status, refusal }) => told.push(`${status} ${refusal?.code}`));
  const results = await Promise.all([bad, ...after].map((block) => chain.import(block, fromPeer())));
  assert.deepEqual(
    results.map((result) => (result.status === "refused" ? result.verdict.code : result.status)),
    ["STA-01", "HDR-12", "HDR-12", "HDR-12"],
  );
  assert.deepEqual(told, ["invalid STA-01", "invalid HDR-12", "invalid HDR-12", "invalid HDR-12"]);
  assert.equal(chain.head.id, mine[2]?.header.id);
  await chain.close();
});
