import assert from "node:assert/strict";
import { test } from "node:test";
import { createSystemRandom } from "../../src/node/adapters/system-random.ts";
import { createSeededRandom } from "../../src/ports/index.ts";
import { describeRandom } from "./random.ts";

describeRandom("seeded", () => createSeededRandom(7));
describeRandom("system", createSystemRandom);

test("the same seed gives the same numbers, another seed others", () => {
  assert.deepEqual(createSeededRandom(1).bytes(64), createSeededRandom(1).bytes(64));
  assert.notDeepEqual(createSeededRandom(1).bytes(64), createSeededRandom(2).bytes(64));
});
