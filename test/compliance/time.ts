import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Clock, delay, type Timers } from "../../src/ports/index.ts";

/** Time, and the way to let it pass: by waiting, or by moving it. */
export interface TimeSource {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Lets `ms` go by, and every callback due until then be called. */
  pass(ms: number): Promise<void>;
}

/** The promises of the clock and timers ports, for any implementation. */
export function describeTime(name: string, create: () => TimeSource): void {
  describe(`clock port: ${name}`, () => {
    test("the wall clock tells this century's time in milliseconds", () => {
      const { clock } = create();
      assert.ok(clock.nowMs() > Date.UTC(2020) && clock.nowMs() < Date.UTC(2100));
    });

    test("the monotonic clock goes forward with time and never back", async () => {
      const { clock, pass } = create();
      const before = clock.monotonicMs();
      for (let last = before, reads = 0; reads < 1_000; reads++) {
        const next = clock.monotonicMs();
        assert.ok(next >= last);
        last = next;
      }
      await pass(20);
      assert.ok(clock.monotonicMs() >= before + 19);
    });
  });

  describe(`timers port: ${name}`, () => {
    test("a timer calls back once, not before its time, never at once", async () => {
      const { clock, timers, pass } = create();
      const calls: number[] = [];
      const startMs = clock.monotonicMs();
      timers.set(20, () => calls.push(clock.monotonicMs() - startMs));
      timers.set(0, () => calls.push(0));
      assert.deepEqual(calls, []);
      await pass(60);
      assert.equal(calls.length, 2);
      // Node rounds its clock to whole milliseconds.
      assert.ok((calls[1] ?? 0) >= 19);
    });

    test("timers due at the same moment run in the order they were set", async () => {
      const { timers, pass } = create();
      const calls: number[] = [];
      for (let index = 0; index < 20; index++) timers.set(10, () => calls.push(index));
      await pass(40);
      assert.deepEqual(
        calls,
        Array.from({ length: 20 }, (_, index) => index),
      );
    });

    test("a cleared timer does not call; clearing twice, or afterwards, is harmless", async () => {
      const { timers, pass } = create();
      const calls: string[] = [];
      const cleared = timers.set(5, () => calls.push("cleared"));
      const kept = timers.set(5, () => calls.push("kept"));
      timers.clear(cleared);
      timers.clear(cleared);
      await pass(30);
      timers.clear(kept);
      assert.deepEqual(calls, ["kept"]);
    });

    test("a callback may set and clear timers", async () => {
      const { timers, pass } = create();
      const calls: string[] = [];
      timers.set(5, () => {
        calls.push("first");
        timers.clear(second);
        timers.set(5, () => calls.push("third"));
      });
      const second = timers.set(15, () => calls.push("second"));
      await pass(40);
      assert.deepEqual(calls, ["first", "third"]);
    });

    test("a negative delay, or none, is our bug", () => {
      const { timers } = create();
      assert.throws(() => timers.set(-1, () => {}), RangeError);
      assert.throws(() => timers.set(Number.NaN, () => {}), RangeError);
    });

    test("delay resolves in time and rejects with the signal's reason", async () => {
      const { timers, pass } = create();
      const reason = new Error("enough");
      const controller = new AbortController();
      const aborted = assert.rejects(delay(timers, 60_000, controller.signal), reason);
      controller.abort(reason);
      await aborted;
      await assert.rejects(delay(timers, 0, controller.signal), reason);
      const waited = delay(timers, 10);
      await pass(30);
      await waited;
    });
  });
}
