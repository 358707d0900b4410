import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import type { Stream } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { encodeLength } from "../../../src/network/frames.ts";
import { createLibp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { silentLogger } from "../../../src/ports/index.ts";
import { createHostilePeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/until.ts";

const PROTOCOL = "/cumulo/test/big/1";
const MEBIBYTE = 1024 * 1024;

async function serve(t: TestContext) {
  const network = await createLibp2pNetwork(
    {
      clock: createSystemClock(),
      timers: createSystemTimers(),
      random: createSystemRandom(),
      logger: silentLogger,
    },
    { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"] },
  );
  t.after(() => network.stop());
  let answered = 0;
  const limits = {
    maxRequestBytes: 10,
    maxResponseBytes: 5 * MEBIBYTE,
    firstByteTimeoutMs: 20_000,
    totalTimeoutMs: 20_000,
  };
  network.handle(PROTOCOL, limits, async () => {
    answered++;
    return [new Uint8Array(4 * MEBIBYTE)];
  });
  await network.start();
  return { address: multiaddr(network.addresses()[0]), answeredCount: () => answered };
}

/** A peer that asks so often and reads nothing. */
async function askAndNotRead(t: TestContext, address: Multiaddr, times: number): Promise<Stream[]> {
  const hostile = await createHostilePeer();
  t.after(() => hostile.stop());
  const connection = await hostile.dial(address);
  const streams: Stream[] = [];
  for (let i = 0; i < times; i++) {
    const stream = await connection.newStream(PROTOCOL);
    stream.pause();
    stream.send(encodeLength(1));
    stream.send(Uint8Array.of(1));
    streams.push(stream);
  }
  return streams;
}

const refusedOf = (streams: readonly Stream[]) =>
  streams.filter(({ status }) => status === "reset" || status === "aborted").length;

test("a peer that asks for much and reads nothing is refused beyond 16 MiB", async (t) => {
  const { address, answeredCount } = await serve(t);
  const streams = await askAndNotRead(t, address, 7);
  await until("all were asked and three refused", () => answeredCount() === 7 && refusedOf(streams) === 3);
});

test("peers that read nothing give way to one that reads, however many they are", async (t) => {
  const { address, answeredCount } = await serve(t);
  const held: Stream[] = [];
  for (let peer = 0; peer < 4; peer++) held.push(...(await askAndNotRead(t, address, 4)));
  await until("64 MiB wait", () => answeredCount() === 16 && refusedOf(held) === 0);
  const honest = await createHostilePeer();
  t.after(() => honest.stop());
  const stream = await (await honest.dial(address)).newStream(PROTOCOL);
  stream.send(Uint8Array.of(1, 1));
  await stream.close();
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.byteLength;
  assert.equal(bytes, 4 * MEBIBYTE + encodeLength(4 * MEBIBYTE).length);
  await until("one gave way", () => refusedOf(held) === 1);
});
