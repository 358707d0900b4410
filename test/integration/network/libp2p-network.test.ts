import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2pNetwork, type Libp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import {
  createManualClock,
  createManualTimers,
  silentLogger,
  type Timers,
} from "../../../src/ports/index.ts";
import { createHostilePeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/until.ts";

const TOPIC = "/cumulo/test/messages/1";
const running: Libp2pNetwork[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((network) => network.stop()));
});

function createCountingTimers(): Timers & { readonly pending: number } {
  const timers = createSystemTimers();
  const pending = new Set<number>();
  return {
    get pending() {
      return pending.size;
    },
    set(delayMs, callback) {
      const timer = timers.set(delayMs, () => {
        pending.delete(timer.id);
        callback();
      });
      pending.add(timer.id);
      return timer;
    },
    clear(timer) {
      pending.delete(timer.id);
      timers.clear(timer);
    },
  };
}

async function create(listen = "/ip4/127.0.0.1/tcp/0", timers: Timers = createSystemTimers()) {
  const deps = { clock: createSystemClock(), timers, random: createSystemRandom(), logger: silentLogger };
  const network = await createLibp2pNetwork(deps, { privateKeySeed: randomBytes(32), listen: [listen] });
  network.subscribe(TOPIC, 1_000, async () => "accept");
  running.push(network);
  return network;
}

async function started(timers?: Timers) {
  const network = await create(undefined, timers);
  await network.start();
  return network;
}

const addressOf = (network: Libp2pNetwork) => network.addresses()[0] ?? "";
const knows = (a: Libp2pNetwork, b: Libp2pNetwork) => a.connections().some(({ peer }) => peer === b.self);

test("the same seed gives the same name, before the start and after", async () => {
  const deps = {
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandom(),
    logger: silentLogger,
  };
  const options = { privateKeySeed: new Uint8Array(32).fill(1), listen: [] };
  const [first, second] = [
    await createLibp2pNetwork(deps, options),
    await createLibp2pNetwork(deps, options),
  ];
  assert.equal(first.self, second.self);
  assert.match(first.self, /^12D3Koo/);
});

test("a busy port is an error that names it, and the network can be started elsewhere in time", async () => {
  const first = await started();
  const port = /\/tcp\/(\d+)\//.exec(addressOf(first))?.[1] ?? "";
  const second = await create(`/ip4/127.0.0.1/tcp/${port}`);
  await assert.rejects(second.start(), (error: Error & { code?: unknown }) => {
    assert.equal(error.code, "NETWORK_PORT_BUSY");
    assert.match(error.message, new RegExp(`127.0.0.1:${port}`));
    return true;
  });
  await first.stop();
  await second.start();
  assert.ok(addressOf(second).includes(`/tcp/${port}/`));
});

test("a network that stopped can be started again under the same name", async () => {
  const [a, b] = [await started(), await started()];
  await a.stop();
  await a.start();
  await b.dial(addressOf(a));
  await until("both know", () => knows(a, b) && knows(b, a));
});

test("an address that names another peer is not connected to", async () => {
  const [a, b, c] = [await started(), await started(), await started()];
  const wrong = addressOf(b).replace(b.self, c.self);
  const expected = {
    code: "NETWORK_OTHER_PEER",
    message: new RegExp(`another peer answers .*: ${b.self};`),
  };
  await assert.rejects(a.dial(wrong), expected);
  assert.deepEqual(a.connections(), []);
});

test("its own address without its name is told to be its own", async () => {
  const a = await started();
  const own = addressOf(a).replace(/\/p2p\/.*/, "");
  await assert.rejects(a.dial(own), {
    code: "NETWORK_ADDRESS_INVALID",
    message: `${own} is this node itself`,
  });
});

test("where something else listens, or nobody, the operator is told so in words", async (t) => {
  const a = await started();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const address = `/ip4/127.0.0.1/tcp/${port}`;
  await assert.rejects(a.dial(address), { code: "NETWORK_DIAL_FAILED", message: /is no node/ });
  server.close();
  await assert.rejects(a.dial(address), {
    code: "NETWORK_DIAL_FAILED",
    message: `no connection to ${address}: nobody listens there`,
  });
});

test("an address without a name is dialled, and the peer named", async () => {
  const [a, b] = [await started(), await started()];
  assert.equal(await a.dial(addressOf(b).replace(/\/p2p\/.*/, "")), b.self);
});

test("two peers that dial each other at once end up connected and gossip reaches both", async () => {
  const [a, b] = [await started(), await started()];
  const received = new Set<string>();
  const c = await create();
  c.subscribe(TOPIC, 1_000, async (from) => {
    received.add(from);
    return "accept";
  });
  await c.start();
  for (const other of [a, b]) {
    await Promise.all([c.dial(addressOf(other)), other.dial(addressOf(c))]);
    await until("both know", () => knows(c, other) && knows(other, c));
  }
  let attempt = 0;
  await until("both were heard", () => {
    if (received.has(a.self) && received.has(b.self)) return true;
    if (attempt++ % 20 === 0) for (const other of [a, b]) void other.publish(TOPIC, randomBytes(20));
    return false;
  });
  await c.refuse(a.self);
  await until("every connection is cut", () => !knows(c, a) && !knows(a, c));
  assert.ok(knows(c, b));
});

