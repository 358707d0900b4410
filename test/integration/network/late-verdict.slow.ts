import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createLibp2pNetwork } from "../../../src/network/index.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { delay, type GossipValidator, silentLogger } from "../../../src/ports/index.ts";
import { until } from "../../support/until.ts";

const TOPIC = "/cumulo/test/messages/1";
const timers = createSystemTimers();

async function createNode(validate: GossipValidator) {
  const deps = { clock: createSystemClock(), timers, random: createSystemRandom(), logger: silentLogger };
  const network = await createLibp2pNetwork(deps, {
    privateKeySeed: randomBytes(32),
    listen: ["/ip4/127.0.0.1/tcp/0"],
  });
  network.subscribe(TOPIC, 100, validate);
  await network.start();
  return network;
}

test("a message whose verdict takes 12 s is still forwarded (js-libp2p's own window is 5 s)", async () => {
  const heard = new Set<string>();
  const a = await createNode(async () => "accept");
  const b = await createNode(async (_from, data) => {
    if (data.length === 1) await delay(timers, 12_000);
    return "accept";
  });
  const c = await createNode(async (_from, data) => {
    heard.add(data.length === 1 ? "slow" : "probe");
    return "accept";
  });
  await b.dial(a.addresses()[0] ?? "");
  await b.dial(c.addresses()[0] ?? "");
  await until("gossip flows", () => {
    if (heard.has("probe")) return true;
    void a.publish(TOPIC, randomBytes(20));
    return false;
  });
  await a.publish(TOPIC, Uint8Array.of(1));
  await until("the slow one arrives", () => heard.has("slow"), 20_000);
  assert.ok(heard.has("slow"));
  await Promise.all([a, b, c].map((network) => network.stop()));
});
