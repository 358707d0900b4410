import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drawTree } from "../../../../src/cli/watch/fork-tree.ts";
import { render, widthOf } from "../../../../src/cli/watch/line.ts";
import { drawScreen, type Looking, type View } from "../../../../src/cli/watch/screen.ts";
import { createRecording, type RecordedEntry, type RecordingModel } from "../../../../src/client/index.ts";
import { recordNetwork } from "../../../support/recorded-network.ts";

const LIVE: Looking = { pausedAt: undefined, eventsBack: 0, heightsBack: 0, isHelpOpen: false };
const id = (digits: string): string => `0000${digits}`.padEnd(64, "0");

/** Entries of a few blocks: each is `name: parent`, known to all nodes. */
function story(lines: readonly [digits: string, parent: string, height: number][]): RecordedEntry[] {
  return lines.map(([digits, parent, height], i) => ({
    place: i + 1,
    node: 1,
    sequence: i + 1,
    timeMs: 1_000 + i,
    type: "header",
    data: {
      id: id(digits),
      parent: id(parent),
      height,
      work: height.toString(16),
      difficulty: "1",
      timestampMs: 0,
      proposer: "",
      peer: null,
      via: "mined",
    },
  }));
}

function withHeads(
  entries: RecordedEntry[],
  heads: readonly [node: number, digits: string, height: number][],
): RecordingModel {
  const model = createRecording();
  for (const [n] of heads) model.addNode({ n, name: `node ${n}`, peer: `peer${n}` });
  model.add(entries);
  model.add(
    heads.map(([node, digits, height], i) => ({
      place: entries.length + 1 + i,
      node,
      sequence: 1_000,
      timeMs: 2_000,
      type: "head",
      data: {
        id: id(digits),
        height,
        work: height.toString(16),
        parent: "",
        timestampMs: 0,
        mempool: { transactions: 0, bytes: 0 },
      },
    })),
  );
  return model;
}

const drawn = (model: RecordingModel, window: { columns: number; rows: number; back?: number }): string[] =>
  drawTree(model, 5_000, { back: 0, ...window }).map((line) => render(line, false).trimEnd());

test("the fork tree: heights to the right, a line a branch, heads in brackets with the nodes that have them", () => {
  const blocks = story([
    ["aaaa", "gggg", 1],
    ["b111", "aaaa", 2],
    ["c222", "aaaa", 2],
    ["c333", "c222", 3],
    ["b444", "b111", 3],
    ["d555", "c333", 4],
    ["e666", "c222", 3],
  ]);
  const model = withHeads(blocks, [
    [1, "b444", 3],
    [2, "d555", 4],
    [3, "d555", 4],
  ]);
  assert.deepEqual(drawn(model, { columns: 60, rows: 10 }), [
    "   1       2       3       4",
    "   aaaa─┬──b111───[b444] 1",
    "        └──c222─┬──c333───[d555] 2 3",
    "                └──e666",
  ]);
});

test("where there is not room for all, the best branch stays, then those that reach furthest; old heights leave at the left", () => {
  const blocks = story([
    ["aaaa", "gggg", 1],
    ["b111", "aaaa", 2],
    ["c222", "aaaa", 2],
    ["d333", "aaaa", 2],
    ["d444", "d333", 3],
  ]);
  const model = withHeads(blocks, [[1, "d444", 3]]);
  assert.deepEqual(drawn(model, { columns: 60, rows: 3 }), [
    "   1       2       3",
    "   aaaa─┬──b111",
    "        └──d333───[d444] 1",
  ]);
  assert.deepEqual(drawn(model, { columns: 26, rows: 9 }).at(-1), "└──d333───[d444] 1");
  assert.equal(drawn(model, { columns: 26, rows: 9, back: 1 })[0], "   1       2");
});

function viewOf(nodes: number, seed: number): View {
  const recording = recordNetwork({ nodes, blocks: 25, seed, splits: 2 });
  const model = createRecording();
  for (const node of recording.nodes) model.addNode(node);
  model.add(recording.entries);
  return { title: "a network", model, entries: recording.entries, isLost: false, nowMs: recording.endedMs };
}

test("on every size, at every moment, each line is exactly as wide as the screen, and there are as many as it has", () => {
  const views = [viewOf(1, 1), viewOf(4, 2), viewOf(12, 3)];
  fc.assert(
    fc.property(
      fc.constantFrom(...views),
      fc.integer({ min: 1, max: 160 }),
      fc.integer({ min: 1, max: 60 }),
      fc.record({
        pausedAt: fc.option(fc.nat(400), { nil: undefined }),
        eventsBack: fc.nat(300),
        heightsBack: fc.nat(40),
        isHelpOpen: fc.boolean(),
      }),
      (view, columns, rows, looking) => {
        const lines = drawScreen(view, looking, { columns, rows });
        assert.equal(lines.length, rows);
        for (const line of lines) assert.equal(widthOf(line), columns);
      },
    ),
    { numRuns: 150 },
  );
});

test("at 60 by 20 the nodes, the end of the tree, events and the keys are all there", () => {
  const text = drawScreen(viewOf(4, 2), LIVE, { columns: 60, rows: 20 })
    .map((line) => render(line, false))
    .join("\n");
  assert.match(text, /^cumulo (one head|\d heads)/);
  assert.match(text, /^node 4 +\d+ [0-9a-f]{4}/m);
  assert.match(text, /\[[0-9a-f]{4}\]/);
  assert.match(text, /node \d +(head|block)/);
  assert.match(text, /\? help {2}q quit$/);
});

test("what a peer or an operator wrote cannot move the cursor, ring the bell or be wider than it counts", () => {
  const nasty = "\x1b[2Jevil\x07\u{1F4A3}\u4e2d\r\n";
  const model = createRecording();
  model.addNode({ n: 1, name: `n${nasty}`, peer: "p" });
  const entries: RecordedEntry[] = [
    {
      place: 1,
      node: 1,
      sequence: 1,
      timeMs: 1,
      type: "peer",
      data: { peer: nasty, connected: false, reason: nasty },
    },
    { place: 2, node: 1, sequence: 2, timeMs: 2, type: "stop", data: { reason: nasty } },
  ];
  model.add(entries);
  const view: View = { title: nasty, model, entries, isLost: false, nowMs: 3 };
  const text = drawScreen(view, LIVE, { columns: 100, rows: 20 })
    .map((line) => render(line, false))
    .join("\n");
  assert.match(text, /evil/);
  assert.doesNotMatch(text.replaceAll("\n", ""), /[^\x20-\x7e\u2026\u2500-\u257f]/);
});
