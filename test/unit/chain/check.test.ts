import assert from "node:assert/strict";
import { test } from "node:test";
import { checkChain, createSignatureVerifier, markForReindex } from "../../../src/chain/index.ts";
import { keys, type MetaName, tableRange } from "../../../src/chain/schema.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import { createInlineWorkerPool, createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { encodeBody, type SealedTransaction } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { headStateRoot, importAll, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";

const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
const blocks = Array.from({ length: 30 }, (_, i) =>
  builder.build({
    proposer: `miner ${i}`,
    transactions: [transfer(genesis, { from: "alice", to: `friend ${i}`, amount: 1, nonce: i })],
  }),
);

async function database(): Promise<MemoryStoreData> {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, blocks);
  await chain.close();
  return data;
}

test("a whole database has nothing wrong, its sums are told, and it is not changed", async () => {
  const data = await database();
  const before = new Map(data);
  const heights: number[] = [];
  const signatures = createSignatureVerifier(createInlineWorkerPool(tasks));
  const report = await checkChain(createMemoryStore(data), genesis, {
    signatures,
    onProgress: (height) => heights.push(height),
  });
  assert.deepEqual(report.findings, []);
  assert.deepEqual([report.height, report.head], [30, blocks.at(-1)?.header.id]);
  assert.deepEqual(
    [report.blocks, report.transactions, report.accounts],
    [31, 30, genesis.state.accounts.length + 60],
  );
  assert.equal(report.supply.balances + report.supply.burned, report.supply.issued);
  assert.deepEqual(
    heights,
    Array.from({ length: 30 }, (_, i) => i + 1),
  );
  assert.deepEqual(data, before);
});

const last = blocks.at(-1);
const someBlock = blocks[9];
assert.ok(last && someBlock);

/** Each damage and the finding that names it; `undefined` removes the row. */
const damages: readonly (readonly [
  what: string,
  key: () => Uint8Array,
  damage: (row: Uint8Array) => Uint8Array | undefined,
  code: string,
])[] = [
  ["an account", () => keys.account(3), (row) => row.with(40, 9), "STATE_WRONG"],
  ["an account that is gone", () => keys.account(3), () => undefined, "STATE_WRONG"],
  ["a page", () => keys.page(2 ** 28), (row) => row.with(0, (row[0] ?? 0) ^ 1), "STATE_WRONG"],
  ["the totals", () => keys.meta("totals"), (row) => row.with(8, (row[8] ?? 0) ^ 1), "STATE_WRONG"],
  [
    "a place",
    () => keys.transaction(someBlock.transactions[0]?.txid ?? ""),
    (row) => row.with(33, 1),
    "INDEX_WRONG",
  ],
  ["undo data", () => keys.undo(someBlock.header.id), () => new Uint8Array(3), "UNDO_DAMAGED"],
  ["a body", () => keys.body(someBlock.header.id), (row) => row.subarray(0, 20), "BLOCK_DAMAGED"],
  [
    "another body",
    () => keys.body(someBlock.header.id),
    () => encodeBody([], new Uint8Array()).bodyBytes,
    "BLOCK_INVALID",
  ],
  ["a row", () => keys.block(someBlock.header.id), () => undefined, "BLOCK_DAMAGED"],
  ["a link", () => keys.batch(20), () => undefined, "JOURNAL_BROKEN"],
];
for (const [what, key, damage, code] of damages) {
  test(`${what} that is damaged is found as ${code}`, async () => {
    const store = createMemoryStore(await database());
    const row = await store.get(key());
    assert.ok(row);
    await store.write([{ key: key(), value: damage(row) }], { sync: true });
    const { findings } = await checkChain(store, genesis);
    assert.ok(
      findings.some((finding) => finding.code === code),
      JSON.stringify(findings),
    );
  });
}

test("a reorg to a branch with fewer accounts, some of them under other indices, leaves nothing behind", async () => {
  const forked = createBlockBuilder(genesis);
  const root = forked.tip;
  const pay = (to: string, nonce: number) => transfer(genesis, { from: "alice", to, amount: 1, nonce });
  const many = forked.build({ parent: root, transactions: [pay("x", 0), pay("y", 1)] });
  const few = forked.build({ parent: root, transactions: [pay("y", 0)] });
  const next = forked.build({ parent: few.header.id });
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, [many, few, next]);
  assert.equal(chain.head.id, next.header.id);
  await chain.close();
  assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
});

test("a row of state too many is found", async () => {
  const store = createMemoryStore(await database());
  await store.write([{ key: keys.account(10_000), value: new Uint8Array(48) }], { sync: true });
  assert.deepEqual(
    (await checkChain(store, genesis)).findings.map(({ code }) => code),
    ["STATE_WRONG"],
  );
});

test("signatures are judged where that is asked for", async () => {
  const store = createMemoryStore(await database());
  const signatures = { findInvalid: async (transactions: readonly SealedTransaction[]) => transactions };
  const { findings } = await checkChain(store, genesis, { signatures });
  assert.match(findings[0]?.detail ?? "", /TX-03/);
});

test("a database of an earlier schema is refused with what brings it over, and left as it is", async () => {
  const data = await database();
  const store = createMemoryStore(data);
  await store.write([{ key: keys.meta("schema"), value: new TextEncoder().encode("1") }], { sync: true });
  const before = new Map(data);
  await assert.rejects(checkChain(store, genesis), {
    code: "CHAIN_SCHEMA_OLDER",
    message: /start the node once/,
  });
  assert.deepEqual(data, before);
});

test("a directory without a chain, and one of another network, are refused", async () => {
  await assert.rejects(checkChain(createMemoryStore(), genesis), { code: "CHAIN_EMPTY" });
  const other = testGenesis({ salt: "01".repeat(16) });
  await assert.rejects(checkChain(createMemoryStore(await database()), other), {
    code: "CHAIN_OTHER_NETWORK",
  });
});

test("case 37: a reindex makes the state anew, and one that was interrupted goes on instead of beginning again", async () => {
  const data = await database();
  const lost: MetaName = "totals";
  await createMemoryStore(data).write([{ key: keys.meta(lost), value: undefined }], { sync: true });
  assert.equal(await markForReindex(createMemoryStore(data)), "begun");
  let interrupted = 0;
  for (let good = 1; ; good++) {
    const store = createFailingStore(data, good);
    const chain = await openTestChain(genesis, { store }).catch(() => undefined);
    if (chain !== undefined) {
      assert.deepEqual([chain.head.id, chain.rebuilt], [last.header.id, interrupted === 0 || chain.rebuilt]);
      assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
      await chain.close();
      break;
    }
    interrupted += 1;
    assert.equal(await markForReindex(createMemoryStore(data)), "goes on");
    assert.ok(interrupted < 20);
  }
  assert.ok(interrupted >= 3);
  const store = createMemoryStore(data);
  assert.deepEqual((await checkChain(store, genesis)).findings, []);
  assert.equal(await store.get(keys.meta("reindex")), undefined, "it is done");
  let reorgs = 0;
  for await (const _ of store.scan(tableRange("reorgs"))) reorgs++;
  assert.equal(reorgs, 0, "the head is the same: nothing was reorganised");
});
