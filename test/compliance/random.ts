import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Random } from "../../src/ports/index.ts";

/** The promises of the random port, for any implementation. */
export function describeRandom(name: string, create: () => Random): void {
  describe(`random port: ${name}`, () => {
    test("bytes have the length asked for, differ, cover all values, and belong to the caller", () => {
      const random = create();
      assert.equal(random.bytes(0).length, 0);
      const [first, second] = [random.bytes(32), random.bytes(32)];
      assert.notDeepEqual(first, second);
      assert.equal(Object.getPrototypeOf(first), Uint8Array.prototype);
      assert.equal(first.buffer.byteLength, 32);
      assert.equal(new Set(random.bytes(10_000)).size, 256);
    });

    test("fractions lie in [0, 1) and are spread evenly", () => {
      const random = create();
      const buckets = new Array<number>(10).fill(0);
      for (let draw = 0; draw < 10_000; draw++) {
        const fraction = random.fraction();
        assert.ok(fraction >= 0 && fraction < 1);
        const bucket = Math.floor(fraction * 10);
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      // 1,000 expected, standard deviation 30: six of them would be a fault, not chance.
      for (const count of buckets) assert.ok(count > 800 && count < 1_200, `a bucket holds ${count}`);
    });
  });
}
