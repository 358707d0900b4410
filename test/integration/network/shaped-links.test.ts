import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger, MultiaddrConnection, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createConditioner } from "../../../src/network/conditioner.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { until } from "../../support/until.ts";

const deps = { clock: createSystemClock(), timers: createSystemTimers(), random: createSystemRandom() };
const silent: Logger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => silent,
});
const PEER = "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT";
const REPLACED = ["sendData", "sendClose", "sendPause", "sendResume", "onData", "onTransportClosed"];
const ownMethods = (connection: object) => REPLACED.filter((name) => Object.hasOwn(connection, name));
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp();
});

/** What dials a server of this process through a conditioner's transport, without noise above it. */
async function prepare() {
  const conditioner = createConditioner(deps);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => server.close());
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const logger = { forComponent: () => silent };
  const transport = conditioner.transport({ logger });
  const address = multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${PEER}`);
  const upgrader = { upgradeOutbound: async (connection: MultiaddrConnection) => connection };
  const dial = async (signal: AbortSignal) => {
    const options = { upgrader: upgrader as unknown as Upgrader, signal };
    return (await transport.dial(address, options)) as unknown as MultiaddrConnection;
  };
  return { conditioner, accepted, dial };
}

/** A TCP connection, and the plain socket at its other end. */
async function connect() {
  const { conditioner, accepted, dial } = await prepare();
  const connection = await dial(AbortSignal.timeout(5_000));
  const [socket] = await accepted;
  conditioner.named(connection, PEER);
  cleanups.push(() => {
    connection.abort(new Error("the test is over"));
    socket.destroy();
  });
  const read: Buffer[] = [];
  connection.addEventListener("message", ({ data }) => read.push(Buffer.from(data.subarray())));
  const received: Buffer[] = [];
  socket.on("data", (data) => received.push(data));
  return {
    conditioner,
    connection,
    socket,
    /** What came out at either end so far. */
    read: () => Buffer.concat(read),
    received: () => Buffer.concat(received),
  };
}

test("bytes come whole and in order through delay, jitter, loss and a bandwidth, both ways", async () => {
  const { conditioner, connection, socket, read, received } = await connect();
  const shape = { delayMs: 20, jitterMs: 20, lossRatio: 0.005, bytesPerSecond: 2_000_000 };
  conditioner.shape(PEER, { out: shape, in: shape });
  const sent = randomBytes(400_000);
  for (let at = 0; at < sent.length; at += 10_000) {
    connection.send(sent.subarray(at, at + 10_000));
    socket.write(sent.subarray(at, at + 10_000));
  }
  await until("all is there", () => received().length + read().length === 800_000, 20_000);
  assert.ok(received().equals(sent) && read().equals(sent));
});

test("a bandwidth is kept, in either direction", async () => {
  const { conditioner, connection, socket, read, received } = await connect();
  conditioner.shape(PEER, { out: { bytesPerSecond: 200_000 }, in: { bytesPerSecond: 200_000 } });
  const startMs = performance.now();
  connection.send(new Uint8Array(100_000));
  await until("all is sent", () => received().length === 100_000);
  assert.ok(performance.now() - startMs >= 499);
  socket.write(new Uint8Array(100_000));
  await until("all is read", () => read().length === 100_000);
  assert.ok(performance.now() - startMs >= 998);
});

test("a dead line takes a socket's buffer and then makes its sender wait; healed, it delivers all", async () => {
  const { conditioner, connection, received } = await connect();
  conditioner.shape(PEER, { out: { blackhole: true } });
  const sent = randomBytes(1_000_000);
  assert.equal(connection.send(sent.subarray(0, 100_000)), true);
  assert.equal(connection.send(sent.subarray(100_000)), false);
  assert.equal(connection.writeBufferLength, sent.length - 256 * 1024);
  const drained = connection.onDrain();
  conditioner.shape(PEER, undefined);
  await drained;
  await until("all is there", () => received().length === sent.length);
  assert.ok(received().equals(sent));
  assert.deepEqual(ownMethods(connection), []);
});

test("whoever sends into a dead line is stalled by it; healed, all that was sent is read", async () => {
  const { conditioner, socket, read } = await connect();
  conditioner.shape(PEER, { in: { blackhole: true } });
  const block = randomBytes(1024 * 1024);
  let blocks = 0;
  // The systems' own buffers lie between: some megabytes, and then nothing is taken any more.
  while (blocks < 64) {
    blocks++;
    if (socket.write(block)) continue;
    const taken = await Promise.race([once(socket, "drain"), pause(300, "stalled")]);
    if (taken === "stalled") break;
  }
  assert.ok(blocks < 64, "64 MiB went into a dead line");
  assert.equal(read().length, 0);
  conditioner.shape(PEER, undefined);
  await until("all is read", () => read().length === blocks * block.length, 20_000);
  for (let i = 0; i < blocks; i++)
    assert.ok(
      read()
        .subarray(i * block.length, (i + 1) * block.length)
        .equals(block),
    );
});

test("the end of the peer comes after all that it sent, and over a dead line not at all", async () => {
  const { conditioner, connection, socket, read } = await connect();
  conditioner.shape(PEER, { in: { delayMs: 100 } });
  socket.write("last words");
  await until("they are under way", () => socket.bytesWritten === 10);
  conditioner.shape(PEER, { in: { blackhole: true } });
  socket.end();
  await once(socket, "finish");
  await pause(50);
  assert.deepEqual([connection.status, read().length], ["open", 0]);
  conditioner.shape(PEER, undefined);
  await until("it has ended", () => connection.status === "closed");
  assert.equal(read().toString(), "last words");
});

test("closing waits until what was sent is with the socket, an abort for nothing", async () => {
  const first = await connect();
  first.conditioner.shape(PEER, { out: { delayMs: 100 } });
  first.connection.send(Buffer.from("last words"));
  await first.connection.close({ signal: AbortSignal.timeout(5_000) });
  await until("the other end has them", () => first.received().toString() === "last words");

  const second = await connect();
  second.conditioner.shape(PEER, { out: { blackhole: true } });
  second.connection.send(Buffer.from("never heard"));
  await assert.rejects(second.connection.close({ signal: AbortSignal.timeout(50) }));
  second.socket.on("error", () => {});
  second.connection.abort(new Error("enough"));
  await until("the other end is cut", () => second.socket.destroyed);
  assert.equal(second.received().length, 0);
});

test("a connection that is whole has the methods of its class, which are those that shaping replaces", async () => {
  const { conditioner, connection, socket, received } = await connect();
  for (const name of REPLACED)
    assert.equal(typeof (connection as unknown as Record<string, unknown>)[name], "function", name);
  assert.deepEqual(ownMethods(connection), []);
  conditioner.shape(PEER, { out: { delayMs: 10 } });
  assert.deepEqual(ownMethods(connection), REPLACED);
  connection.send(Buffer.from("x"));
  conditioner.shape(PEER, undefined);
  assert.deepEqual(ownMethods(connection), []);
  await until("what was held is there", () => received().toString() === "x");
  socket.end("y");
  await until("the end is seen", () => connection.status === "closed");
});

test("one that reads nothing gets nothing, and what is due waits in the line", async () => {
  const { conditioner, connection, socket, read } = await connect();
  conditioner.shape(PEER, { in: { delayMs: 300 } });
  socket.write(new Uint8Array(200_000));
  await pause(100);
  connection.pause();
  await pause(400);
  assert.deepEqual([read().length, connection.readBufferLength], [0, 0]);
  connection.resume();
  await until("all is read", () => read().length === 200_000);
});

test("one that pauses again at what had come before gets no more, though it was told to resume", async () => {
  const { conditioner, connection, socket, read } = await connect();
  conditioner.shape(PEER, { in: { delayMs: 1 } });
  connection.push(Buffer.from("before"));
  connection.pause();
  socket.write("after");
  await pause(50);
  connection.addEventListener("message", () => connection.pause(), { once: true });
  connection.resume();
  await pause(50);
  assert.equal(read().toString(), "before");
  assert.equal(connection.readBufferLength, 0, "the rest waits in the line");
  connection.resume();
  await until("the rest is read", () => read().toString() === "beforeafter");
});

test("a dial into a dead line reaches nobody until it lives, and can be given up", async () => {
  const { conditioner, accepted, dial } = await prepare();
  for (const shapes of [{ out: { blackhole: true } }, { in: { lossRatio: 1 } }]) {
    conditioner.shape(PEER, shapes);
    await assert.rejects(dial(AbortSignal.timeout(50)), { name: "TimeoutError" });
  }
  const dialled = dial(AbortSignal.timeout(5_000));
  assert.equal(await Promise.race([accepted, pause(100, "nobody came")]), "nobody came");
  conditioner.shape(PEER, { out: { delayMs: 1 } });
  const connection = await dialled;
  const [socket] = await accepted;
  connection.abort(new Error("the test is over"));
  socket.destroy();
});

test("the bytes of a connection with a peer are counted both ways, and stay when it is gone", async () => {
  const { conditioner, connection, socket, read } = await connect();
  connection.send(randomBytes(3_000));
  socket.write(randomBytes(2_000));
  await until("both arrive", () => read().length === 2_000 && conditioner.bytes().out === 3_000);
  assert.deepEqual(conditioner.bytes(), { in: 2_000, out: 3_000 });
  connection.abort(new Error("enough"));
  await until("it is gone", () => connection.status !== "open");
  assert.deepEqual(conditioner.bytes(), { in: 2_000, out: 3_000 });
});
