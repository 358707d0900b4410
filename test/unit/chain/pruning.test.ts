import assert from "node:assert/strict";
import { test } from "node:test";
import { checkChain, markForReindex } from "../../../src/chain/index.ts";
import {
  encodeStoredBlock,
  keys,
  type StoredBlock,
  type Table,
  tableRange,
} from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { headStateRoot, importAll, importOne, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";

const genesis = testGenesis();
const DEPTH = 10;
const STEP = DEPTH / 2;

const builder = createBlockBuilder(genesis);

/** Blocks on one that was built before: each creates a friend's account, and every other a miner's, used twice. */
function payingBlocks(count: number, parent: string, label = ""): Block[] {
  const made: Block[] = [];
  for (let i = 0, on = parent; i < count; i++, on = made.at(-1)?.header.id ?? "") {
    const nonce = builder.account(on, "alice")?.nonce ?? 0;
    const pay = transfer(genesis, { from: "alice", to: `friend ${label}${nonce}`, amount: 1, nonce });
    made.push(builder.build({ parent: on, proposer: `miner ${label}${i >> 1}`, transactions: [pay] }));
  }
  return made;
}
const blocks = payingBlocks(40, builder.tip);
const at = (height: number): Block => blocks[height - 1] as Block;

const STORED: StoredBlock = {
  header: new Uint8Array(),
  arrival: 5,
  status: "valid",
  transactions: 1,
  bodyBytes: 100,
  receivedMs: 0,
  source: "peer",
  refusal: "",
};

async function count(data: MemoryStoreData, table: Table): Promise<number> {
  let rows = 0;
  for await (const _ of createMemoryStore(data).scan(tableRange(table))) rows++;
  return rows;
}

/** A chain of 40 blocks that was pruned on the way, closed. */
async function prunedData(): Promise<MemoryStoreData> {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  for (const block of blocks) {
    assert.equal(await importOne(chain, block), "connected");
    await chain.prune();
  }
  await chain.close();
  return data;
}

test("blocks far below the head go, with all rows that belong to them; their headers stay", async () => {
  const data = await prunedData();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.equal(chain.firstHeight, 31);
  assert.deepEqual([chain.head.id, chain.rebuilt], [at(40).header.id, false]);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, createMemoryStore(data)));
  assert.equal(await count(data, "blocks"), 41);
  // Genesis keeps its body, which is empty.
  assert.deepEqual([await count(data, "bodies"), await count(data, "undo")], [11, 10]);
  assert.equal(await count(data, "transactions"), 10);
  assert.equal(await count(data, "baseAccounts"), genesis.state.accounts.length + 45);
  assert.deepEqual([...(await chain.blocks.headerBytes([at(5).header.id]))], [at(5).header.bytes]);
  assert.equal(await chain.blocks.bodyBytes(at(30).header.id), undefined);
  await assert.rejects(chain.blocks.block(at(30).header.id), { code: "CHAIN_PRUNED", message: /keeps all/ });
  assert.ok(await chain.blocks.block(at(31).header.id));
  assert.ok(await chain.blocks.block(genesis.block.header.id));
  await chain.close();
  assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
});

test("a round comes every half depth, and depth blocks stay whole at least", async () => {
  const chain = await openTestChain(genesis, { pruneDepth: DEPTH });
  const first: number[] = [];
  for (const block of blocks) {
    await importOne(chain, block);
    await chain.prune();
    const { firstHeight, head } = chain;
    if (firstHeight !== first.at(-1)) first.push(firstHeight);
    if (head.height > DEPTH) assert.ok(head.height - firstHeight + 1 >= DEPTH);
    if (head.height > DEPTH + STEP) assert.ok(head.height - firstHeight + 1 < DEPTH + STEP);
  }
  assert.deepEqual(first, [0, 6, 11, 16, 21, 26, 31]);
  await chain.close();
});

test("without the option a pruned chain stays as it is, grows, and is pruned again with it", async () => {
  const data = await prunedData();
  const more = payingBlocks(10, at(40).header.id, "later ");
  const plain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(plain, more);
  await plain.prune();
  assert.equal(plain.firstHeight, 31);
  await plain.close();
  const again = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  await again.prune();
  assert.equal(again.firstHeight, 41);
  assert.equal(await count(data, "bodies"), 11);
  await again.close();
});

test("a chain that kept everything is pruned at once when it is opened with the option", async () => {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, blocks);
  await chain.close();
  const pruned = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  await pruned.prune();
  assert.equal(pruned.firstHeight, 31);
  assert.equal(await count(data, "bodies"), 11);
  await pruned.close();
});

