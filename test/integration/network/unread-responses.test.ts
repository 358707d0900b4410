import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { encodeLength } from "../../../src/network/frames.ts";
import { createLibp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { silentLogger } from "../../../src/ports/index.ts";
import { createHostilePeer } from "../../support/hostile-peer.ts";
import { until } from "../../support/until.ts";

const PROTOCOL = "/cumulo/test/big/1";
const MEBIBYTE = 1024 * 1024;

test("a peer that asks for much and reads nothing is refused beyond 16 MiB", async (t) => {
  const network = await createLibp2pNetwork(
    { clock: createSystemClock(), timers: createSystemTimers(), logger: silentLogger },
    { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"] },
  );
  t.after(() => network.stop());
  let answered = 0;
  const limits = {
    maxRequestBytes: 10,
    maxResponseBytes: 5 * MEBIBYTE,
    firstByteTimeoutMs: 8_000,
    totalTimeoutMs: 8_000,
  };
  network.handle(PROTOCOL, limits, async () => {
    answered++;
    return new Uint8Array(4 * MEBIBYTE);
  });
  await network.start();
  const hostile = await createHostilePeer();
  t.after(() => hostile.stop());
  const connection = await hostile.dial(multiaddr(network.addresses()[0]));
  const streams: Stream[] = [];
  for (let i = 0; i < 7; i++) {
    const stream = await connection.newStream(PROTOCOL);
    stream.pause();
    stream.send(encodeLength(1));
    stream.send(Uint8Array.of(1));
    streams.push(stream);
  }
  const refused = () => streams.filter(({ status }) => status === "reset" || status === "aborted").length;
  await until("all were asked and three refused", () => answered === 7 && refused() === 3);
  assert.equal(streams.length - refused(), 4);
});
