import assert from "node:assert/strict";
import { test } from "node:test";
import { buildChain } from "../support/built-chain.ts";
import { converged, createLab } from "../support/daemon.ts";

const BLOCKS = 4_100;

test(`case 8: two nodes whose chains of ${BLOCKS} small blocks part right after genesis, below all but the oldest of a locator, agree`, {
  timeout: 600_000,
}, async (t) => {
  const lab = createLab(t);
  const [one, other] = [await lab.directory(), await lab.directory()];
  // No block of one is in the other: their times differ.
  const short = await buildChain({ dataDir: one, blocks: BLOCKS, transfersAt: () => 0 });
  const long = await buildChain({ dataDir: other, blocks: BLOCKS + 50, transfersAt: () => 0 });
  assert.equal(short.genesis.chainId.toString(), long.genesis.chainId.toString());
  const first = await lab.start({ dataDir: one });
  const second = await lab.start({ dataDir: other, peers: [first.multiaddr] });
  const { id } = await converged([first, second], 300_000);
  assert.equal(id, long.head.id);
  const [reorg] = (await first.client.reorgs()).items;
  assert.deepEqual([reorg?.depth, reorg?.forkPoint.height], [BLOCKS, 0]);
  assert.equal((await second.client.status()).reorgs, 0);
  const tips = (await first.client.tips()).items;
  assert.ok(tips.some((tip) => tip.id === short.head.id && tip.length === BLOCKS));
});