test("the state is made anew from the base to the same root, and the blocks that remain are executed again", async () => {
  const data = await prunedData();
  const totals = { key: keys.meta("totals"), value: undefined };
  const account = { key: keys.account(3), value: new Uint8Array(48) };
  await createMemoryStore(data).write([totals, account], { sync: true });
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(chain.rebuilt);
  assert.deepEqual([chain.head.id, chain.firstHeight], [at(40).header.id, 31]);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, createMemoryStore(data)));
  assert.equal(await count(data, "undo"), 10);
  await chain.close();
  assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
});

test("batches that are missing lead back to the base, and what was lost can be imported again", async () => {
  const data = await prunedData();
  const store = createMemoryStore(data);
  const sequences: Uint8Array[] = [];
  for await (const [key] of store.scan(tableRange("batches"))) sequences.push(key);
  const lost = [at(36), at(37)].map(({ header }) => ({ key: keys.body(header.id), value: undefined }));
  await store.write([...lost, { key: sequences.at(-6) as Uint8Array, value: undefined }], { sync: true });
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  assert.ok(chain.rebuilt);
  assert.deepEqual([chain.head.id, chain.firstHeight], [at(35).header.id, 31]);
  await importAll(chain, blocks.slice(35));
  assert.equal(chain.head.id, at(40).header.id);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, createMemoryStore(data)));
  await chain.close();
});

test("a reorg within what is kept goes over, also down to the base", async () => {
  const data = await prunedData();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  const branch = payingBlocks(11, at(30).header.id, "fork ");
  await importAll(chain, branch);
  assert.equal(chain.head.id, branch.at(-1)?.header.id);
  const [record] = await chain.reorgs({ limit: 1 });
  assert.deepEqual([record?.depth, record?.forkPoint.height], [10, 30]);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, createMemoryStore(data)));
  await chain.close();
  assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
});

test("a heavier branch from below what is kept is refused for now, told once, and the chain goes on", async () => {
  const logger = createRecordingLogger();
  const store = createMemoryStore(await prunedData());
  const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH, logger });
  const branch = payingBlocks(20, at(29).header.id, "deep ");
  assert.equal(await importOne(chain, branch[0] as Block), "HDR-14 transient");
  assert.equal(await importOne(chain, branch[0] as Block), "HDR-14 transient");
  assert.equal(await importOne(chain, branch[1] as Block), "HDR-11 transient");
  assert.equal(logger.lines.filter(({ message }) => message.includes("cannot be followed")).length, 1);
  assert.equal(chain.head.id, at(40).header.id);
  assert.equal(await importOne(chain, builder.build({ parent: at(40).header.id })), "connected");
  await chain.close();
});

test("an operator cannot invalidate what was pruned, and what is invalidated above leads to the base at worst", async () => {
  const chain = await openTestChain(genesis, { store: createMemoryStore(await prunedData()) });
  for (const height of [1, 29, 30])
    assert.equal((await chain.invalidate(at(height).header.id)).status, "pruned");
  assert.equal((await chain.invalidate(at(31).header.id)).status, "done");
  assert.deepEqual([chain.head.height, chain.firstHeight], [30, 31]);
  assert.equal((await chain.reconsider(at(31).header.id)).status, "done");
  assert.equal(chain.head.id, at(40).header.id);
  await chain.close();
});

test("a round whose block an operator sets aside before the copy begins comes to nothing, and the chain goes on", async () => {
  let usedUpTo = 0;
  const chain = await openTestChain(genesis, { pruneDepth: DEPTH, usedUpTo: () => usedUpTo });
  await importAll(chain, blocks);
  await chain.prune();
  usedUpTo = 40;
  const round = chain.prune();
  assert.equal((await chain.invalidate(at(5).header.id)).status, "done");
  await round;
  assert.deepEqual([chain.head.height, chain.firstHeight], [4, 0]);
  assert.equal((await chain.reconsider(at(5).header.id)).status, "done");
  await importAll(chain, [builder.build({ parent: at(40).header.id })]);
  assert.equal(chain.head.height, 41);
  await chain.close();
});

