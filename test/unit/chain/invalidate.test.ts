import assert from "node:assert/strict";
import { test } from "node:test";
import type { Settlement } from "../../../src/chain/index.ts";
import { createManualClock, createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { assembleBlock } from "../../../src/primitives/index.ts";
import { createBlockBuilder, keyOf, mineHeader, testGenesis, transfer } from "../../support/block-builder.ts";
import {
  fromPeer,
  headStateRoot,
  importAll,
  importOne,
  openTestChain,
  replayedRoot,
} from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";

/** The best branch `a`, and two others of falling work from genesis. */
async function threeBranches(data: MemoryStoreData = new Map()) {
  const builder = createBlockBuilder(testGenesis());
  const root = builder.tip;
  const paid = transfer(builder.genesis, { from: "alice", to: "dave", amount: 5, nonce: 0 });
  const first = builder.build({ parent: root, proposer: "alice", transactions: [paid] });
  const a = [first, ...builder.extend(4, { parent: first.header.id, proposer: "alice" })];
  const b = builder.extend(3, { parent: root, proposer: "bob" });
  const c = builder.extend(2, { parent: root, proposer: "carol" });
  const settled: Settlement[] = [];
  const open = () =>
    openTestChain(builder.genesis, {
      store: createMemoryStore(data),
      settle: async (settlement) => {
        settled.push(settlement);
        return [];
      },
    });
  const chain = await open();
  await importAll(chain, [...c, ...b, ...a]);
  const id = (blocks: typeof a, index: number): string => blocks.at(index)?.header.id ?? "";
  return { builder, chain, open, data, settled, a, b, c, id };
}

test("case 11: invalidate moves to the best branch that remains, never a lighter one, and reconsider moves back", async () => {
  const { builder, chain, settled, a, b, c, id } = await threeBranches();
  settled.length = 0;
  assert.deepEqual(await chain.invalidate(id(a, 3)), { status: "done", marks: [id(a, 3)] });
  assert.equal(chain.head.id, id(b, -1), "as much work as what is left of a, and here before it");
  const out = a.map(({ header }) => header.id);
  assert.deepEqual(settled[0]?.disconnected, out, "whose transactions are settled as in any reorg");
  await chain.invalidate(id(b, 2));
  assert.equal(chain.head.id, id(a, 2), "the rest of a marked branch is one to choose");
  await chain.invalidate(id(a, 0));
  assert.equal(chain.head.id, id(c, -1), "what is left of b has as much work, and came after c");
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
  const [record] = await chain.reorgs({ limit: 1 });
  assert.deepEqual(record?.cause, { peer: "local", message: "invalidate", block: id(a, 0) });
  assert.deepEqual([record?.oldHead.id, record?.newHead.id, record?.depth], [id(a, 2), id(c, -1), 3]);

  assert.deepEqual((await chain.reconsider(id(a, 4))).status, "done");
  assert.equal(chain.head.id, id(a, -1), "the marks of ancestors went too");
  assert.equal((await chain.reorgs({ limit: 1 }))[0]?.cause.message, "reconsider");
  assert.equal(chain.tree.get(id(b, 2))?.mark, id(b, 2), "another branch's mark stays");
  const [next] = builder.extend(1, { parent: id(a, -1) });
  assert.equal(next && (await importOne(chain, next)), "connected");
  await chain.close();
});

test("case 11: marks outlast a restart and a rebuild of the state, and blocks that build on one are refused for now", async () => {
  const { builder, chain, open, data, a, b, id } = await threeBranches();
  await chain.invalidate(id(a, 1));
  await chain.close();
  const again = await open();
  assert.equal(again.head.id, id(b, -1));
  const [onTop] = builder.extend(1, { parent: id(a, -1) });
  assert.ok(onTop);
  assert.equal(await importOne(again, onTop), "HDR-13 transient");
  await again.close();
  // A hole in the log: the state is made anew from the blocks.
  const links = [...data.keys()].filter((key) => key.startsWith("s"));
  data.delete(links.at(-2) ?? "");
  const rebuilt = await open();
  assert.ok(rebuilt.rebuilt);
  assert.equal(rebuilt.head.id, id(b, -1));
  await rebuilt.reconsider(id(a, 1));
  assert.equal(rebuilt.head.id, id(a, -1));
  assert.equal(await importOne(rebuilt, onTop), "connected");
  await rebuilt.close();
});

test("case 11: genesis, unknown and invalid blocks are told apart, and reconsider makes no invalid block valid", async () => {
  const { builder, chain, a, id } = await threeBranches();
  const bad = builder.build({
    parent: id(a, -1),
    tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32) }),
  });
  assert.equal(await importOne(chain, bad), "STA-01 permanent");
  const genesis = builder.genesis.block.header.id;
  for (const what of ["invalidate", "reconsider"] as const) {
    assert.deepEqual(await chain[what]("0".repeat(64)), { status: "unknown" });
    assert.deepEqual(await chain[what](bad.header.id), { status: "invalid" });
  }
  assert.deepEqual(await chain.invalidate(genesis), { status: "genesis" });
  assert.deepEqual(await chain.reconsider(genesis), { status: "done", marks: [] });
  await chain.invalidate(id(a, 2));
  assert.deepEqual(await chain.invalidate(id(a, 2)), { status: "done", marks: [] }, "twice is once");
  // With its ancestor it is reconsidered, and stays as invalid as it was.
  assert.deepEqual(await chain.reconsider(bad.header.id), { status: "done", marks: [id(a, 2)] });
  assert.equal(chain.tree.get(bad.header.id)?.status, "invalid");
  assert.equal(chain.head.id, id(a, -1));
  await chain.close();
});

test("case 11: a block mined after an invalidation differs, even by a clock that stands still", async () => {
  const genesis = testGenesis();
  const clock = createManualClock(genesis.spec.genesisTimestampMs);
  const chain = await openTestChain(genesis, { clock });
  const mined: string[] = [];
  for (let i = 0; i < 4; i++) {
    const { core, body } = await chain.buildTemplate({
      proposer: keyOf("alice").publicKey,
      candidates: () => [],
    });
    const block = assembleBlock(mineHeader(core), body);
    assert.equal(await importOne(chain, block), "connected");
    mined.push(block.header.id);
    await chain.invalidate(block.header.id);
  }
  assert.equal(new Set(mined).size, 4);
  await chain.close();
});

test("case 11: a crash at any write of an invalidation leaves the old head or goes on to the new one", async () => {
  const { builder, a, b, c, id } = await threeBranches();
  const live = async (store: ReturnType<typeof createFailingStore>): Promise<void> => {
    const chain = await openTestChain(builder.genesis, { store }).catch(() => undefined);
    if (chain === undefined) return;
    await Promise.allSettled([...c, ...b, ...a].map((block) => chain.import(block, fromPeer())));
    await chain.invalidate(id(a, 0)).catch(() => {});
    await chain.close();
  };
  const counter = createFailingStore(new Map(), Number.POSITIVE_INFINITY);
  await live(counter);
  for (let good = 1; good <= counter.writes; good++) {
    const data: MemoryStoreData = new Map();
    await live(createFailingStore(data, good));
    const chain = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
    assert.equal(chain.head.id, chain.tree.best().id);
    assert.equal(chain.tree.get(id(a, 0))?.mark, chain.tree.marks.size === 0 ? undefined : id(a, 0));
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), `after ${good} writes`);
    await chain.close();
  }
});
