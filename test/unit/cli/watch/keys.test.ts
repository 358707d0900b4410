import assert from "node:assert/strict";
import { test } from "node:test";
import { afterKey } from "../../../../src/cli/watch/app.ts";
import { createStore } from "../../../../src/cli/watch/feed.ts";
import type { Looking } from "../../../../src/cli/watch/screen.ts";
import { createKeyReader, type Key } from "../../../../src/cli/watch/terminal.ts";

const LIVE: Looking = { pausedAt: undefined, eventsBack: 0, heightsBack: 0, isHelpOpen: false };

function read(...parts: string[]): Key[] {
  const keys: Key[] = [];
  const reader = createKeyReader((key) => keys.push(key));
  for (const part of parts) reader.push(part);
  reader.flush();
  return keys;
}

test("keys are told from what a terminal sends, also where it comes in pieces or all at once", () => {
  assert.deepEqual(read("q", " ", "\x03", "\x1a"), ["q", " ", "interrupt", "suspend"]);
  assert.deepEqual(read("\x1b[A\x1bOB\x1b[5~\x1b[1~x"), ["up", "down", "page-up", "home", "x"]);
  assert.deepEqual(read("\x1b", "[", "D"), ["left"]);
  assert.deepEqual(read("\x1b"), ["escape"]);
  assert.deepEqual(read("\x1bq"), ["escape", "q"]);
  assert.deepEqual(read("\x1b[200;300;1m\x1b[Z?"), ["?"], "what is no key of ours is passed over");
});

test("an endless escape is no key and is not kept", () => {
  assert.ok(read(`\x1b[${"1;".repeat(10_000)}`, "q").includes("q"));
});

test("space pauses and goes on live; left and right step through events within what there is", () => {
  const paused = afterKey(LIVE, " ", 10);
  assert.equal(paused.pausedAt, 0);
  assert.deepEqual(afterKey(paused, " ", 10), LIVE);
  assert.equal(afterKey(LIVE, "left", 10).pausedAt, 1);
  assert.equal(afterKey(paused, "right", 10).pausedAt, 0);
  assert.equal(afterKey(LIVE, "home", 10).pausedAt, 9);
  assert.equal(afterKey(LIVE, "left", 0).pausedAt, 0);
  assert.deepEqual(afterKey(afterKey(LIVE, "home", 10), "end", 10), LIVE);
});

test("the help opens, and any key closes it and does nothing else", () => {
  const help = afterKey(LIVE, "?", 10);
  assert.ok(help.isHelpOpen);
  assert.deepEqual(afterKey(help, "left", 10), LIVE);
});

test("events and heights are scrolled, and never past their ends", () => {
  assert.equal(afterKey(LIVE, "up", 10).eventsBack, 1);
  assert.equal(afterKey(LIVE, "page-up", 5).eventsBack, 4);
  assert.equal(afterKey(LIVE, "down", 10).eventsBack, 0);
  assert.equal(afterKey(LIVE, "[", 10).heightsBack, 1);
  assert.equal(afterKey(LIVE, "]", 10).heightsBack, 0);
});

test("what is kept is bounded, and the picture of what is kept goes on", () => {
  const store = createStore(() => {}, 100);
  store.addNode({ n: 1, name: "node 1", peer: "p" });
  for (let i = 1; i <= 1_000; i++) {
    const block = { id: i.toString(16).padStart(64, "0"), height: i, work: i.toString(16), timestampMs: i };
    store.add(1, [
      {
        sequence: i,
        timeMs: i,
        type: "head",
        data: { ...block, parent: "", mempool: { transactions: 0, bytes: 0 } },
      },
    ]);
    assert.ok(store.entries.length <= 100);
  }
  assert.equal(store.model.nodeAt(1, 2_000).head?.height, 1_000);
  assert.ok(store.model.tree.blocks.length <= 100);
  store.add(1, [{ sequence: 7, timeMs: 7, type: "stop", data: { reason: "again" } }]);
  assert.equal(store.lastSequence(1), 1_000, "what was told before is passed over");
});
