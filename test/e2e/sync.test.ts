import assert from "node:assert/strict";
import { test } from "node:test";
import { buildChain } from "../support/built-chain.ts";
import { createLab, poll } from "../support/daemon.ts";

test("a chain of 1,000 blocks is synced from two peers, one of which is killed half-way", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  // Blocks at the end are the fuller ones, so that the sync is under way for a while.
  const built = await buildChain({
    dataDir,
    blocks: 1_000,
    transfersAt: (height) => (height > 200 ? 8 : height % 5),
  });
  const second = await lab.copyOf(dataDir);
  const peers = await Promise.all([lab.start({ dataDir }), lab.start({ dataDir: second })]);
  const fresh = await lab.start({ genesisFile: built.genesisFile, logLevel: "debug" });
  for (const { multiaddr } of peers) await fresh.client.addPeer(multiaddr);
  const victim = await poll("blocks come from a peer", async () => {
    const { head, state, reason } = await fresh.client.status();
    if (state !== "syncing" || head.height < 100) return undefined;
    assert.ok(head.height < 950, "the sync was too fast to be disturbed");
    return peers.find(({ peer }) => reason.includes(peer));
  });
  await victim.end("SIGKILL");
  const killedAt = (await fresh.client.status()).head.height;
  await poll(
    "the sync completes",
    async () => (await fresh.client.status()).head.id === built.head.id,
    60_000,
  );
  assert.ok(killedAt < 1_000, "it was killed before the end");
  const status = await fresh.client.status();
  assert.equal(status.head.height, 1_000);
  assert.equal(status.reorgs, 0);
  const tips = (await fresh.client.tips()).items;
  assert.deepEqual(
    tips.map(({ id, state }) => [id, state]),
    [[built.head.id, "head"]],
    "nothing is invalid, and there is one branch",
  );
  assert.deepEqual(fresh.logged("disconnecting a peer during sync"), [], "nobody is blamed");
  const sample = await fresh.client.block(777);
  assert.equal(sample.transactions?.length, 8);
  const other = peers.find((peer) => peer !== victim);
  assert.deepEqual(await other?.client.block(777), sample);
});
