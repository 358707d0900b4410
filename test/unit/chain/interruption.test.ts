import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chain, Settlement } from "../../../src/chain/index.ts";
import { createMemoryStore, type KeyValueStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import type { Block, SealedTransaction } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, headStateRoot, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";

type Batch = Parameters<KeyValueStore["write"]>[0];

const genesis = testGenesis();
const pay = (options: Partial<Parameters<typeof transfer>[1]>): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce: 0, ...options });

/**
 * Branches that outgrow each other. Blocks of one group are queued together and share batches, but undoing a block that
 * was connected in the same batch forces a write: so one group's reorg takes several.
 */
function createScenario(): { groups: Block[][]; valid: Block[]; last: string } {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const a = [
    builder.build({ parent: root, proposer: "alice", transactions: [pay({ to: "dave" })] }),
    builder.build({ proposer: "alice", transactions: [pay({ nonce: 1 }), pay({ from: "bob", to: "erin" })] }),
    builder.build({ proposer: "alice" }),
  ];
  const b = [
    builder.build({ parent: root, proposer: "bob", transactions: [pay({ from: "carol", to: "erin" })] }),
    ...builder.extend(3, { proposer: "bob" }),
  ];
  const c = [
    builder.build({
      parent: a[1]?.header.id ?? root,
      proposer: "carol",
      transactions: [pay({ nonce: 2, to: "erin" })],
    }),
    ...builder.extend(2, { proposer: "carol" }),
  ];
  const bad = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32) }) });
  const afterBad = builder.extend(1);
  const d = builder.extend(4, { parent: b[3]?.header.id ?? root, proposer: "dave" });
  const e = builder.extend(4, { parent: c[2]?.header.id ?? root, proposer: "erin" });
  const f = builder.extend(2, { parent: d[3]?.header.id ?? root, proposer: "frank" });
  const groups = [a, [...b, ...c], [bad, ...afterBad, ...d, ...e, ...f]];
  return { groups, valid: [...a, ...b, ...c, ...d, ...e, ...f], last: f[1]?.header.id ?? "" };
}

interface Life {
  /** Blocks whose import settled with success. */
  readonly acknowledged: Set<string>;
  readonly heads: string[];
}

/** Keeps what it is told, and settles nothing. */
function createSettler(): { settled: Settlement[]; settle: (settlement: Settlement) => Promise<never[]> } {
  const settled: Settlement[] = [];
  return {
    settled,
    async settle(settlement) {
      settled.push(settlement);
      return [];
    },
  };
}

async function live(open: () => Promise<Chain>, groups: readonly (readonly Block[])[]): Promise<Life> {
  const life: Life = { acknowledged: new Set(), heads: [] };
  let chain: Chain;
  try {
    chain = await open();
  } catch {
    return life;
  }
  life.heads.push(chain.head.id);
  chain.on("head", ({ newHead }) => life.heads.push(newHead.id));
  for (const group of groups) {
    const imports = group.map(async (block) => {
      const { status } = await chain.import(block, fromPeer());
      if (status !== "refused") life.acknowledged.add(block.header.id);
    });
    await Promise.allSettled(imports);
  }
  await chain.close();
  return life;
}

test("a crash at any write of a stream of reorgs leaves a valid head; the next open finishes, and nothing acknowledged is lost", async () => {
  const { groups, valid, last } = createScenario();
  const whole: MemoryStoreData = new Map();
  const counter = createFailingStore(whole, Number.POSITIVE_INFINITY);
  const uncut = await live(() => openTestChain(genesis, { store: counter }), groups);
  assert.equal(uncut.heads.at(-1), last);
  assert.ok(counter.writes >= 8, `the scenario takes several batches, not ${counter.writes}`);

  for (let good = 0; good < counter.writes; good++) {
    const data: MemoryStoreData = new Map();
    const store = createFailingStore(data, good);
    const life = await live(() => openTestChain(genesis, { store }), groups);
    const before = life.heads.at(-1) ?? genesis.block.header.id;
    const { settled, settle } = createSettler();
    const chain = await openTestChain(genesis, { store: createMemoryStore(data), settle });
    const where = `after ${good} writes`;
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), where);
    assert.equal(chain.head.id, chain.tree.best().id, `${where}: the reorg is finished`);
    for (const id of life.acknowledged) {
      assert.ok(chain.tree.get(id), `${where}: an acknowledged block is gone`);
      assert.ok(await chain.blocks.block(id), where);
    }
    for (const { header } of valid) assert.notEqual(chain.tree.get(header.id)?.status, "invalid", where);
    // Whoever keeps pending transactions must hear of every block that left the published chain, the crash notwithstanding.
    const forkPoint = chain.tree.forkPoint(before, chain.head.id).id;
    assert.deepEqual(
      settled.flatMap(({ disconnected }) => disconnected),
      chain.tree.path(forkPoint, before),
      `${where}: blocks that left`,
    );
    assert.deepEqual(
      settled.flatMap(({ connected }) => connected),
      chain.tree.path(forkPoint, chain.head.id),
      `${where}: blocks that came`,
    );
    const [record] = await chain.reorgs({ limit: 1 });
    if (forkPoint !== before)
      assert.equal(record?.oldHead.id, before, `${where}: the record tells the whole way`);
    for (const block of groups.flat()) await chain.import(block, fromPeer());
    assert.equal(chain.head.id, last, where);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), where);
    await chain.close();
  }
});

