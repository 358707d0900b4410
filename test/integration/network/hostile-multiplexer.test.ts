import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterEach, test } from "node:test";
import type { MessageStream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { createHostilePeer } from "../../support/hostile-peer.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { until } from "../../support/until.ts";

const stopping: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((each) => each.stop()));
});

async function startNetwork() {
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
  await network.start();
  stopping.push(network);
  return { network, lines: logger.lines };
}

/** A peer that is connected, and what it can put below its multiplexer. */
async function meet() {
  const { network, lines } = await startNetwork();
  const secured: MessageStream[] = [];
  const hostile = await createHostilePeer({ onSecured: (connection) => secured.push(connection) });
  stopping.push(hostile);
  await hostile.dial(multiaddr(network.addresses()[0]));
  const name = hostile.peerId.toString();
  await until("we know the peer", () => network.connections().some(({ peer }) => peer === name));
  return { network, name, lines, raw: secured[0] as MessageStream };
}

/** A frame's header of yamux: version 0, type, flags, stream, length. */
function header(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt32BE(stream, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}
const DATA = 0;
const PING = 2;
const SYN = 1;

for (const [what, bytes] of [
  ["a data frame that claims 4 GiB", header(DATA, 0, 99, 0xffff_ffff)],
  ["a data frame of more than the greatest window", header(DATA, 0, 99, 4 * 1024 * 1024 + 1)],
  ["a frame of an unknown version", Buffer.alloc(12, 7)],
  ["a ping's answer that nobody asked for", header(PING, 2, 0, 77)],
] as const) {
  test(`${what} costs the connection at once, and the log says why`, async () => {
    const { network, name, lines, raw } = await meet();
    raw.send(bytes);
    await until("the peer is dropped", () => network.connections().length === 0);
    const line = lines.find(({ level, peer }) => level === "warn" && peer === name);
    assert.equal(line?.["reason"], "malformed multiplexer frame");
  });
}

test("a peer that asks for answers without end and reads none loses its connection, not our memory", async () => {
  const { network, name, lines, raw } = await meet();
  raw.pause();
  const pings = Buffer.concat(Array.from({ length: 4_000 }, (_, id) => header(PING, SYN, 0, id)));
  let sent = 0;
  while (network.connections().length > 0 && raw.status === "open" && sent < 256 * 1024 * 1024) {
    sent += pings.length;
    if (!raw.send(pings))
      await new Promise((resolve) => raw.addEventListener("drain", resolve, { once: true }));
    await new Promise(setImmediate);
  }
  await until("the peer is dropped", () => network.connections().length === 0);
  const line = lines.find(({ level, peer }) => level === "warn" && peer === name);
  assert.equal(line?.["reason"], "reads no answers");
});

test("bytes that are no handshake are noted with the address they came from", async () => {
  const { network, lines } = await startNetwork();
  const port = Number(/tcp\/(\d+)/.exec(network.addresses()[0] ?? "")?.[1]);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(randomBytes(4_096));
  const noted = () =>
    lines.find(({ message }) => message === "a connection ended before its peer had proven a name");
  await until("it is noted", () => noted() !== undefined);
  assert.match(String(noted()?.["address"]), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+/);
  socket.destroy();
});
