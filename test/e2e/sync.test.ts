import assert from "node:assert/strict";
import { test } from "node:test";
import { createActingPeer } from "../support/acting-peer.ts";
import { buildChain } from "../support/built-chain.ts";
import { createLab, poll } from "../support/daemon.ts";

test("cases 29 and 31: a chain is synced from three peers, of which one is killed half-way and one withholds its blocks", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  // Blocks at the end are the fuller ones, so that the sync is under way for a while.
  const built = await buildChain({
    dataDir,
    blocks: 600,
    transfersAt: (height) => (height > 200 ? 8 : height % 5),
  });
  const { genesis, headers, head } = built;
  const second = await lab.copyOf(dataDir);
  const servers = await Promise.all([lab.start({ dataDir }), lab.start({ dataDir: second })]);
  let askedOfTheLate = 0;
  const late = await createActingPeer({
    genesis,
    blocks: [],
    claim: { head: head.id, height: head.height, work: head.work },
    answers: {
      headers(_peer, { locator, maxCount }) {
        const from = headers.findLastIndex(({ id }) => locator.includes(id)) + 1;
        return headers.slice(from, from + maxCount);
      },
      blocks() {
        askedOfTheLate += 1;
        return new Promise(() => {});
      },
    },
  });
  t.after(() => late.stop());
  const fresh = await lab.start({ genesisFile: built.genesisFile, logLevel: "debug" });
  for (const address of [late.address, ...servers.map(({ multiaddr }) => multiaddr)])
    await fresh.client.addPeer(address);
  const victim = await poll("blocks come from both that give some", async () => {
    const { sync } = await fresh.client.status();
    if (sync?.peers.length !== 2) return undefined;
    assert.ok(sync.blocksDone < 600, "the sync was too fast to be disturbed");
    return servers.find(({ peer }) => sync.peers.includes(peer));
  });
  await victim.end("SIGKILL");
  const killedAt = (await fresh.client.status()).head.height;
  await poll(
    "the sync completes",
    async () => (await fresh.client.status()).head.id === built.head.id,
    60_000,
  );
  assert.ok(killedAt < 600, "it was killed before the end");
  assert.ok(askedOfTheLate > 0, "the late one was waited for");
  const status = await fresh.client.status();
  assert.equal(status.head.height, 600);
  assert.equal(status.reorgs, 0);
  const tips = (await fresh.client.tips()).items;
  assert.deepEqual(
    tips.map(({ id, state }) => [id, state]),
    [[built.head.id, "head"]],
    "nothing is invalid, and there is one branch",
  );
  const blamed = fresh.logged().filter(({ level, reason }) => level === 40 && reason !== undefined);
  assert.deepEqual(blamed, [], "nobody is blamed");
  const sample = await fresh.client.block(555);
  assert.equal(sample.transactions?.length, 8);
  const other = servers.find((server) => server !== victim);
  const theirs = await other?.client.block(555);
  // When it came, and from whom, is each node's own.
  assert.deepEqual({ ...theirs, arrival: null }, { ...sample, arrival: null });
  assert.equal(sample.arrival?.via, "sync");
});
