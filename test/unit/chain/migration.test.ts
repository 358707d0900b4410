import assert from "node:assert/strict";
import { test } from "node:test";
import { checkChain } from "../../../src/chain/index.ts";
import { decodeAccountRow, keys, tableRange } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData, type Write } from "../../../src/ports/index.ts";
import { hexToBytes } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { headStateRoot, importAll, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";

const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
const blocks = Array.from({ length: 40 }, (_, i) =>
  builder.build({
    proposer: `miner ${i}`,
    transactions: [transfer(genesis, { from: "alice", to: `friend ${i}`, amount: 1, nonce: i })],
  }),
);

/** A database as the first version left it: accounts by key, and no pages. */
async function schema1(): Promise<MemoryStoreData> {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, blocks);
  await chain.close();
  const store = createMemoryStore(data);
  const writes: Write[] = [{ key: keys.meta("schema"), value: new TextEncoder().encode("1") }];
  for await (const [rowKey, row] of store.scan(tableRange("accounts"))) {
    const { index, key, balance, nonce } = decodeAccountRow(rowKey, row);
    const old = new DataView(new ArrayBuffer(20));
    old.setUint32(0, index, true);
    old.setBigUint64(4, BigInt(balance), true);
    old.setBigUint64(12, BigInt(nonce), true);
    const oldKey = Uint8Array.of("a".charCodeAt(0), ...hexToBytes(key));
    writes.push({ key: oldKey, value: new Uint8Array(old.buffer) }, { key: rowKey, value: undefined });
  }
  for (const table of ["accountIndices", "pages"] as const)
    for await (const [key] of store.scan(tableRange(table))) writes.push({ key, value: undefined });
  await store.write(writes, { sync: true });
  return data;
}

/** Rows of tables that are no more. */
const oldRows = (data: MemoryStoreData): number =>
  [...data.keys()].filter((key) => key.startsWith("a")).length;

test("a database of schema 1 is brought to the present one, with its head and its state, and nothing old stays", async () => {
  const data = await schema1();
  assert.ok(oldRows(data) > 80);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.equal(oldRows(data), 0);
  assert.deepEqual([chain.rebuilt, chain.head.id], [false, blocks.at(-1)?.header.id]);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
  assert.equal((await importAll(chain, [builder.build()]))[0]?.status, "connected");
  await chain.close();
  const again = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.equal(again.rebuilt, false);
  await again.close();
});

test("interrupted at any write, it is done at the next start", async () => {
  for (let good = 0, isDone = false; !isDone; good++) {
    const data = await schema1();
    const store = createFailingStore(data, good);
    const first = await openTestChain(genesis, { store }).catch((error: { code: string }) => {
      assert.equal(error.code, "STORE_FULL");
    });
    await first?.close();
    isDone = store.writes <= good;
    assert.ok(isDone || good < 10);
    const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.deepEqual([chain.rebuilt, chain.head.id, oldRows(data)], [false, blocks.at(-1)?.header.id, 0]);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
    await chain.close();
    assert.ok(!isDone || good >= 3, "rows, schema and removal were each interrupted");
  }
});

test("a schema 1 whose accounts are damaged is rebuilt from its blocks", async () => {
  const data = await schema1();
  const store = createMemoryStore(data);
  const old = { gte: Uint8Array.of(97), lt: Uint8Array.of(98), limit: 1 };
  for await (const [key] of store.scan(old)) await store.write([{ key, value: undefined }], { sync: true });
  const chain = await openTestChain(genesis, { store });
  assert.deepEqual([chain.rebuilt, chain.head.id], [true, blocks.at(-1)?.header.id]);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
  await chain.close();
});

test("what an interrupted migration left, and the earlier version has since moved on from, does not stay", async () => {
  const data = await schema1();
  const store = createMemoryStore(data);
  const ghost = new Uint8Array(32).fill(9);
  await store.write(
    [
      { key: keys.accountIndex(Buffer.from(ghost).toString("hex")), value: Uint8Array.of(0, 0, 9, 9) },
      { key: keys.account(2_313), value: new Uint8Array(48) },
      { key: keys.page(2 ** 28 + 99), value: new Uint8Array(32) },
    ],
    { sync: true },
  );
  await (await openTestChain(genesis, { store })).close();
  assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
});

test("a schema version that is no number is damage: refused with what to do, and left as it is", async () => {
  const whole: MemoryStoreData = new Map();
  await (await openTestChain(genesis, { store: createMemoryStore(whole) })).close();
  for (const text of ["", "c", "-1", "0", "3 ", "3.5", "1e1"]) {
    const data = new Map(whole);
    const value = new TextEncoder().encode(text);
    await createMemoryStore(data).write([{ key: keys.meta("schema"), value }], { sync: true });
    const before = new Map(data);
    const damaged = { code: "CHAIN_CORRUPT", message: /schema version is damaged; restore a backup/ };
    await assert.rejects(openTestChain(genesis, { store: createMemoryStore(data) }), damaged, text);
    await assert.rejects(checkChain(createMemoryStore(data), genesis), damaged, text);
    assert.deepEqual(data, before, text);
  }
});
