import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createLibp2pNetwork, type Libp2pNetwork } from "../../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { type RequestLimits, silentLogger } from "../../../src/ports/index.ts";
import { until } from "../../support/until.ts";

const TOPIC = "/cumulo/test/messages/1";
const PROTOCOL = "/cumulo/test/echo/1";
/** Those of the real protocols. */
const LIMITS: RequestLimits = {
  maxRequestBytes: 1_000,
  maxResponseBytes: 1_000,
  firstByteTimeoutMs: 5_000,
  totalTimeoutMs: 10_000,
};
/** Three pings, and the time that one may take. */
const PINGED_MS = 45_000;

const running: Libp2pNetwork[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((network) => network.stop()));
});

async function pair() {
  const heard: string[] = [];
  const ended: string[] = [];
  const join = async () => {
    const network = await createLibp2pNetwork(
      {
        clock: createSystemClock(),
        timers: createSystemTimers(),
        random: createSystemRandom(),
        logger: silentLogger,
      },
      { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"] },
    );
    network.subscribe(TOPIC, 1_000, async (_from, data) => {
      heard.push(new TextDecoder().decode(data));
      return "accept";
    });
    network.handle(PROTOCOL, LIMITS, async (_from, request) => [request]);
    await network.start();
    network.on("disconnect", (_peer, reason) => ended.push(reason));
    running.push(network);
    return network;
  };
  const [a, b] = [await join(), await join()];
  const slow = (delayMs: number) => a.shape(b.self, { out: { delayMs }, in: { delayMs } });
  const dial = () => a.dial(b.addresses()[0] ?? "");
  return { a, b, heard, ended, slow, dial };
}

test("with 1 s each way a dial, requests and gossip work, and the connection stands", async () => {
  const { a, b, heard, ended, slow, dial } = await pair();
  slow(1_000);
  await dial();
  const endMs = performance.now() + PINGED_MS;
  while (performance.now() < endMs) {
    await a.request(b.self, PROTOCOL, Uint8Array.of(1), LIMITS);
    await b.publish(TOPIC, new TextEncoder().encode(`${performance.now()}`));
  }
  await until("gossip came", () => heard.length > 8);
  assert.deepEqual(ended, []);
});

test("with 2 s each way a connection that was there stands, and gossip arrives; requests are too late", async () => {
  const { a, b, heard, ended, slow, dial } = await pair();
  await dial();
  await until("gossip runs", async () => {
    await a.publish(TOPIC, randomBytes(8));
    return heard.length > 0;
  });
  slow(2_000);
  await pause(PINGED_MS);
  await assert.rejects(a.request(b.self, PROTOCOL, Uint8Array.of(1), LIMITS), { code: "NETWORK_TIMEOUT" });
  await b.publish(TOPIC, new TextEncoder().encode("late"));
  await until("it arrives", () => heard.includes("late"));
  assert.deepEqual(ended, []);
});

test("a line that is dead one way ends the connection at both ends by a ping, and lets none be made", async () => {
  const { a, b, heard, ended, dial } = await pair();
  await dial();
  await until("gossip runs", async () => {
    await a.publish(TOPIC, randomBytes(8));
    return heard.length > 0;
  });
  a.shape(b.self, { out: { blackhole: true } });
  const startMs = performance.now();
  await until("both ends have let go", () => ended.length === 2, 30_000);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs > 10_000 && tookMs < 26_000, `after ${tookMs} ms`);
  await assert.rejects(dial(), { code: "NETWORK_TIMEOUT" });
  await assert.rejects(b.dial(a.addresses()[0] ?? ""), { code: "NETWORK_DIAL_FAILED" });
});
