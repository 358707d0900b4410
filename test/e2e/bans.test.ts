import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Libp2p } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { specToJson } from "../../src/primitives/index.ts";
import { createActingPeer } from "../support/acting-peer.ts";
import { testGenesis } from "../support/block-builder.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";
import { createHostilePeer, framed } from "../support/hostile-peer.ts";

const genesis = testGenesis();
const STATUS = `/cumulo/${genesis.chain8}/status/1`;

async function setUp(t: TestContext) {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  return { dataDir, start: () => lab.start({ dataDir, genesisFile }) };
}

async function friend(t: TestContext) {
  const peer = await createActingPeer({ genesis, blocks: [] });
  t.after(() => peer.stop());
  return peer;
}

const isConnected = async (daemon: Daemon, peer: string) =>
  (await daemon.client.peers()).items.some((one) => one.peer === peer && one.state === "connected");

/** Connects and says what no status can be. Fails where it is not let in. */
async function offend(peer: Libp2p, daemon: Daemon): Promise<void> {
  const connection = await peer.dial(multiaddr(daemon.multiaddr));
  const stream = await connection.newStream(STATUS);
  stream.send(framed(new Uint8Array(7)));
}

test("case 32: a peer that breaks the protocol again and again is banned, also after a kill -9 and a restart", async (t) => {
  const { start } = await setUp(t);
  let daemon = await start();
  const hostile = await createHostilePeer();
  t.after(() => hostile.stop());
  const name = hostile.peerId.toString();
  await poll("it is banned", async () => {
    await offend(hostile, daemon).catch(() => {});
    return (await daemon.client.bans()).items.length > 0;
  });
  const [ban] = (await daemon.client.bans()).items;
  assert.deepEqual([ban?.subject, ban?.kind, ban?.byHand], [name, "peer", false]);
  assert.equal(ban?.reason, "malformed status request");
  await poll("it is saved, at once", async () =>
    (await readFile(join(daemon.dataDir, "peers.json"), "utf8")).includes(name),
  );
  await daemon.end("SIGKILL");
  daemon = await start();
  assert.deepEqual((await daemon.client.bans()).items, [ban]);
  await assert.rejects(offend(hostile, daemon));
  assert.equal(await isConnected(daemon, name), false);
  const other = await friend(t);
  await other.network.dial(daemon.multiaddr);
  await poll("another peer of the same address is in", () => isConnected(daemon, other.name));
});

test("a configured peer is banned by hand only, shown as such, and comes back when the time is over", async (t) => {
  const { start } = await setUp(t);
  const daemon = await start();
  const one = await friend(t);
  await daemon.client.addPeer(one.address);
  await poll("it is connected", () => isConnected(daemon, one.name));
  const ban = await daemon.client.ban(one.address, { forMs: 2_000, reason: "for the test" });
  assert.deepEqual([ban.subject, ban.kind, ban.byHand, ban.reason], [one.name, "peer", true, "for the test"]);
  assert.equal(ban.untilMs - ban.sinceMs, 2_000);
  const [shown] = (await daemon.client.peers()).items;
  assert.deepEqual([shown?.state, shown?.configured], ["banned", true]);
  assert.match(shown?.problem ?? "", /^banned until 20\S+Z: for the test$/);
  await poll("it is back by itself", () => isConnected(daemon, one.name));
  assert.deepEqual((await daemon.client.bans()).items, []);
});

test("a ban and its end are on disk when they are answered; where that fails, the answer says so", async (t) => {
  const { dataDir, start } = await setUp(t);
  const { client } = await start();
  const file = join(dataDir, "peers.json");
  const saved = async () =>
    (JSON.parse(await readFile(file, "utf8")) as { bans: { subject: string }[] }).bans;
  for (let n = 1; n <= 20; n++) {
    await client.ban(`20.2.2.${n}`);
    assert.ok((await saved()).some(({ subject }) => subject === `20.2.2.${n}`));
  }
  await client.unban("20.2.2.7");
  assert.ok(!(await saved()).some(({ subject }) => subject === "20.2.2.7"));
  // Nothing can be put in its place.
  await rm(file);
  await mkdir(join(file, "x"), { recursive: true });
  await assert.rejects(client.ban("20.3.3.3"), {
    code: "BANS_NOT_SAVED",
    status: 500,
    message: /20\.3\.3\.3 is banned, but/,
  });
  assert.ok(
    (await client.bans()).items.some(({ subject }) => subject === "20.3.3.3"),
    "it is in force",
  );
  for (const _ of [1, 2]) await assert.rejects(client.unban("20.2.2.1"), { code: "BANS_NOT_SAVED" });
  await rm(file, { recursive: true });
  await client.unban("20.2.2.1");
  assert.ok((await saved()).every(({ subject }) => subject !== "20.2.2.1"));
});

test("unban redials at once; what cannot be banned says why; the list comes in pages", async (t) => {
  const { start } = await setUp(t);
  const { client, peer } = await start();
  const one = await friend(t);
  for (const ip of ["20.1.1.1", "20.1.1.2", "2001:db8::1"]) await client.ban(ip);
  await client.ban("/ip4/20.1.1.3/tcp/4001");
  const pages: string[][] = [];
  for (let after: string | null = ""; after !== null; ) {
    const page = await client.bans({ limit: 3, ...(after === "" ? {} : { after }) });
    pages.push(page.items.map(({ subject }) => subject));
    after = page.next;
  }
  assert.deepEqual(pages, [["20.1.1.1", "20.1.1.2", "20.1.1.3"], ["2001:db8::1"]]);
  const tunnel = "2002:102:304::1";
  assert.equal(
    (await client.ban(`/ip6/${tunnel}/tcp/4001`)).subject,
    tunnel,
    "nobody dials it, it may dial us",
  );
  for (const [subject, code] of [
    ["everybody", "PEER_INVALID"],
    [peer, "PEER_INVALID"],
    ["127.0.0.1", "ADDRESS_LOCAL"],
    ["/ip4/192.168.1.1/tcp/4001", "ADDRESS_LOCAL"],
    ["::1", "ADDRESS_LOCAL"],
    ["0.0.0.0", "ADDRESS_LOCAL"],
  ] as const)
    await assert.rejects(client.ban(subject), { code, status: 400 }, subject);
  for (const wrong of [
    { forMs: 1 },
    { forMs: 1e12 },
    { reason: "" },
    { reason: "two\nlines" },
    { reason: "x".repeat(201) },
  ])
    await assert.rejects(client.ban("20.1.1.1", wrong), { code: "REQUEST_INVALID", status: 400 });
  await client.addPeer(one.address);
  await client.ban(one.name);
  assert.deepEqual(await client.unban(one.name), { done: true });
  assert.deepEqual(await client.unban(one.name), { done: false });
  await poll("it is connected", async () => (await client.status()).peers === 1);
});
