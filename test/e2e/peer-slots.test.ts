import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
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
  // The one who dialled knows of the connection first.
  await poll("it is in", async () => {
    const { items } = await daemon.client.peers();
    return items.find(({ peer }) => peer === one.name)?.direction === "inbound";
  });
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

test("peers that can never be right are refused: whoever is asked says why, and keeps nothing", async (t) => {
  const { client, peer } = await startDaemon(t);
  const other = "12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1NkJ";
  for (const wrong of [
    `/ip4/127.0.0.1/tcp/4001/p2p/${other}k`,
    "/ip4/127.0.0.1/tcp/4001/p2p/11111111111111111111",
    "/ip4/127.0.0.1/tcp/0",
    `/ip4/127.0.0.1/tcp/4001/p2p/${peer}`,
  ])
    await assert.rejects(client.addPeer(wrong), { code: "ADDRESS_INVALID", status: 400 }, wrong);
  for (const wrong of [`${other}k`, "1".repeat(40), peer])
    await assert.rejects(client.refuseLink(wrong), { code: "PEER_INVALID", status: 400 }, wrong);
  assert.deepEqual([(await client.peers()).items, (await client.links()).items], [[], []]);
});

test("no more than 1,024 peers can be refused; one that is refused already still can, and allowing one makes room", async (t) => {
  const { client } = await startDaemon(t);
  const names = await Promise.all(
    Array.from({ length: 1_025 }, async () =>
      peerIdFromPrivateKey(await generateKeyPair("Ed25519")).toString(),
    ),
  );
  const [first = "", last = ""] = [names[0], names.at(-1)];
  for (const name of names.slice(0, -1)) await client.refuseLink(name);
  await assert.rejects(client.refuseLink(last), { code: "TOO_MANY_PEERS", status: 409 });
  await client.refuseLink(first);
  await client.healLink(first);
  await client.refuseLink(last);
  assert.equal((await client.links()).items.length, 1_024);
});
