import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeStoredBlock, encodeAccountRow, encodeStoredBlock, keys } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { type Block, bytesToHex } from "../../../src/primitives/index.ts";
import { createBlockBuilder, keyOf, testGenesis, transfer } from "../../support/block-builder.ts";
import {
  fromPeer,
  headStateRoot,
  importAll,
  importOne,
  openTestChain,
  replayedRoot,
} from "../../support/chain-lab.ts";

const genesis = testGenesis();

test("a damaged account stops the chain and condemns no block; the next start rebuilds the state", async () => {
  const data: MemoryStoreData = new Map();
  const builder = createBlockBuilder(genesis);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, builder.extend(2));
  await chain.close();
  const alice = bytesToHex(keyOf("alice").publicKey);
  const index = genesis.state.accounts.findIndex(({ key }) => key === alice);
  const poor = encodeAccountRow({ key: alice, index, balance: 5, nonce: 0 });
  await createMemoryStore(data).write([{ key: keys.account(index), value: poor }], { sync: true });
  const good = builder.build({
    transactions: [transfer(genesis, { from: "alice", to: "bob", amount: 7, nonce: 0 })],
  });
  const damaged = await openTestChain(genesis, { store: createMemoryStore(data) });
  await assert.rejects(importOne(damaged, good), { code: "CHAIN_STOPPED" });
  await damaged.close();

  const repaired = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(repaired.rebuilt);
  assert.equal(await importOne(repaired, good), "connected");
  assert.deepEqual(await headStateRoot(repaired), await replayedRoot(repaired));
  await repaired.close();
});

test("a block that is truly invalid is found so again after a rebuild", async () => {
  const data: MemoryStoreData = new Map();
  const builder = createBlockBuilder(genesis);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  const [first] = builder.extend(1);
  const bad = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(7) }) });
  assert.ok(first);
  assert.equal(await importOne(chain, first), "connected");
  assert.equal(await importOne(chain, bad), "STA-01 permanent");
  await chain.close();
  const mark = { key: keys.meta("rebuild"), value: new Uint8Array(32) };
  await createMemoryStore(data).write([mark], { sync: true });

  const rebuilt = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(rebuilt.rebuilt);
  assert.equal(rebuilt.head.id, first.header.id);
  assert.equal(await importOne(rebuilt, bad, fromPeer()), "STA-01 permanent");
  await rebuilt.close();
});

/** Branches of 3 and 4 blocks; a crash cut the reorg from the one to the other, before its first write but the blocks'. */
async function interruptedReorg(): Promise<{ data: MemoryStoreData; old: Block[]; rival: Block[] }> {
  const data: MemoryStoreData = new Map();
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const old = builder.extend(3, { parent: root, proposer: "alice" });
  const rival = builder.extend(4, { parent: root, proposer: "bob" });
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, [...old, ...rival.slice(0, 3)]);
  await chain.close();
  return { data, old, rival };
}

for (const table of ["undo", "body"] as const) {
  test(`a reorg that finds no ${table} of a block stops the chain, and the next start rebuilds the state and goes on`, async () => {
    const { data, old, rival } = await interruptedReorg();
    const missing = table === "undo" ? old[1] : rival[1];
    const last = rival[3];
    assert.ok(missing && last);
    await createMemoryStore(data).write([{ key: keys[table](missing.header.id), value: undefined }], {
      sync: true,
    });
    const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.equal(chain.rebuilt, false, "the links are whole");
    await assert.rejects(chain.import(last, fromPeer()), { code: "CHAIN_STOPPED" });
    await chain.close();

    const again = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.ok(again.rebuilt);
    for (const block of rival) await again.import(block, fromPeer());
    assert.equal(again.head.id, last.header.id);
    assert.deepEqual(await headStateRoot(again), await replayedRoot(again));
    await again.close();
  });
}

for (const [what, damage] of [
  ["cut off", (bytes: Uint8Array) => bytes.slice(0, 40)],
  ["changed by one bit", (bytes: Uint8Array) => bytes.with(70, (bytes[70] ?? 0) ^ 1)],
] as const) {
  test(`undo data that is ${what} stops the chain and condemns no block; the next start rebuilds the state`, async () => {
    const { data, old, rival } = await interruptedReorg();
    const [victim, last] = [old[1], rival[3]];
    assert.ok(victim && last);
    const store = createMemoryStore(data);
    const undo = await store.get(keys.undo(victim.header.id));
    assert.ok(undo);
    await store.write([{ key: keys.undo(victim.header.id), value: damage(undo) }], { sync: true });
    const chain = await openTestChain(genesis, { store });
    await assert.rejects(importOne(chain, last), { code: "CHAIN_STOPPED" });
    await chain.close();
    const again = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.ok(again.rebuilt);
    assert.equal(await importOne(again, last), "connected");
    assert.deepEqual(await headStateRoot(again), await replayedRoot(again));
    await again.close();
  });
}

test("a block's row that cannot be read costs that branch from there on, and nothing else", async () => {
  const data: MemoryStoreData = new Map();
  const blocks = createBlockBuilder(genesis).extend(4);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, blocks);
  await chain.close();
  const key = keys.block(blocks[2]?.header.id ?? "");
  await createMemoryStore(data).write([{ key, value: new Uint8Array(9) }], { sync: true });
  const again = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.deepEqual([again.rebuilt, again.head.id], [true, blocks[1]?.header.id]);
  assert.equal((await importAll(again, blocks.slice(2))).at(-1)?.status, "connected");
  await again.close();
});

test("a start that has a reorg to finish and finds no undo data rebuilds at once", async () => {
  const { data, old, rival } = await interruptedReorg();
  const [missing, top, last] = [old[1], old[2], rival[3]];
  assert.ok(missing && top && last);
  // The rival's last block is stored while the state stands on the old branch, as a crash in the reorg leaves it.
  const stored = await createMemoryStore(data).get(keys.block(top.header.id));
  assert.ok(stored);
  const row = {
    ...decodeStoredBlock(stored),
    header: last.header.bytes,
    arrival: 100,
    status: "stored" as const,
  };
  await createMemoryStore(data).write(
    [
      { key: keys.block(last.header.id), value: encodeStoredBlock(row) },
      { key: keys.body(last.header.id), value: last.bodyBytes },
      { key: keys.undo(missing.header.id), value: undefined },
    ],
    { sync: true },
  );
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(chain.rebuilt);
  assert.equal(chain.head.id, last.header.id);
  await chain.close();
});

test("a chain that cannot be opened leaves its store closed", async () => {
  const data: MemoryStoreData = new Map();
  await (await openTestChain(genesis, { store: createMemoryStore(data) })).close();
  const store = createMemoryStore(data);
  const other = testGenesis({ salt: "01".repeat(16) });
  await assert.rejects(openTestChain(other, { store }), { code: "CHAIN_OTHER_NETWORK" });
  await assert.rejects(store.get(keys.meta("chain")), { code: "STORE_CLOSED" });
});
