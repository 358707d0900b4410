import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Libp2p } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import {
  createLibp2pNetwork,
  type Libp2pNetwork,
  type Libp2pNetworkOptions,
} from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { createHostilePeer, type HostilePeerOptions } from "../../support/hostile-peer.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { until } from "../../support/until.ts";

/** A network with few slots, a clock that can be put forward, and the reasons why it denied connections. */
async function host(t: TestContext, options: Partial<Libp2pNetworkOptions>) {
  const logger = createRecordingLogger();
  const system = createSystemClock();
  let aheadMs = 0;
  const clock = { nowMs: () => system.nowMs(), monotonicMs: () => system.monotonicMs() + aheadMs };
  const network = await createLibp2pNetwork(
    { clock, timers: createSystemTimers(), random: createSystemRandom(), logger },
    { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"], countsLocal: true, ...options },
  );
  await network.start();
  t.after(() => network.stop());
  const denials = () =>
    logger.lines.filter(({ message }) => message === "a connection was denied").map(({ reason }) => reason);
  return { network, denials, putForward: (ms: number) => (aheadMs += ms) };
}

async function stranger(t: TestContext, options?: HostilePeerOptions): Promise<Libp2p> {
  const peer = await createHostilePeer(options);
  t.after(() => peer.stop());
  return peer;
}

/** Dials, and leaves it to the test to see how that ended: a denial may show as a failure or as a loss. */
async function knock(peer: Libp2p, network: Libp2pNetwork): Promise<void> {
  await peer.dial(multiaddr(network.addresses()[0])).catch(() => {});
}

/** Knocks until it is in: a dial may still find the connection that was denied just now, and no new one is made. */
const comesIn = (what: string, peer: Libp2p, network: Libp2pNetwork) =>
  until(`${what} is in`, async () => {
    if (!isIn(peer, network)) await knock(peer, network);
    return isIn(peer, network);
  });

const isIn = (peer: Libp2p, network: Libp2pNetwork) =>
  network.connections().some((connection) => connection.peer === peer.peerId.toString());

test("one address gets so many slots and no more, and a debug line says why", async (t) => {
  const { network, denials } = await host(t, { maxInboundPerIp: 2 });
  const peers = [await stranger(t), await stranger(t), await stranger(t)];
  for (const peer of peers.slice(0, 2)) {
    await comesIn("it", peer, network);
  }
  await knock(peers[2] as Libp2p, network);
  await until("the third is denied", () => denials().length === 1);
  assert.deepEqual(denials(), ["too many connections from one address"]);
  assert.deepEqual(
    peers.map((peer) => isIn(peer, network)),
    [true, true, false],
  );
});

test("a slot that was left is free again after a rest, so that who was cut is not back at once", async (t) => {
  const { network, denials, putForward } = await host(t, { maxInboundPerIp: 1 });
  const [first, second] = [await stranger(t), await stranger(t)];
  await knock(first, network);
  await until("the first is in", () => isIn(first, network));
  await network.disconnect(first.peerId.toString(), "for the test");
  await until("the first is gone", () => !isIn(first, network) && first.getConnections().length === 0);
  await knock(second, network);
  await until("the second is denied", () => denials().length === 1);
  putForward(10_001);
  // The slot rests from when its connection has ended on this side too, which may be after the peer's.
  await until("the second is in", async () => {
    putForward(10_001);
    await knock(second, network);
    return isIn(second, network);
  });
});

test("connections of one address that never say who they are take no more than its slots", async (t) => {
  const { network, denials } = await host(t, { maxInboundPerIp: 3 });
  const port = Number(/\/tcp\/(\d+)/.exec(network.addresses()[0] ?? "")?.[1]);
  const sockets = Array.from({ length: 5 }, () => connect(port, "127.0.0.1"));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on("error", () => {});
  await until("two are denied", () => denials().length === 2);
  assert.deepEqual(new Set(denials()), new Set(["too many handshakes from one address"]));
  for (const socket of sockets) socket.destroy();
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, "close")));
  const peer = await stranger(t);
  await comesIn("a stranger that finds the slots free again", peer, network);
});

test("a peer that is wanted comes in when strangers hold every slot, and nobody is cut for it", async (t) => {
  const friend = await stranger(t);
  const wanted = new Set<string>();
  const { network, denials } = await host(t, {
    maxInbound: 2,
    maxInboundPerIp: 2,
    wanted: () => wanted,
  });
  const strangers = [await stranger(t), await stranger(t)];
  for (const peer of strangers) {
    await comesIn("it", peer, network);
  }
  await knock(friend, network);
  await until("a stranger finds no slot", () => denials().length === 1);
  assert.deepEqual(denials(), ["all slots for strangers are taken"]);
  wanted.add(friend.peerId.toString());
  await comesIn("the wanted peer", friend, network);
  assert.ok(strangers.every((peer) => isIn(peer, network)));
});

test("a peer that becomes wanted leaves its slot to strangers", async (t) => {
  const wanted = new Set<string>();
  const { network } = await host(t, { maxInbound: 1, wanted: () => wanted });
  const [friend, other] = [await stranger(t), await stranger(t)];
  await comesIn("the first", friend, network);
  wanted.add(friend.peerId.toString());
  await comesIn("the other", other, network);
  assert.ok(isIn(friend, network));
});

test("one peer opens four connections at most, however fast", async (t) => {
  const { network, denials } = await host(t, { countsLocal: false });
  const privateKey = await generateKeyPair("Ed25519");
  const sameName = await Promise.all(Array.from({ length: 7 }, () => stranger(t, { privateKey })));
  await Promise.all(sameName.map((peer) => knock(peer, network)));
  await until("three are denied", () => denials().length === 3);
  assert.deepEqual(new Set(denials()), new Set(["too many connections of one peer"]));
});

test("who is banned neither comes in nor is dialled, by name or by address, and does both once the ban is over", async (t) => {
  const banned = new Set<string>();
  const { network, denials } = await host(t, { isBanned: (subject) => banned.has(subject) });
  const peer = await stranger(t);
  const address = peer.getMultiaddrs()[0]?.toString() ?? "";
  for (const subject of [peer.peerId.toString(), "127.0.0.1"]) {
    banned.add(subject);
    const before = denials().length;
    // A dial may still find the connection that was denied just now, or that came in between two bans.
    await until(`${subject} is denied`, async () => {
      await network.disconnect(peer.peerId.toString(), "for the test");
      await knock(peer, network);
      return denials().length > before;
    });
    assert.equal(denials().at(-1), "banned");
    await assert.rejects(network.dial(address), { code: "NETWORK_REFUSED" });
    assert.equal(isIn(peer, network), false);
    banned.clear();
  }
  await comesIn("it", peer, network);
  await network.disconnect(peer.peerId.toString(), "for the test");
  await until("it is gone", () => peer.getConnections().length === 0);
  assert.equal(await network.dial(address), peer.peerId.toString());
});
