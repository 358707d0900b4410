import assert from "node:assert/strict";
import { test } from "node:test";
import { checkRestored } from "../../../src/chain/backup.ts";
import type { BackupHeader } from "../../../src/chain/backup-format.ts";
import { readBase } from "../../../src/chain/base.ts";
import { createBlockStore } from "../../../src/chain/block-store.ts";
import { type Chain, checkChain, createSignatureVerifier } from "../../../src/chain/index.ts";
import { recover } from "../../../src/chain/recovery.ts";
import { judgeRestored } from "../../../src/chain/restored.ts";
import { keys, otherBases, SCHEMA_VERSION, tableRange } from "../../../src/chain/schema.ts";
import { readRows } from "../../../src/chain/stored-rows.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import {
  createInlineWorkerPool,
  createMemoryStore,
  type MemoryStoreData,
  silentLogger,
} from "../../../src/ports/index.ts";
import { type Block, bytesToHex } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { headStateRoot, importAll, importOne, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";
import { createHoleStore } from "../../support/hole-store.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { seededStream, streamGenesis } from "../../support/seeded-stream.ts";

const genesis = testGenesis();
const DEPTH = 6;
const HEIGHT = 19;
const signatures = createSignatureVerifier(createInlineWorkerPool(tasks));

/** The best chain in the order of heights, with a short side branch on every fifth block of it. */
function createStory(): Block[] {
  const builder = createBlockBuilder(genesis);
  const story: Block[] = [];
  for (let height = 1, on = builder.tip; height <= HEIGHT; height++) {
    const nonce = builder.account(on, "alice")?.nonce ?? 0;
    const pay = transfer(genesis, { from: "alice", to: `friend ${height}`, amount: 1, nonce });
    const block = builder.build({ parent: on, proposer: `miner ${height % 4}`, transactions: [pay] });
    story.push(block);
    if (height % 5 === 0) story.push(builder.build({ parent: on, proposer: "rival" }));
    on = block.header.id;
  }
  return story;
}
const story = createStory();

/** Lives on as far as the store lets it. */
async function live(chain: Chain): Promise<void> {
  for (const block of story) {
    await importOne(chain, block);
    await chain.prune();
  }
}

/** No data of pruned blocks and no copy of the state lies there but what is needed. */
async function assertTidy(chain: Chain, data: MemoryStoreData, what: string): Promise<void> {
  const store = createMemoryStore(data);
  let bodies = 0;
  for await (const _ of store.scan(tableRange("bodies"))) bodies++;
  let copies = 0;
  for (const range of otherBases(chain.firstHeight - 1)) for await (const _ of store.scan(range)) copies++;
  const lowest = Math.max(0, chain.firstHeight - 1);
  assert.deepEqual([bodies, copies], [chain.tree.size - lowest, 0], `${what}: something was left behind`);
}

/** Whatever was there: it opens, is whole, and takes everything that it lacks again. */
async function checkAfter(data: MemoryStoreData, what: string): Promise<boolean> {
  const store = createMemoryStore(data);
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  const { rebuilt } = chain;
  await chain.prune();
  await assertTidy(chain, data, what);
  assert.deepEqual((await checkChain(store, genesis)).findings, [], what);
  await live(chain);
  assert.equal(chain.head.height, HEIGHT, what);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, store), what);
  await chain.close();
  const kept = HEIGHT - chain.firstHeight + 1;
  assert.ok(kept >= DEPTH && kept < DEPTH * 2, `${what}: ${kept} blocks are kept`);
  await assertTidy(chain, data, what);
  return rebuilt;
}

/** As a backup made at that moment: it is taken as it is, and what the pruning had still to delete is not in it. */
async function checkRestore(data: MemoryStoreData, what: string): Promise<void> {
  const store = createMemoryStore(new Map(data));
  const id = bytesToHex((await store.get(keys.meta("head"))) ?? genesis.block.header.idBytes);
  const { height = 0 } = (await readBase(store)) ?? {};
  const head = await createBlockStore(store).header(id);
  const header: BackupHeader = {
    chain: genesis.block.header.id,
    network: genesis.spec.name,
    schema: SCHEMA_VERSION,
    head: { id, height: head?.header.core.height ?? 0 },
    firstHeight: height === 0 ? 0 : height + 1,
    createdMs: 0,
  };
  const nowMs = story.at(-1)?.header.header.core.timestampMs ?? 0;
  await checkRestored(store, genesis, header);
  await judgeRestored(store, genesis, header, { signatures, nowMs });
  const { rows } = await readRows(store);
  const { cut, pruned } = await recover(store, genesis, silentLogger);
  assert.deepEqual([cut, pruned], [[], height + 1], what);
  assert.ok(rows.length >= height, what);
  for (const range of otherBases(height || undefined))
    for await (const _ of store.scan(range)) assert.fail(`${what}: a copy was left behind`);
}

