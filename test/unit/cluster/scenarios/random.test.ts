import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "../../../../src/cluster/scenarios/random.ts";

test("what is drawn follows from the seed, and stays within its bounds", () => {
  const draw = (seed: number) => {
    const random = createSeededRandom(seed);
    return [random.bytes(40), Array.from({ length: 200 }, () => random.between(3, 5))] as const;
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1)[0], draw(2)[0]);
  assert.deepEqual([...new Set(draw(1)[1])].sort(), [3, 4, 5]);
  assert.equal(draw(1)[0].length, 40);
});
