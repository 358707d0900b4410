import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { specToJson } from "../../src/primitives/index.ts";
import { testGenesis, transfer } from "../support/block-builder.ts";
import { converged, createLab, poll } from "../support/daemon.ts";
import { seedOf, signAgain } from "../support/second-signature.ts";

test("case 16: two valid signatures for one body are one transaction, and no quarrel between honest peers", async (t) => {
  const genesis = testGenesis();
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const one = await lab.start({ genesisFile });
  const two = await lab.start({ genesisFile });
  const first = transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce: 0 });
  const second = signAgain(first, seedOf("alice"));
  assert.deepEqual([second.txid === first.txid, second.leaf === first.leaf], [true, false]);
  await one.client.submit(first.bytes);
  await two.client.submit(second.bytes);
  assert.equal((await one.client.submit(second.bytes)).accepted, true, "it is known");

  await two.client.addPeer(one.multiaddr);
  await poll("they are connected", async () => (await one.client.status()).peers === 1);
  // What follows travels the same way: once it is here, the two have compared what they had pending.
  const later = transfer(genesis, { from: "carol", to: "bob", amount: 1, nonce: 0 });
  await two.client.submit(later.bytes);
  await poll("a later transfer is here", async () => (await one.client.status()).mempool.transactions === 2);
  assert.equal((await two.client.status()).mempool.transactions, 2);
  // Node 1 mines its own form; node 2 must put the block together though it holds the other.
  await one.client.mining({ mode: "blocks", count: 1 });
  const head = await converged([one, two]);
  assert.equal(head.height, 1);
  for (const { client } of [one, two]) {
    assert.deepEqual([(await client.status()).mempool.transactions, (await client.status()).peers], [0, 1]);
    assert.equal((await client.transaction(first.txid)).fate.state, "mined");
  }
  const warnings = [one, two].flatMap((node) => node.logged().filter(({ level }) => Number(level) >= 40));
  assert.deepEqual(warnings, []);
});