test("case 34: a crash at any write of a pruning leaves a whole chain, and the next start finishes it", async () => {
  let failures = 0;
  for (let good = 3; ; good++) {
    const data: MemoryStoreData = new Map();
    const store = createFailingStore(data, good);
    const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH });
    const isDone = await live(chain).then(
      () => true,
      () => false,
    );
    await chain.close();
    if (isDone) break;
    failures += 1;
    await checkRestore(data, `after ${good} writes`);
    assert.equal(await checkAfter(data, `after ${good} writes`), false, "a crash needs no replay");
  }
  assert.ok(failures > 20, `${failures} crashes`);
});

/** Holes of one write and of three, all before the last write. */
function holesUpTo(safe: number, writes: number): (readonly [from: number, until: number])[] {
  const all = Array.from({ length: writes - safe }, (_, i) => safe + i);
  return all.flatMap((from) => [1, 3].map((length) => [from, from + length] as const));
}

test("a long branch is deleted from its tips down, so that a crash leaves no block without its parent", async () => {
  const builder = createBlockBuilder(genesis);
  const side = builder.extend(70, { proposer: "rival" });
  const best = builder.extend(72 + DEPTH * 2, { parent: genesis.block.header.id });
  for (let good = 0; ; good++) {
    const data: MemoryStoreData = new Map();
    const whole = await openTestChain(genesis, { store: createMemoryStore(data) });
    await importAll(whole, [...side, ...best]);
    await whole.close();
    const store = createFailingStore(data, good);
    const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH });
    await chain.prune();
    await chain.close();
    const again = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
    assert.equal(again.rebuilt, false, `after ${good} writes`);
    await again.prune();
    await assertTidy(again, data, `after ${good} writes`);
    await again.close();
    if (store.writes <= good) break;
    assert.ok(good < 20);
  }
});

test("case 36: a hole anywhere in the log of a pruning leads back to a base that is whole", async () => {
  const store = createHoleStore();
  const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH });
  await live(chain);
  await chain.close();
  let rebuilt = 0;
  for (let writes = 4; writes <= store.writes; writes++)
    for (const [from, until] of holesUpTo(store.safeAt(writes), writes)) {
      const data = await store.withHole(writes, from, until);
      if (await checkAfter(data, `${writes} writes without ${from} to ${until}`)) rebuilt += 1;
    }
  assert.ok(rebuilt > 50, `${rebuilt} were rebuilt`);
});

for (const seed of [1, 2, 3, 4])
  test(`over random reorgs beside its rounds a chain that prunes has the head and state of one that does not (seed ${seed})`, async () => {
    const network = streamGenesis();
    const data: MemoryStoreData = new Map();
    const logger = createRecordingLogger();
    const store = createMemoryStore(data);
    const pruning = await openTestChain(network, { store, pruneDepth: 8, logger });
    const whole = await openTestChain(network);
    let window: Block[] = [];
    let count = 0;
    for (const block of seededStream(seed)) {
      if (window.push(block) < 7) continue;
      const [results] = await Promise.all(
        [pruning, whole].map((chain) => Promise.all(window.map((one) => importOne(chain, one)))),
      );
      assert.ok(!results?.includes("HDR-14 transient"), "no reorg of the stream is deeper");
      assert.equal(pruning.head.id, whole.head.id);
      window = [];
      if (++count === 30) break;
    }
    await pruning.prune();
    assert.ok(pruning.firstHeight > pruning.head.height - 2 * 8);
    assert.deepEqual(
      logger.lines.filter(({ level }) => level !== "info"),
      [],
    );
    assert.deepEqual((await checkChain(createMemoryStore(data), network)).findings, []);
    assert.deepEqual(await headStateRoot(pruning), await replayedRoot(pruning, createMemoryStore(data)));
    await pruning.close();
    await whole.close();
  });
