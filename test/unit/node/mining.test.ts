import assert from "node:assert/strict";
import { test } from "node:test";
import { tasks } from "../../../src/miner/search-tasks.ts";
import { createMining } from "../../../src/node/mining.ts";
import {
  createInlineWorkerPool,
  createManualTimers,
  createSeededRandom,
  silentLogger,
} from "../../../src/ports/index.ts";
import { createBlockBuilder, keyOf, testGenesis, transfer } from "../../support/block-builder.ts";
import { openPool } from "../../support/pool-lab.ts";

test("a template asked for while a reorg is under way knows what the reorg gives back, and drops nothing that builds on it", async () => {
  const genesis = testGenesis();
  const builder = createBlockBuilder(genesis);
  const { chain, pool, clock } = await openPool(genesis);
  const [first, second] = [0, 1].map((nonce) =>
    transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce }),
  );
  assert.ok(first && second);
  const parent = genesis.block.header.id;
  const mined = builder.build({ parent, transactions: [first] });
  const rival = builder.build({ parent, proposer: "rival" });
  const better = builder.build({ parent: rival.header.id, proposer: "rival" });
  const source = { peer: "peer", message: "gossip", receivedMs: 0 } as const;
  await chain.import(mined, source);
  await pool.admit([second]);
  await chain.import(rival, source);
  const { miner } = createMining(
    {
      chain,
      pool,
      relay: { announce() {} },
      clock,
      timers: createManualTimers(clock),
      random: createSeededRandom(1),
      logger: silentLogger,
      searchers: createInlineWorkerPool(tasks),
      isSyncing: () => false,
    },
    { rewardTo: keyOf("miner").publicKey, defaultHashRate: 1 },
  );
  chain.on("head", () => miner.headChanged());
  const importing = chain.import(better, source);
  const blocks = await miner.mineBlocks(1, new AbortController().signal);
  assert.equal((await importing).status, "connected");
  for (const { txid } of [first, second])
    assert.equal((await chain.blocks.place(txid))?.block, blocks[0], "both are mined");
  await miner.stop();
  await chain.close();
});
