import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status } from "../../../src/api/index.ts";
import { createHealings } from "../../../src/cluster/healings.ts";
import { silentLogger } from "../../../src/ports/index.ts";
import { stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

const at = (id: string): { status: Status } => ({
  status: { ...stubStatus, head: { ...stubStatus.head, id } },
});

function start(intervalMs = 10) {
  let heads = ["a", "b"];
  let looks = 0;
  const healings = createHealings({
    logger: silentLogger,
    async look() {
      looks++;
      return heads.map(at);
    },
    intervalMs: async () => intervalMs,
  });
  return {
    healings,
    looks: () => looks,
    set: (...wanted: string[]) => {
      heads = wanted;
    },
  };
}

test("a heal is told at once, and the time to the convergence after it when that is there", async () => {
  const { healings, looks, set } = start();
  const beforeMs = Date.now();
  healings.healed();
  await until("it was looked", () => looks() > 2);
  const [open] = healings.list();
  assert.deepEqual([open?.convergedMs, open?.timeMs], [null, null]);
  set("c", "c");
  const done = await until("it has converged", () => healings.list().find(({ timeMs }) => timeMs !== null));
  assert.ok(done.healedMs >= beforeMs && (done.timeMs ?? 0) >= 50);
  assert.equal(done.convergedMs, done.healedMs + (done.timeMs ?? 0));
  assert.equal(healings.list().length, 1);
});

test("one that is cut again before it has converged never has a time, and nobody looks any more", async () => {
  const { healings, looks, set } = start();
  healings.healed();
  await until("it was looked", () => looks() > 0);
  healings.cut();
  set("c", "c");
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(healings.list()[0]?.timeMs, null);
  healings.healed();
  await until("the second has converged", () => healings.list()[1]?.timeMs !== null);
  assert.equal(healings.list()[0]?.timeMs, null);
  const seen = looks();
  healings.stop();
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(looks(), seen);
});

test("the last 32 are kept", () => {
  const { healings } = start();
  for (let i = 0; i < 40; i++) healings.healed();
  healings.stop();
  assert.equal(healings.list().length, 32);
});
