import assert from "node:assert/strict";
import { test } from "node:test";
import { keys } from "../../../src/chain/schema.ts";
import { createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";
import { streamGenesis } from "../../support/seeded-stream.ts";

test("a record that an older version has stored is told like one of now", async () => {
  const genesis = streamGenesis();
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, builder.extend(1, { parent: root, proposer: "alice" }));
  await importAll(chain, builder.extend(2, { parent: root, proposer: "bob" }));
  const [now] = await chain.reorgs({ limit: 1 });
  assert.deepEqual([now?.blocksOut.length, now?.blocksIn.length, now?.blocksInCount], [1, 2, 2]);
  const { blocksOut: disconnected, blocksIn: connected, blocksInCount: connectedCount, ...rest } = now ?? {};
  const value = new TextEncoder().encode(
    JSON.stringify({ ...rest, disconnected, connected, connectedCount }),
  );
  await createMemoryStore(data).write([{ key: keys.reorg(1), value }], { sync: true });
  assert.deepEqual(await chain.reorgs({ limit: 1 }), [now]);
});
