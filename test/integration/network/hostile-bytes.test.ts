import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, test } from "node:test";
import type { Libp2p, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { encodeLength } from "../../../src/network/frames.ts";
import { createLibp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import type { GossipValidator, Network, RequestLimits } from "../../../src/ports/index.ts";
import { createHostilePeer, gossipFrame } from "../../support/hostile-peer.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { until } from "../../support/until.ts";

const PROTOCOL = "/cumulo/test/echo/1";
const TOPIC = "/cumulo/test/messages/1";
const GOSSIP = "/meshsub/1.2.0";
const LIMITS: RequestLimits = {
  maxRequestBytes: 1_000,
  maxResponseBytes: 1_000,
  firstByteTimeoutMs: 300,
  totalTimeoutMs: 600,
};

const stopping: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((each) => each.stop()));
});

interface Meeting {
  readonly handler?: (request: Uint8Array) => Promise<Uint8Array>;
  readonly validate?: GossipValidator;
}

async function meet({ handler = async (request) => request, validate = async () => "accept" }: Meeting = {}) {
  const logger = createRecordingLogger();
  const deps = {
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandom(),
    logger,
  };
  const network = await createLibp2pNetwork(deps, {
    privateKeySeed: randomBytes(32),
    listen: ["/ip4/127.0.0.1/tcp/0"],
  });
  let handled = 0;
  network.handle(PROTOCOL, LIMITS, async (_from, request) => {
    handled++;
    return [await handler(request)];
  });
  network.subscribe(TOPIC, 1_000, validate);
  await network.start();
  const hostile = await createHostilePeer();
  stopping.push(network, hostile);
  const connection = await hostile.dial(multiaddr(network.addresses()[0]));
  const name = hostile.peerId.toString();
  await until("we know the peer", () => network.connections().some(({ peer }) => peer === name));
  return { network, hostile, connection, name, lines: logger.lines, handledCount: () => handled };
}

const isGone = (network: Network) => () => network.connections().length === 0;

async function answerOf(stream: Stream): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of stream) bytes.push(...chunk.subarray());
  return bytes;
}

for (const [what, frame, reason] of [
  ["a claimed length above the limit", Uint8Array.of(0xff, 0xff, 0x7f), "oversize request"],
  ["a length that never ends", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff), "malformed request"],
  ["a length in a longer form than needed", Uint8Array.of(0x81, 0x00, 1), "malformed request"],
  ["more bytes than the length says", Uint8Array.of(1, 1, 1), "malformed request"],
] as const) {
  test(`${what} costs the connection, and the log says why`, async () => {
    const { network, connection, name, lines, handledCount } = await meet();
    const stream = await connection.newStream(PROTOCOL);
    stream.send(frame);
    await until("the peer is dropped", isGone(network));
    assert.equal(handledCount(), 0);
    const line = lines.find(({ level, peer }) => level === "warn" && peer === name);
    assert.equal(line?.["reason"], reason);
  });
}

test("a request that is cut off by its sender costs the connection", async () => {
  const { network, connection } = await meet();
  const stream = await connection.newStream(PROTOCOL);
  stream.send(Uint8Array.of(10, 1, 2, 3));
  await stream.close();
  await until("the peer is dropped", isGone(network));
});

