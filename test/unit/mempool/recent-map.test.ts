import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecentMap } from "../../../src/mempool/index.ts";

test("what was set last stays, at least half the capacity of it, and never more than the capacity", () => {
  const map = createRecentMap<number, string>(100);
  for (let i = 0; i < 1_000; i++) {
    map.set(i, `value ${i}`);
    const kept = [...map.keys()];
    assert.ok(kept.length <= 100 && new Set(kept).size === kept.length);
    for (let j = Math.max(0, i - 49); j <= i; j++) assert.equal(map.get(j), `value ${j}`);
  }
  assert.equal(map.get(800), undefined);
});

test("what is set again stays, however much comes in meanwhile", () => {
  const map = createRecentMap<string, number>(10);
  for (let i = 0; i < 200; i++) {
    map.set(`other ${i}`, i);
    map.set("dear", i);
  }
  assert.equal(map.get("dear"), 199);
  assert.equal([...map.keys()].filter((key) => key === "dear").length, 1);
});
