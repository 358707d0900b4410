import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore, type MemoryStoreData, StoreError } from "../../../src/ports/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { fromPeer, importAll, openTestChain } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";

for (const [code, advice] of [
  ["STORE_FULL", /make room on the disk and start the node again.*\(STORE_FULL\)$/],
  ["STORE_IO", /see to the disk and start the node again.*\(STORE_IO\)$/],
] as const)
  test(`case 35: ${code} in an operator's reorg stops the chain with what to do, and the next start has one of the two heads`, async () => {
    const builder = createBlockBuilder(testGenesis());
    const root = builder.tip;
    const best = builder.extend(3, { parent: root, proposer: "alice" });
    const other = builder.extend(2, { parent: root, proposer: "bob" });
    const data: MemoryStoreData = new Map();
    const full = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
    await importAll(full, [...best, ...other]);
    await full.close();
    const failure = new StoreError(code, "the disk said no");
    const chain = await openTestChain(builder.genesis, { store: createFailingStore(data, 0, failure) });
    const marked = best[0]?.header.id ?? "";
    await assert.rejects(chain.invalidate(marked), { code: "CHAIN_STOPPED", message: advice });
    const [more] = builder.extend(1, { parent: best[2]?.header.id ?? "" });
    assert.ok(more);
    await assert.rejects(chain.import(more, fromPeer()), { code: "CHAIN_STOPPED" });
    await chain.close();
    const again = await openTestChain(builder.genesis, { store: createMemoryStore(data) });
    assert.equal(again.head.id, best[2]?.header.id, "nothing of the failed batch is there");
    assert.equal(again.tree.marks.size, 0);
    await again.invalidate(marked);
    assert.equal(again.head.id, other[1]?.header.id);
    await again.close();
  });
