import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createLinkPlan } from "../../../src/cluster/link-plan.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const GROUPS = [[1], [2, 3]];

function start() {
  let expired = 0;
  const plan = createLinkPlan({ nodes: [1, 2, 3], expired: () => expired++ });
  return { plan, expired: () => expired };
}

test("a split refuses across, a link shapes one way within, and the split comes first", () => {
  const { plan } = start();
  plan.set(1, 2, { delayMs: 5 }, undefined);
  assert.deepEqual(plan.between(1, 2), { mode: "shape", out: { delayMs: 5 } });
  assert.equal(plan.between(2, 1), undefined);
  plan.cut({ groups: GROUPS, names: ["few", "many"] }, undefined);
  assert.deepEqual(plan.split()?.names, ["few", "many"]);
  assert.deepEqual(
    [plan.between(1, 2), plan.between(2, 1), plan.between(2, 3)],
    [{ mode: "refuse" }, { mode: "refuse" }, undefined],
  );
  assert.equal(plan.join(), true);
  assert.equal(plan.join(), false);
  assert.deepEqual(plan.between(1, 2), { mode: "shape", out: { delayMs: 5 } });
});

test("what has a time ends by it, once, and says so", () => {
  const { plan, expired } = start();
  const split = plan.cut({ groups: GROUPS, names: null }, 1_000);
  assert.equal(split.untilMs, Date.now() + 1_000);
  plan.set(2, 3, { blackhole: true }, 2_000);
  mock.timers.tick(1_000);
  assert.deepEqual([plan.split(), expired()], [undefined, 1]);
  mock.timers.tick(1_000);
  assert.deepEqual([plan.links(), expired()], [[], 2]);
});

test("what is set later has its own time, and a heal ends the timer: two never fight", () => {
  const { plan, expired } = start();
  plan.cut({ groups: GROUPS, names: null }, 1_000);
  plan.cut({ groups: [[1, 2], [3]], names: null }, undefined);
  plan.set(1, 2, { delayMs: 5 }, 1_000);
  plan.set(1, 2, { delayMs: 9 }, 5_000);
  mock.timers.tick(3_000);
  assert.deepEqual(plan.split()?.groups, [[1, 2], [3]]);
  assert.deepEqual(plan.between(1, 2), { mode: "shape", out: { delayMs: 9 } });
  plan.join();
  plan.cut({ groups: GROUPS, names: null }, undefined);
  assert.equal(plan.remove(1, 2).length, 1);
  plan.set(1, 2, { delayMs: 1 }, undefined);
  mock.timers.tick(60_000);
  assert.equal(expired(), 0);
  assert.equal(plan.links().length, 1);
});

test("whoever is not in the cluster is refused by number, and nothing is changed", () => {
  const { plan } = start();
  assert.throws(() => plan.set(1, 9, { delayMs: 1 }, undefined), {
    code: "CLUSTER_NODE_UNKNOWN",
    message: /no node 9/,
  });
  assert.throws(() => plan.set(2, 2, { delayMs: 1 }, undefined), { code: "CLUSTER_LINK_INVALID" });
  assert.throws(() => plan.remove(9, undefined), { code: "CLUSTER_NODE_UNKNOWN" });
  assert.throws(() => plan.cut({ groups: [[1], [2]], names: null }, undefined), {
    code: "CLUSTER_GROUPS_INVALID",
  });
  assert.throws(() => plan.cut({ groups: GROUPS, names: ["one"] }, undefined), {
    code: "CLUSTER_GROUPS_INVALID",
  });
  assert.deepEqual([plan.links(), plan.split()], [[], undefined]);
});

test("a shape that does nothing makes the link whole", () => {
  const { plan } = start();
  plan.set(1, 2, { delayMs: 5 }, undefined);
  assert.equal(plan.set(1, 2, { delayMs: 0, blackhole: false }, undefined), undefined);
  assert.deepEqual(plan.links(), []);
});
