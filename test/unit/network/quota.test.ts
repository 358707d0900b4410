import assert from "node:assert/strict";
import { test } from "node:test";
import { createQuotas } from "../../../src/network/quota.ts";
import { createManualClock } from "../../../src/ports/index.ts";

test("a burst is granted, then what comes back with time, for each peer by itself", () => {
  const clock = createManualClock();
  const quotas = createQuotas(clock, { burst: 10, perSecond: 2 });
  assert.equal(quotas.take("a", 10), "grant");
  assert.equal(quotas.take("a", 1), "refuse");
  assert.equal(quotas.take("b", 10), "grant");
  clock.advance(1_000);
  assert.equal(quotas.take("a", 1), "grant");
  clock.advance(3_600_000);
  assert.equal(quotas.take("a", 11), "refuse");
});

test("asking on and on becomes abuse", () => {
  const quotas = createQuotas(createManualClock(), { burst: 10, perSecond: 1 });
  const answers = Array.from({ length: 7 }, () => quotas.take("a", 5));
  assert.deepEqual(answers, ["grant", "grant", "refuse", "refuse", "refuse", "refuse", "abuse"]);
});

test("the asking side learns how long to wait, and is not charged for what it does not wait for", () => {
  const clock = createManualClock();
  const quotas = createQuotas(clock, { burst: 10, perSecond: 2 });
  assert.equal(quotas.reserveMs("a", 8, 1_000), 0);
  assert.equal(quotas.reserveMs("a", 4, 1_000), 1_000);
  assert.equal(quotas.reserveMs("a", 4, 1_000), undefined);
  clock.advance(1_000);
  assert.equal(quotas.reserveMs("a", 2, 1_000), 1_000);
});

test("an asker that waits as told is always granted by an answerer with the same quota", () => {
  const clock = createManualClock();
  const quota = { burst: 10, perSecond: 3 };
  const [asker, answerer] = [createQuotas(clock, quota), createQuotas(clock, quota)];
  for (let round = 0; round < 100; round++) {
    const waitMs = asker.reserveMs("a", 1 + (round % 5), 10_000);
    assert.ok(waitMs !== undefined);
    clock.advance(waitMs);
    assert.equal(answerer.take("a", 1 + (round % 5)), "grant");
  }
});

test("only so many peers are remembered", () => {
  const quotas = createQuotas(createManualClock(), { burst: 1, perSecond: 1 });
  for (let peer = 0; peer < 10_000; peer++) quotas.take(`peer-${peer}`, 1);
  assert.equal(quotas.size, 4_096);
});
