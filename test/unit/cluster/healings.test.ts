import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status } from "../../../src/api/index.ts";
import { createHealings } from "../../../src/cluster/healings.ts";
import { createManualClock, createManualTimers, silentLogger } from "../../../src/ports/index.ts";
import { stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

const at = (id: string): { status: Status } => ({
  status: { ...stubStatus, head: { ...stubStatus.head, id } },
});

/** Far beyond the time to any look. */
const LONG_MS = 60_000;

function start() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  let heads = ["a", "b"];
  let looks = 0;
  const healings = createHealings({
    clock,
    timers,
    logger: silentLogger,
    async look() {
      looks++;
      return heads.map(at);
    },
    intervalMs: async () => 10,
  });
  return {
    healings,
    clock,
    timers,
    looks: () => looks,
    /** It has looked, and waits for the next time. */
    waits: () => until("it waits for its next look", () => timers.pending === 1),
    set: (...wanted: string[]) => {
      heads = wanted;
    },
  };
}

test("a heal is told at once, and the time to the convergence after it when that is there", async () => {
  const { healings, clock, timers, waits, set } = start();
  const healedMs = clock.nowMs();
  healings.healed();
  await waits();
  timers.advance(50);
  await waits();
  assert.deepEqual(healings.list(), [{ healedMs, convergedMs: null, timeMs: null }]);
  set("c", "c");
  timers.advance(50);
  await until("it has converged", () => healings.list()[0]?.timeMs !== null);
  assert.deepEqual(healings.list(), [{ healedMs, convergedMs: healedMs + 100, timeMs: 100 }]);
  assert.equal(timers.pending, 0);
});

test("one that is cut again before it has converged never has a time, and nobody looks any more", async () => {
  const { healings, timers, looks, waits, set } = start();
  healings.healed();
  await waits();
  healings.cut();
  set("c", "c");
  const before = looks();
  assert.equal(timers.pending, 0);
  timers.advance(LONG_MS);
  healings.healed();
  await until("the second has converged", () => healings.list()[1]?.timeMs !== null);
  assert.equal(healings.list()[0]?.timeMs, null);
  assert.equal(looks(), before + 1);
  set("a", "b");
  healings.healed();
  await waits();
  const seen = looks();
  healings.stop();
  assert.equal(timers.pending, 0);
  timers.advance(LONG_MS);
  assert.equal(looks(), seen);
});

test("the last 32 are kept", () => {
  const { healings } = start();
  for (let i = 0; i < 40; i++) healings.healed();
  healings.stop();
  assert.equal(healings.list().length, 32);
});
