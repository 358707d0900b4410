import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock, createManualTimers, createMemoryNetworkHub } from "../../../src/ports/index.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function createWorld() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  return { clock, timers, hub: createMemoryNetworkHub({ clock, timers }) };
}

test("a name can be taken again once its network has stopped, and only then", async () => {
  const { hub } = createWorld();
  const first = hub.join("a");
  await first.start();
  assert.throws(() => hub.join("a"));
  await first.stop();
  const second = hub.join("a");
  const b = hub.join("b");
  await second.start();
  await b.start();
  assert.equal(await b.dial("/memory/a"), "a");
  assert.deepEqual(
    second.connections().map(({ peer }) => peer),
    ["b"],
  );
});

test("a message can be published again after two minutes", async () => {
  const { hub, timers } = createWorld();
  const [a, b] = [hub.join("a"), hub.join("b")];
  let heard = 0;
  for (const network of [a, b]) {
    network.subscribe("/t", 10, async () => {
      heard++;
      return "accept";
    });
    await network.start();
  }
  await a.dial("/memory/b");
  for (const [waitMs, expected] of [
    [0, 1],
    [119_999, 1],
    [1, 2],
  ] as const) {
    timers.advance(waitMs);
    await a.publish("/t", Uint8Array.of(1));
    await settle();
    assert.equal(heard, expected);
  }
});

test("answered, refused and abandoned requests leave no timer", async () => {
  const { hub, timers } = createWorld();
  const [a, b] = [hub.join("a"), hub.join("b")];
  const limits = {
    maxRequestBytes: 10,
    maxResponseBytes: 10,
    firstByteTimeoutMs: 1_000,
    totalTimeoutMs: 2_000,
  };
  b.handle("/echo", limits, async (_from, request) => [request]);
  b.handle("/never", limits, () => new Promise(() => {}));
  await a.start();
  await b.start();
  await a.dial("/memory/b");
  await a.request("b", "/echo", Uint8Array.of(1), limits);
  await assert.rejects(a.request("b", "/missing", Uint8Array.of(1), limits));
  const lost = assert.rejects(a.request("b", "/never", Uint8Array.of(1), limits));
  await settle();
  await b.stop();
  await lost;
  assert.equal(timers.pending, 0);
});

test("a connection over a dead line ends when a ping is not answered, one that is healed in time stays", async () => {
  const { hub, timers } = createWorld();
  const [a, b] = [hub.join("a"), hub.join("b")];
  await a.start();
  await b.start();
  await a.dial("/memory/b");
  a.shape("b", { out: { blackhole: true } });
  timers.advance(24_000);
  a.shape("b", undefined);
  timers.advance(60_000);
  assert.equal(b.connections().length, 1);
  const reasons: string[] = [];
  a.on("disconnect", (_peer, reason) => reasons.push(reason));
  a.shape("b", { out: { blackhole: true } });
  timers.advance(25_000);
  assert.deepEqual(reasons, ["a ping timed out"]);
  assert.deepEqual(b.connections(), []);
  const dial = assert.rejects(a.dial("/memory/b"), { code: "NETWORK_TIMEOUT" });
  await settle();
  timers.advance(10_000);
  await dial;
  assert.equal(timers.pending, 0);
});

test("gossip over a slow line comes in order, each message when the line has sent it", async () => {
  const { hub, timers, clock } = createWorld();
  const [a, b] = [hub.join("a"), hub.join("b")];
  const heard: string[] = [];
  for (const network of [a, b]) {
    network.subscribe("/t", 1_000, async (from, data) => {
      heard.push(`${from} ${data[0]} at ${clock.monotonicMs()}`);
      return "accept";
    });
    await network.start();
  }
  b.shape("a", { in: { delayMs: 50 } });
  a.shape("b", { out: { bytesPerSecond: 1_000 } });
  await a.dial("/memory/b");
  for (const n of [1, 2]) await a.publish("/t", new Uint8Array(100).fill(n));
  for (let i = 0; i < 30; i++) {
    timers.advance(10);
    await settle();
  }
  assert.deepEqual(heard, ["a 1 at 150", "a 2 at 250"]);
});