test("a peer that stays away is forgotten, one that comes back is not waited for", async () => {
  const timers = createManualTimers(createManualClock());
  const [a, b] = [await started(timers), await started()];
  const remembers = async () => (await a.rememberedPeers()).includes(b.self);
  await b.dial(addressOf(a));
  await until("they are connected", () => knows(a, b));
  const pending = timers.pending;
  await b.disconnect(a.self, "for the test");
  await until("a let go", () => !knows(a, b));
  timers.advance(29_999);
  assert.ok(await remembers());
  await b.dial(addressOf(a));
  await until("they are connected again", () => knows(a, b));
  assert.equal(timers.pending, pending);
  await b.disconnect(a.self, "for the test");
  await until("a let go again", () => !knows(a, b));
  timers.advance(30_000);
  await until("a forgot", async () => !(await remembers()));
});

test("a peer that was never announced is forgotten too", async (t) => {
  const timers = createManualTimers(createManualClock());
  const a = await started(timers);
  const nameless = await createHostilePeer({ identifies: false });
  t.after(() => nameless.stop());
  const connection = await nameless.dial(multiaddr(addressOf(a)));
  const stream = await connection.newStream("/ipfs/ping/1.0.0");
  stream.send(randomBytes(32));
  const name = nameless.peerId.toString();
  await until("a remembers it", async () => (await a.rememberedPeers()).includes(name));
  assert.deepEqual(a.connections(), []);
  connection.abort(new Error("for the test"));
  await until("a forgot", async () => {
    timers.advance(30_000);
    return !(await a.rememberedPeers()).includes(name);
  });
});

test("25 nodes of one host may connect to one in the same second", async () => {
  const hub = await started();
  const others = await Promise.all(Array.from({ length: 25 }, () => started()));
  await Promise.all(others.map((other) => other.dial(addressOf(hub))));
  await until("the hub knows them all", () => hub.connections().length === 25);
});

/** Timers made from now on that keep the process alive. Each by itself: those of other tests come and go meanwhile. */
function watchTimers(t: TestContext): () => number {
  const timers = new Map<number, NodeJS.Timeout>();
  const hook = createHook({
    init(id, type, _, timer) {
      if (type === "Timeout") timers.set(id, timer as NodeJS.Timeout);
    },
    destroy: (id) => timers.delete(id),
  });
  t.after(() => hook.disable());
  hook.enable();
  return () => [...timers.values()].filter((timer) => timer.hasRef()).length;
}

test("networks that stopped leave no timer that would keep their process alive", async (t) => {
  const timersLeft = watchTimers(t);
  const [a, b] = [await started(), await started()];
  // Timers end in their order: gossip's first heartbeat, 100 ms after its start, is over, and the next one a second away.
  const beats = pause(150);
  await b.dial(addressOf(a));
  await until("both know", () => knows(a, b) && knows(b, a));
  await beats;
  await Promise.all([a.stop(), b.stop()]);
  // And so do those of a few milliseconds before this one.
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
  }, 150).unref();
  while (!isLate && timersLeft() > 0) await new Promise((resolve) => setImmediate(resolve));
  clearTimeout(late);
  assert.equal(timersLeft(), 0);
});

test("200 connects and disconnects leave nothing behind", { timeout: 60_000 }, async () => {
  const timers = createCountingTimers();
  const [a, b] = [await started(timers), await started()];
  const connects = { a: 0, b: 0 };
  const disconnects = { a: 0, b: 0 };
  a.on("connect", () => connects.a++);
  b.on("connect", () => connects.b++);
  a.on("disconnect", () => disconnects.a++);
  b.on("disconnect", () => disconnects.b++);
  for (let cycle = 0; cycle < 200; cycle++) {
    const [from, to] = cycle % 2 === 0 ? [a, b] : [b, a];
    await from.dial(addressOf(to));
    await until("both know", () => knows(a, b) && knows(b, a));
    await (cycle % 3 === 0 ? to : from).disconnect((cycle % 3 === 0 ? from : to).self, "for the test");
    await until("both let go", () => !knows(a, b) && !knows(b, a));
  }
  assert.deepEqual(connects, { a: 200, b: 200 });
  assert.deepEqual(disconnects, { a: 200, b: 200 });
  await until("gossip forgot the peer", () => a.gossipPeers().length === 0 && b.gossipPeers().length === 0);
  // The one that remembers to forget the peer.
  assert.ok(timers.pending <= 1, `${timers.pending} timers are pending`);
  await a.stop();
  assert.equal(timers.pending, 0);
});

test("a connection that ends while gossip is starting leaves the next one with gossip both ways", async () => {
  const heard = { a: 0, b: 0 };
  const [a, b] = [await create(), await create()];
  a.subscribe(TOPIC, 1_000, async () => {
    heard.a++;
    return "accept";
  });
  b.subscribe(TOPIC, 1_000, async () => {
    heard.b++;
    return "accept";
  });
  await a.start();
  await b.start();
  for (let round = 0; round < 40; round++) {
    await b.dial(addressOf(a));
    // Somewhere in the few milliseconds in which the streams are opened.
    for (let turn = 0; turn < round % 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    await (round % 2 === 0 ? a.refuse(b.self) : b.refuse(a.self));
    a.allow(b.self);
    b.allow(a.self);
    await until("both let go", () => !knows(a, b) && !knows(b, a));
    if (round % 4 !== 3) continue;
    await b.dial(addressOf(a));
    Object.assign(heard, { a: 0, b: 0 });
    let attempt = 0;
    await until(`both were heard after round ${round}`, () => {
      if (heard.a > 0 && heard.b > 0) return true;
      if (attempt++ % 10 === 0) for (const node of [a, b]) void node.publish(TOPIC, randomBytes(20));
      return false;
    });
    await b.disconnect(a.self, "for the test");
    await until("both let go", () => !knows(a, b) && !knows(b, a));
  }
});