test("branches that leave below the base go with their marks, and those above stay", async () => {
  const data: MemoryStoreData = new Map();
  const whole = await openTestChain(genesis, { store: createMemoryStore(data) });
  const low = payingBlocks(3, at(5).header.id, "low ");
  const high = payingBlocks(3, at(35).header.id, "high ");
  await importAll(whole, [...blocks.slice(0, 10), ...low]);
  await whole.invalidate(low[1]?.header.id ?? "");
  await importAll(whole, [...blocks.slice(10), ...high]);
  await whole.close();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  await chain.prune();
  const tips = [at(40), high[2] as Block].map(({ header }) => header.id);
  assert.deepEqual(
    chain.tree.tips().map(({ id }) => id),
    tips,
  );
  assert.equal(await count(data, "blocks"), 41 + 3);
  assert.equal(await count(data, "bodies"), 11 + 3);
  assert.equal(await count(data, "marks"), 0);
  await chain.close();
  const again = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.equal(again.rebuilt, false);
  await again.close();
});

test("pruning waits for whoever still has to read the blocks", async () => {
  let usedUpTo = 0;
  const chain = await openTestChain(genesis, { pruneDepth: DEPTH, usedUpTo: () => usedUpTo });
  await importAll(chain, blocks);
  await chain.prune();
  assert.equal(chain.firstHeight, 0);
  usedUpTo = 17;
  await chain.prune();
  assert.equal(chain.firstHeight, 18);
  usedUpTo = 40;
  await chain.prune();
  assert.equal(chain.firstHeight, 31);
  await chain.close();
});

test("a base that is damaged is found, and refused before a replay changes anything", async () => {
  const data = await prunedData();
  const store = createMemoryStore(data);
  const key = keys.baseAccount(30, 1);
  const row = await store.get(key);
  assert.ok(row);
  for (const value of [row.with(40, 9), row.subarray(1), undefined]) {
    await store.write([{ key, value }], { sync: true });
    const { findings, unchecked, supply } = await checkChain(store, genesis);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ["BASE_DAMAGED"],
    );
    assert.equal(unchecked.length, 2);
    assert.equal(supply.balances + supply.burned, supply.issued);
    // Nothing needs it, so nobody is kept from going on.
    await (await openTestChain(genesis, { store: createMemoryStore(data) })).close();
    await markForReindex(store);
    const before = new Map(data);
    await assert.rejects(openTestChain(genesis, { store: createMemoryStore(data) }), {
      code: "CHAIN_CORRUPT",
      message: /the base is damaged: .*restore a backup, or move chain\/ away and sync again/,
    });
    assert.deepEqual(data, before);
    const marks = (["reindex", "rebuild"] as const).map((name) => ({
      key: keys.meta(name),
      value: undefined,
    }));
    await store.write(marks, { sync: true });
  }
});

test("db check of a pruned chain finds what is wrong above the base, and in the headers below it", async () => {
  const wrong = async (key: Uint8Array, change: (row: Uint8Array) => Uint8Array): Promise<string[]> => {
    const store = createMemoryStore(await prunedData());
    await store.write([{ key, value: change((await store.get(key)) as Uint8Array) }], { sync: true });
    return (await checkChain(store, genesis)).findings.map(({ code }) => code);
  };
  assert.deepEqual(await wrong(keys.account(3), (row) => row.with(40, 9)), ["STATE_WRONG"]);
  assert.ok((await wrong(keys.body(at(35).header.id), (row) => row.subarray(4))).includes("BLOCK_DAMAGED"));
  const otherHeader = () => encodeStoredBlock({ ...STORED, header: at(4).header.bytes });
  assert.ok((await wrong(keys.block(at(5).header.id), otherHeader)).includes("BLOCK_DAMAGED"));
  // By rules that ask for more work, no header is one.
  const spec = { ...genesis.spec, difficultyBits: genesis.spec.difficultyBits + 1 };
  const stricter = await checkChain(createMemoryStore(await prunedData()), { ...genesis, spec });
  assert.match(stricter.findings[0]?.detail ?? "", new RegExp(`^block ${at(1).header.id}: HDR-`));
});

test("a reindex of a pruned chain that is interrupted at any write goes on to the same head and root", async () => {
  const pruned = await prunedData();
  for (let good = 1; ; good++) {
    const data: MemoryStoreData = new Map(pruned);
    await markForReindex(createMemoryStore(data));
    const store = createFailingStore(data, good);
    await openTestChain(genesis, { store }).then(
      (chain) => chain.close(),
      () => {},
    );
    const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.deepEqual([chain.head.id, chain.firstHeight], [at(40).header.id, 31]);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, createMemoryStore(data)));
    await chain.close();
    assert.deepEqual((await checkChain(createMemoryStore(data), genesis)).findings, []);
    if (store.writes <= good) return assert.ok(good > 5);
  }
});