test("a crash at any write of the recovery itself is mended by the next one", async () => {
  const { groups, last } = createScenario();
  const data: MemoryStoreData = new Map();
  await live(() => openTestChain(genesis, { store: createMemoryStore(data) }), groups);
  // As after a power cut: some batches before the last are gone, links and all, so the state must be rebuilt.
  const links = [...data].filter(([key]) => key.startsWith("s")).map(([key]) => key);
  const holed: MemoryStoreData = new Map(data);
  for (const key of links.slice(2, 4)) holed.delete(key);
  const counter = createFailingStore(new Map(holed), Number.POSITIVE_INFINITY);
  const rebuilt = await openTestChain(genesis, { store: counter });
  assert.ok(rebuilt.rebuilt);
  assert.equal(rebuilt.head.id, last, "the blocks were all there");
  await rebuilt.close();
  for (let good = 0; good < counter.writes; good++) {
    const copy: MemoryStoreData = new Map(holed);
    await assert.rejects(
      openTestChain(genesis, { store: createFailingStore(copy, good) }),
      `after ${good} writes`,
    );
    const chain = await openTestChain(genesis, { store: createMemoryStore(copy) });
    assert.equal(chain.head.id, last, `after ${good} writes`);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
    await chain.close();
  }
});

/** A store that keeps its batches one by one, to play back all but one of them. */
function createRecorder(data: MemoryStoreData = new Map()): { store: KeyValueStore; batches: Batch[] } {
  const memory = createMemoryStore(data);
  const batches: Batch[] = [];
  const store: KeyValueStore = {
    ...memory,
    async write(batch, options) {
      batches.push(batch);
      await memory.write(batch, options);
    },
  };
  return { store, batches };
}

async function playBack(batches: readonly Batch[], data: MemoryStoreData, lost: number): Promise<void> {
  const store = createMemoryStore(data);
  for (const [i, batch] of batches.entries()) if (i !== lost) await store.write(batch, { sync: true });
}

async function assertWhole(chain: Chain, where: string): Promise<void> {
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), where);
  const shown = await chain.accounts(genesis.state.accounts.map(({ key }) => key));
  assert.ok(
    shown.every((account) => account !== undefined),
    where,
  );
  for (let height = 1; height <= chain.head.height; height++) {
    const block = await chain.blocks.block(chain.idAt(height) ?? "");
    for (const [index, { txid }] of (block?.transactions ?? []).entries()) {
      assert.deepEqual(await chain.blocks.place(txid), { block: block?.header.id, index }, where);
    }
  }
}

test("any one batch missing is noticed at the next open, and the chain catches up", async () => {
  const { groups, valid, last } = createScenario();
  const { store: recorder, batches } = createRecorder();
  await live(() => openTestChain(genesis, { store: recorder }), groups);
  for (let lost = 0; lost < batches.length; lost++) {
    const data: MemoryStoreData = new Map();
    await playBack(batches, data, lost);
    const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
    const where = `batch ${lost} of ${batches.length} lost`;
    await assertWhole(chain, where);
    for (const block of groups.flat()) await chain.import(block, fromPeer());
    assert.equal(chain.head.id, last, where);
    await assertWhole(chain, where);
    for (const { header } of valid) assert.ok(await chain.blocks.block(header.id), where);
    await chain.close();
    const again = await openTestChain(genesis, { store: createMemoryStore(data) });
    assert.equal(again.rebuilt, false, `${where}: mended for good`);
    assert.equal(again.head.id, last, where);
    await again.close();
  }
});

test("any one batch of the recovery missing is noticed too", async () => {
  const { groups, last } = createScenario();
  const { store: recorder, batches } = createRecorder();
  await live(() => openTestChain(genesis, { store: recorder }), groups);
  // Everything in the hole but a late batch, so that the database holds later states than the one rebuilt.
  for (let hole = 2; hole < batches.length - 1; hole++) {
    const holed: MemoryStoreData = new Map();
    await playBack(batches, holed, hole);
    const recovery = createRecorder(new Map(holed));
    await (await openTestChain(genesis, { store: recovery.store })).close();
    for (let lost = 0; lost < recovery.batches.length; lost++) {
      const data: MemoryStoreData = new Map(holed);
      await playBack(recovery.batches, data, lost);
      const where = `batch ${hole}, then batch ${lost} of ${recovery.batches.length} of the recovery lost`;
      const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
      await assertWhole(chain, where);
      for (const block of groups.flat()) await chain.import(block, fromPeer());
      assert.equal(chain.head.id, last, where);
      await assertWhole(chain, where);
      await chain.close();
    }
  }
});

test("a new database that lost the batch it began with still knows its network", async () => {
  const { store: recorder, batches } = createRecorder();
  await live(() => openTestChain(genesis, { store: recorder }), createScenario().groups);
  const data: MemoryStoreData = new Map();
  await playBack(batches, data, 0);
  const other = testGenesis({ salt: "01".repeat(16) });
  await assert.rejects(openTestChain(other, { store: createMemoryStore(data) }), {
    code: "CHAIN_OTHER_NETWORK",
  });
});
