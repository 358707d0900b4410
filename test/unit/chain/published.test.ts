import assert from "node:assert/strict";
import { test } from "node:test";
import { keys } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { fromPeer, importAll, openTestChain } from "../../support/chain-lab.ts";

const genesis = testGenesis();

test("totals and the number of reorgs are those of the published head, over a reorg, a restart and a rebuild", async () => {
  const data: MemoryStoreData = new Map();
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const mine = builder.extend(1, { parent: root, proposer: "alice" });
  const rival = builder.extend(2, { parent: root, proposer: "bob" });
  const issuedAt = (height: number): number => genesis.state.totals.issued + height * genesis.spec.reward;

  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.deepEqual([chain.totals.issued, chain.lastReorg], [issuedAt(0), 0]);
  await importAll(chain, mine);
  assert.deepEqual([chain.totals.issued, chain.lastReorg], [issuedAt(1), 0]);
  const importing = Promise.all(rival.map((block) => chain.import(block, fromPeer())));
  assert.deepEqual([chain.totals.issued, chain.lastReorg], [issuedAt(1), 0], "nothing before it is durable");
  await importing;
  assert.deepEqual([chain.totals.issued, chain.lastReorg], [issuedAt(2), 1]);
  const { totals } = chain;
  await chain.close();

  const again = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.deepEqual([again.totals, again.lastReorg], [totals, 1]);
  await again.close();

  const mark = { key: keys.meta("rebuild"), value: new Uint8Array(32) };
  await createMemoryStore(data).write([mark], { sync: true });
  const rebuilt = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.ok(rebuilt.rebuilt);
  assert.deepEqual([rebuilt.totals, rebuilt.lastReorg], [totals, 1]);
  await rebuilt.close();
});