test("bytes after the request that come while it is being answered cost the connection", async () => {
  const asked = Promise.withResolvers<void>();
  const { network, connection, lines } = await meet({
    handler: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const stream = await connection.newStream(PROTOCOL);
  stream.send(Uint8Array.of(1, 1));
  await asked.promise;
  stream.send(Uint8Array.of(1));
  await until("the peer is dropped", isGone(network));
  assert.ok(lines.some(({ level, reason }) => level === "warn" && reason === "malformed request"));
});

test("bytes after the request that come when it was answered cost the connection", async () => {
  const { network, connection, lines } = await meet();
  const stream = await connection.newStream(PROTOCOL);
  stream.addEventListener("message", () => stream.send(Uint8Array.of(1)), { once: true });
  stream.send(Uint8Array.of(1, 1));
  await until("the peer is dropped", isGone(network));
  assert.ok(lines.some(({ level, reason }) => level === "warn" && reason === "malformed request"));
});

test("bytes after the response cost the connection, and the response is good", async () => {
  const { network, hostile, name, lines } = await meet();
  const streams: Stream[] = [];
  await serveHostile(hostile, (stream) => {
    streams.push(stream);
    stream.send(Uint8Array.of(1, 7));
  });
  const response = await network.request(name, PROTOCOL, Uint8Array.of(1), LIMITS);
  assert.deepEqual([...response], [7]);
  streams[0]?.send(Uint8Array.of(1));
  await until("the peer is dropped", isGone(network));
  assert.ok(lines.some(({ level, reason }) => level === "warn" && reason === "malformed response"));
});

test("a peer that has not said what it speaks is cut for a fault like any other", async (t) => {
  const { network, lines } = await meet();
  const nameless = await createHostilePeer({ identifies: false });
  t.after(() => nameless.stop());
  const connection = await nameless.dial(multiaddr(network.addresses()[0]));
  const stream = await connection.newStream(PROTOCOL);
  stream.send(Uint8Array.of(0xff, 0xff, 0x7f));
  const nameOf = nameless.peerId.toString();
  await until("the log says why", () =>
    lines.some(({ peer, reason }) => peer === nameOf && reason === "oversize request"),
  );
  await until("it is cut", () => nameless.getConnections().length === 0);
});

test("a request that trickles is dropped at the deadline, and the peer keeps its connection", async () => {
  const { network, connection, handledCount } = await meet();
  const stream = await connection.newStream(PROTOCOL);
  let ended = false;
  stream.addEventListener("close", () => (ended = true));
  stream.send(encodeLength(500));
  const startMs = performance.now();
  await until("the stream is dropped", () => {
    if (!ended && stream.writeStatus === "writable") stream.send(Uint8Array.of(1));
    return ended;
  });
  assert.ok(performance.now() - startMs < 2_000);
  assert.equal(handledCount(), 0);
  assert.equal(network.connections().length, 1);
});

test("half-open streams are dropped at the deadline, however many, and honest requests are answered again", async () => {
  const { network, connection } = await meet();
  const streams = await Promise.all(Array.from({ length: 30 }, () => connection.newStream(PROTOCOL)));
  await until("all are closed", () => streams.every(({ status }) => status !== "open"));
  const stream = await connection.newStream(PROTOCOL);
  stream.send(Uint8Array.of(2, 7, 8));
  await stream.close();
  assert.deepEqual(await answerOf(stream), [2, 7, 8]);
  assert.equal(network.connections().length, 1);
});

async function serveHostile(hostile: Libp2p, answer: (stream: Stream) => void): Promise<void> {
  await hostile.handle(PROTOCOL, (stream) => answer(stream));
}

for (const [what, answer, code, stays] of [
  ["an oversize response", (s: Stream) => s.send(Uint8Array.of(0xff, 0x7f)), "NETWORK_OVERSIZE", false],
  ["a malformed response", (s: Stream) => s.send(Uint8Array.of(1, 2, 3)), "NETWORK_MALFORMED", false],
  ["an empty answer", (s: Stream) => void s.close(), "NETWORK_REFUSED", true],
  ["silence", () => {}, "NETWORK_TIMEOUT", true],
  ["a response that trickles", (s: Stream) => s.send(Uint8Array.of(100, 1)), "NETWORK_TIMEOUT", true],
] as const) {
  test(`${what} fails the request as ${code}${stays ? "" : " and costs the connection"}`, async () => {
    const { network, hostile, name } = await meet();
    await serveHostile(hostile, answer);
    const asked = network.request(name, PROTOCOL, Uint8Array.of(1), LIMITS);
    await assert.rejects(asked, (error) => (error as { code?: unknown }).code === code);
    if (!stays) await until("the peer is dropped", isGone(network));
    assert.equal(network.connections().length, stays ? 1 : 0);
  });
}

test("gossip that cannot be read as frames costs the connection instead of leaving it deaf", async () => {
  const { network, connection, lines } = await meet();
  const stream = await connection.newStream(GOSSIP);
  stream.send(encodeLength(5 * 1024 * 1024));
  await until("the peer is dropped", isGone(network));
  assert.ok(lines.some(({ level, reason }) => level === "warn" && reason === "unreadable gossip"));
});

test("gossip that ends in the middle of a frame ends the connection, and nobody is blamed", async () => {
  const { network, connection, lines } = await meet();
  const stream = await connection.newStream(GOSSIP);
  stream.send(Uint8Array.of(100, 1, 2, 3));
  await stream.close();
  await until("the connection ends", isGone(network));
  assert.deepEqual(
    lines.filter(({ level }) => level === "warn" || level === "error"),
    [],
  );
});

test("a gossip message above the topic's limit costs the connection", async () => {
  const { network, connection, lines } = await meet();
  const stream = await connection.newStream(GOSSIP);
  stream.send(gossipFrame(TOPIC, new Uint8Array(1_001)));
  await until("the peer is dropped", isGone(network));
  assert.ok(lines.some(({ level, reason }) => level === "warn" && reason === "oversize gossip"));
});

test("gossip of topics nobody joined, and of nonsense, is passed over", async () => {
  const { network, connection, hostile } = await meet();
  const stream = await connection.newStream(GOSSIP);
  for (let index = 0; index < 100; index++) stream.send(gossipFrame(`/nobody/${index}`, randomBytes(100)));
  stream.send(Uint8Array.of(5, 0xff, 0xff, 0xff, 0xff, 0xff));
  // Answered after the frames before it were read, for they share one connection.
  const request = await connection.newStream(PROTOCOL);
  request.send(Uint8Array.of(1, 9));
  await request.close();
  assert.deepEqual(await answerOf(request), [1, 9]);
  assert.equal(network.connections().length, 1);
  assert.ok(hostile.getPeers().some((peer) => peer.equals(peerIdFromString(network.self))));
});

test("one peer's messages that wait for a verdict are bounded, and those of another are judged all the same", async (t) => {
  const judged = new Map<string, number>();
  const { network, connection, name, lines } = await meet({
    validate(from) {
      judged.set(from, (judged.get(from) ?? 0) + 1);
      return new Promise(() => {});
    },
  });
  const other = await createHostilePeer();
  t.after(() => other.stop());
  const flood = await connection.newStream(GOSSIP);
  for (let index = 0; index < 199; index++) flood.send(gossipFrame(TOPIC, randomBytes(100)));
  const wanted = gossipFrame(TOPIC, randomBytes(100));
  flood.send(wanted);
  const passedOver = () => lines.filter(({ message }) => /too many gossip messages/.test(message)).length;
  await until("the surplus is passed over", () => passedOver() === 72);
  assert.equal(judged.get(name), 128);
  const otherName = other.peerId.toString();
  const otherConnection = await other.dial(multiaddr(network.addresses()[0]));
  const stream = await otherConnection.newStream(GOSSIP);
  // Even of what the first has brought in vain.
  stream.send(wanted);
  await until("the other is heard", () => judged.get(otherName) === 1);
});
