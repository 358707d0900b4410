import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import { specToJson } from "../../src/primitives/index.ts";
import { createActingPeer } from "../support/acting-peer.ts";
import { testGenesis } from "../support/block-builder.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";
import { createHostilePeer } from "../support/hostile-peer.ts";

const genesis = testGenesis();

async function startDaemon(t: TestContext): Promise<Daemon> {
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  return await lab.start({ genesisFile });
}

async function friend(t: TestContext) {
  const peer = await createActingPeer({ genesis, blocks: [] });
  t.after(() => peer.stop());
  return peer;
}

test("strangers that hold every slot of a daemon do not keep out a configured peer", async (t) => {
  const daemon = await startDaemon(t);
  const strangers = await Promise.all(Array.from({ length: 32 }, () => createHostilePeer()));
  t.after(() => Promise.all(strangers.map((stranger) => stranger.stop())));
  await Promise.all(
    strangers.map(async (stranger) => {
      for (let i = 0; i < 4; i++) await stranger.dial(multiaddr(daemon.multiaddr), { force: true });
    }),
  );
  const one = await friend(t);
  await assert.rejects(one.network.dial(daemon.multiaddr));
  // Where nobody answers, so that it can only come by itself.
  await daemon.client.addPeer(`/ip4/127.0.0.1/tcp/1/p2p/${one.name}`);
  await one.network.dial(daemon.multiaddr);
  const { items } = await daemon.client.peers();
  assert.equal(items.find(({ peer }) => peer === one.name)?.direction, "inbound");
});

test("a peer that was added by two addresses leaves for good, whichever of them is removed", async (t) => {
  const daemon = await startDaemon(t);
  const one = await friend(t);
  const bare = one.address.replace(/\/p2p\/.*/, "");
  const there = async () => (await daemon.client.peers()).items.length > 0;
  for (const removed of [bare, one.address]) {
    await daemon.client.addPeer(`/ip4/127.0.0.1/tcp/1/p2p/${one.name}`);
    await daemon.client.addPeer(bare);
    await daemon.client.addPeer(one.address);
    await poll("it is connected", () => one.network.connections().length === 1);
    await daemon.client.removePeer(removed);
    await poll("it is gone", async () => one.network.connections().length === 0 && !(await there()));
  }
});
