import assert from "node:assert/strict";
import { test } from "node:test";
import { locatorOf, MAX_LOCATOR_IDS } from "../../../src/sync/index.ts";

test("a locator has the newest ids one by one, then ever fewer, genesis last, and never too many", () => {
  const idAt = (height: number) => `id ${height}`;
  assert.deepEqual(locatorOf(0, idAt), ["id 0"]);
  const locator = locatorOf(100, idAt);
  assert.deepEqual(
    locator.slice(0, 10),
    Array.from({ length: 10 }, (_, i) => `id ${100 - i}`),
  );
  assert.equal(locator.at(-1), "id 0");
  assert.ok(locator.length < 20);
  assert.ok(locatorOf(2 ** 50, idAt).length <= MAX_LOCATOR_IDS);
});
