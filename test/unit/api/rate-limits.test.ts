import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimits, type RateQuestion, rateAddress } from "../../../src/api/rate-limits.ts";
import { createManualClock } from "../../../src/ports/index.ts";

const ask = (address: string, more: Partial<RateQuestion> = {}): RateQuestion => ({
  address,
  isTrusted: false,
  kind: "change",
  cost: 1,
  ...more,
});

/** Asks until it is refused; how often it was granted, and what the refusal says. */
function exhaust(limits: ReturnType<typeof createRateLimits>, question: RateQuestion) {
  for (let granted = 0; granted < 1_000_000; granted++) {
    const refused = limits.take(question);
    if (refused !== undefined) return { granted, ...refused };
  }
  throw new Error("never refused");
}

test("an address gets its burst and then its rate, and waiting as told is enough", () => {
  const clock = createManualClock(0);
  const limits = createRateLimits(clock);
  const { granted, scope, waitMs } = exhaust(limits, ask("192.0.2.1"));
  assert.deepEqual([granted, scope, waitMs], [200, "address", 25]);
  assert.equal(limits.take(ask("192.0.2.2")), undefined, "another one is not concerned");
  assert.equal(limits.take(ask("192.0.2.1", { kind: "read" })), undefined, "nor is reading");
  clock.advance(waitMs);
  assert.equal(limits.take(ask("192.0.2.1")), undefined);
  assert.notEqual(limits.take(ask("192.0.2.1")), undefined);
});

test("what is refused costs nothing, so that the wait does not grow by asking", () => {
  const limits = createRateLimits(createManualClock(0));
  const { waitMs } = exhaust(limits, ask("192.0.2.1"));
  for (let i = 0; i < 1_000; i++) limits.take(ask("192.0.2.1"));
  assert.equal(limits.take(ask("192.0.2.1"))?.waitMs, waitMs);
});

test("many addresses together get no more than the bound on all, and this machine is not concerned", () => {
  const limits = createRateLimits(createManualClock(0));
  let granted = 0;
  let scope: string | undefined;
  for (let i = 0; i < 10_000 && scope !== "all"; i++) {
    const refused = limits.take(ask(`198.51.${i >> 8}.${i & 255}`));
    scope = refused?.scope;
    if (refused === undefined) granted++;
  }
  assert.deepEqual([granted, scope], [600, "all"]);
  assert.equal(limits.take(ask("127.0.0.1", { isTrusted: true })), undefined);
});

test("a load test on this machine stays far below its bound", () => {
  const limits = createRateLimits(createManualClock(0));
  for (let i = 0; i < 50_000; i++)
    assert.equal(limits.take(ask("127.0.0.1", { isTrusted: true })), undefined);
});

test("no number of addresses makes the memory grow", () => {
  const limits = createRateLimits(createManualClock(0));
  for (let i = 0; i < 20_000; i++) limits.take(ask(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
  assert.equal(limits.size, 4_096);
});

test("an IPv6 network counts as one address, and IPv4 the same however it is written", () => {
  assert.equal(rateAddress("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(rateAddress("192.0.2.1"), "192.0.2.1");
  const network = "2001:db8:0:1::/64";
  for (const one of ["2001:db8:0:1::5", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:0db8:0000:0001:0:0:0:9"])
    assert.equal(rateAddress(one), network, one);
  assert.notEqual(rateAddress("2001:db8:0:2::5"), network);
  assert.equal(rateAddress("2001:db8::1"), "2001:db8:0:0::/64");
  assert.equal(rateAddress("fe80::1%eth0"), rateAddress("fe80::2"));
});
