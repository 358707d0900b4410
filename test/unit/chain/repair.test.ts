import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAccountRow, keys } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { bytesToHex } from "../../../src/primitives/index.ts";
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

test("a block that a damaged state condemned is judged again, and connected, once the state was rebuilt", async () => {
  const data: MemoryStoreData = new Map();
  const builder = createBlockBuilder(genesis);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, builder.extend(2));
  const alice = bytesToHex(keyOf("alice").publicKey);
  const index = genesis.state.accounts.findIndex(({ key }) => key === alice);
  const poor = encodeAccountRow({ key: alice, index, balance: 5, nonce: 0 });
  await createMemoryStore(data).write([{ key: keys.account(alice), value: poor }], { sync: true });
  const good = builder.build({
    transactions: [transfer(genesis, { from: "alice", to: "bob", amount: 7, nonce: 0 })],
  });
  assert.match(await importOne(chain, good), /permanent$/, "with the damage the block looks invalid");
  await chain.close();

  const repaired = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(repaired.rebuilt);
  assert.equal(repaired.head.id, good.header.id);
  assert.equal((await repaired.blocks.stored(good.header.id))?.refusal, "");
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
