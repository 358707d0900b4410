import assert from "node:assert/strict";
import { test } from "node:test";
import { keys } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";

const genesis = testGenesis();
const pay = (nonce: number) => transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce });

async function chainOf(blocks: readonly Block[], data: MemoryStoreData = new Map()) {
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, blocks);
  return chain;
}

const builder = createBlockBuilder(genesis);
const blocks = [0, 1, 2, 3].map((nonce) => builder.build({ transactions: [pay(nonce)] }));
const ids = blocks.map(({ header }) => header.id);
const encoded = blocks.map(({ header, bodyBytes }) => ({ headerBytes: header.bytes, bodyBytes }));
const sizes = blocks.map(({ bodyBytes }) => bodyBytes.length);
const ofFirst = (count: number): number => sizes.slice(0, count).reduce((sum, size) => sum + size, 0);

test("stored blocks come as their bytes, in the order asked", async () => {
  const chain = await chainOf(blocks);
  assert.deepEqual(await chain.blocks.serialized(ids, ofFirst(4)), encoded);
  assert.deepEqual(await chain.blocks.serialized([...ids].reverse(), ofFirst(4)), [...encoded].reverse());
  assert.deepEqual(await chain.blocks.serialized([], ofFirst(4)), []);
});

test("no more come than whose bodies fit together", async () => {
  const chain = await chainOf(blocks);
  assert.deepEqual(await chain.blocks.serialized(ids, ofFirst(2)), encoded.slice(0, 2));
  assert.deepEqual(await chain.blocks.serialized(ids, ofFirst(2) - 1), encoded.slice(0, 1));
  assert.deepEqual(await chain.blocks.serialized(ids, 0), []);
});

test("they end before the first that is not there, or of which the body is not", async () => {
  const data: MemoryStoreData = new Map();
  const chain = await chainOf(blocks.slice(0, 3), data);
  assert.deepEqual(await chain.blocks.serialized(ids, ofFirst(4)), encoded.slice(0, 3));
  await createMemoryStore(data).write([{ key: keys.body(ids[1] ?? ""), value: undefined }], { sync: true });
  assert.deepEqual(await chain.blocks.serialized(ids, ofFirst(4)), encoded.slice(0, 1));
});
