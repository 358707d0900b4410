import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  convergences,
  createHistory,
  createRecording,
  firstAgreement,
  type RecordedEntry,
  type Recording,
  type RecordingModel,
  reorgBlocks,
} from "../../../src/client/index.ts";
import { peerName, recordNetwork } from "../../support/recorded-network.ts";

function modelOf(recording: Recording): RecordingModel {
  const model = createRecording();
  for (const node of recording.nodes) model.addNode(node);
  model.add(recording.entries);
  return model;
}

/** What the entries up to a time say, read one by one: slow, and plainly right. */
function replay(entries: readonly RecordedEntry[], timeMs: number) {
  const heads = new Map<number, string>();
  const connected = new Map<string, boolean>();
  const modes = new Map<string, string>();
  const arrivals = new Map<string, number>();
  const reorgs: string[] = [];
  let split: unknown = null;
  for (const entry of entries) {
    if (entry.timeMs > timeMs) continue;
    if (entry.node === null) {
      if (entry.type === "split") split = entry.data;
      continue;
    }
    const key = (name: string): string => `${entry.node} ${name}`;
    if (entry.type === "start") heads.set(entry.node, entry.data.head.id);
    if (entry.type === "head") heads.set(entry.node, entry.data.id);
    if (entry.type === "peer") connected.set(key(entry.data.peer), entry.data.connected);
    if (entry.type === "link") modes.set(key(entry.data.peer), entry.data.mode);
    if (entry.type === "header") arrivals.set(key(entry.data.id), entry.timeMs);
    if (entry.type === "reorg") reorgs.push(key(entry.data.reorg));
  }
  return { heads, connected, modes, arrivals, reorgs, split };
}

const network = fc.record({
  nodes: fc.integer({ min: 1, max: 6 }),
  blocks: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(),
  splits: fc.integer({ min: 1, max: 3 }),
});

test("at any time the model says what a replay of the entries up to then says", () => {
  fc.assert(
    fc.property(
      network,
      fc.array(fc.double({ min: -0.1, max: 1.1, noNaN: true }), { minLength: 1, maxLength: 5 }),
      (options, parts) => {
        const recording = recordNetwork(options);
        const model = modelOf(recording);
        for (const part of parts) {
          const timeMs = Math.round(recording.startedMs + part * (recording.endedMs - recording.startedMs));
          const expected = replay(recording.entries, timeMs);
          for (const { n } of recording.nodes)
            assert.equal(model.nodeAt(n, timeMs).head?.id, expected.heads.get(n));
          for (const { node, peer, connected, mode } of model.linksAt(timeMs)) {
            assert.equal(connected, expected.connected.get(`${node} ${peer}`) ?? false);
            assert.equal(mode, expected.modes.get(`${node} ${peer}`) ?? "whole");
          }
          assert.deepEqual(model.splitAt(timeMs), expected.split);
          for (const { index, id } of model.tree.blocks) {
            const told = model
              .arrivals(index, timeMs)
              .map(({ node, headerMs }) => [`${node} ${id}`, headerMs]);
            const wanted = [...expected.arrivals].filter(([key]) => key.endsWith(` ${id}`));
            assert.deepEqual(new Map(told as [string, number][]), new Map(wanted));
          }
          const reorgs = model.reorgs.filter((reorg) => reorg.timeMs <= timeMs);
          assert.deepEqual(
            reorgs.map(({ node, data }) => `${node} ${data.reorg}`),
            expected.reorgs,
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("entries that come twice, or one by one, make the same model", () => {
  const recording = recordNetwork({ nodes: 4, blocks: 40, seed: 7, splits: 2 });
  const whole = modelOf(recording);
  const piecemeal = createRecording();
  for (const node of recording.nodes) piecemeal.addNode(node);
  let added = 0;
  for (const entry of recording.entries) added += piecemeal.add([entry]) + piecemeal.add([entry]);
  assert.equal(added, recording.entries.length);
  assert.equal(piecemeal.add(recording.entries), 0);
  assert.deepEqual(piecemeal.tree.blocks, whole.tree.blocks);
  assert.deepEqual(piecemeal.marks, whole.marks);
});

test("no two blocks of the tree stand in one place, and a branch keeps its lane until another comes there or one above is long empty", () => {
  fc.assert(
    fc.property(network, (options) => {
      const { tree } = modelOf(recordNetwork({ ...options, delayMs: 3_000 }));
      const places = new Set(tree.blocks.map(({ height, lane }) => `${height} ${lane}`));
      assert.equal(places.size, tree.blocks.length);
      assert.ok(tree.blocks.every(({ lane }) => lane < tree.lanes));
      for (const block of tree.blocks) {
        const [only, ...more] = tree.children(block.index);
        if (only === undefined || more.length > 0 || tree.blocks[only]?.lane === block.lane) continue;
        const next = tree.blocks[only];
        const isTaken = tree.blocks.some(({ lane, height }) => lane === block.lane && height > block.height);
        const isEmpty = tree.blocks
          .slice(0, only)
          .every(({ lane, height }) => lane !== next?.lane || height < block.height + 1 - 10);
        assert.ok(isTaken || (isEmpty && (next?.lane ?? 0) < block.lane));
      }
    }),
    { numRuns: 60 },
  );
});

test("a reorg's blocks are those between the fork point and the two heads", () => {
  const recording = recordNetwork({ nodes: 4, blocks: 60, seed: 3 });
  const model = modelOf(recording);
  assert.ok(model.reorgs.length > 0);
  for (const { data } of model.reorgs) {
    const blocks = reorgBlocks(model, data);
    assert.equal(blocks.out.length, data.depth);
    assert.equal(blocks.out[0]?.id, data.oldHead.id);
    assert.equal(blocks.in.at(-1)?.id, data.newHead.id);
    assert.equal(model.tree.blocks[blocks.in[0]?.parent ?? -1]?.id, data.forkPoint.id);
    const [oldHead, newHead] = [data.oldHead, data.newHead].map(({ id }) => model.tree.find(id)?.index ?? -1);
    assert.equal(model.tree.forkPoint(oldHead ?? -1, newHead ?? -1)?.id, data.forkPoint.id);
  }
});

test("the time to convergence runs from a heal to the first moment at which all running nodes have one head", () => {
  const recording = recordNetwork({ nodes: 4, blocks: 60, seed: 3 });
  const model = modelOf(recording);
  const [measured] = convergences(model, recording.endedMs);
  const { healedMs = 0, tookMs } = measured ?? {};
  const times = [...new Set(recording.entries.map(({ timeMs }) => timeMs))].filter(
    (timeMs) => timeMs >= healedMs,
  );
  const agreed = times.find((timeMs) => new Set(replay(recording.entries, timeMs).heads.values()).size === 1);
  assert.equal(tookMs, (agreed ?? 0) - healedMs);
  const [early] = convergences(model, healedMs + (tookMs ?? 0) - 1);
  assert.equal(early?.tookMs, null);
  assert.equal(firstAgreement(model, agreed ?? 0, recording.endedMs), agreed);
});

test("a node that is killed is gone with its connections and links, until it starts again", () => {
  const model = createRecording();
  const head = { id: "a".repeat(64), height: 0, work: "0" };
  const [one, two] = [peerName(1), peerName(2)];
  model.addNode({ n: 1, name: "node 1", peer: one });
  model.addNode({ n: 2, name: "node 2", peer: two });
  const start = { run: "r", head, version: "1" };
  model.add([
    { place: 1, timeMs: 10, node: 1, sequence: 1, type: "start", data: start },
    {
      place: 2,
      timeMs: 11,
      node: 1,
      sequence: 2,
      type: "peer",
      data: { peer: two, connected: true, reason: null },
    },
    {
      place: 3,
      timeMs: 12,
      node: 1,
      sequence: 3,
      type: "link",
      data: { peer: two, mode: "shape", out: { delayMs: 80 }, in: null, untilMs: null },
    },
    { place: 4, timeMs: 20, node: null, type: "node", data: { n: 1, state: "ended", why: "SIGKILL" } },
    { place: 5, timeMs: 30, node: 1, sequence: 4, type: "start", data: start },
  ]);
  const at = (timeMs: number) => ({ ...model.nodeAt(1, timeMs), link: model.linksAt(timeMs)[0] });
  assert.equal(at(9).state, "unknown");
  assert.equal(at(12).state, "running");
  assert.deepEqual(at(12).link?.out, { delayMs: 80 });
  assert.equal(at(12).link?.other, 2);
  assert.equal(at(20).state, "gone");
  assert.equal(at(20).why, "SIGKILL");
  assert.equal(at(20).link?.connected, false);
  assert.equal(at(20).link?.mode, "whole");
  assert.equal(at(20).head?.id, head.id);
  assert.equal(at(30).state, "running");
  assert.deepEqual(
    model.marks.map(({ kind, timeMs }) => `${kind} ${timeMs}`),
    ["gone 20", "back 30"],
  );
});

test("a block whose parent comes later is joined to it then", () => {
  const model = createRecording();
  const data = (id: string, height: number, parent: string) => ({
    id,
    height,
    parent,
    work: height.toString(16),
    difficulty: "1",
    timestampMs: height,
    proposer: "cum1x",
    peer: null,
    via: "sync" as const,
  });
  model.add([
    { place: 1, timeMs: 1, node: 1, sequence: 1, type: "header", data: data("b", 2, "a") },
    { place: 2, timeMs: 2, node: 1, sequence: 2, type: "header", data: data("a", 1, "g") },
  ]);
  const [b, a] = model.tree.blocks;
  assert.equal(b?.parent, a?.index);
  assert.deepEqual(model.tree.children(a?.index ?? -1), [b?.index]);
  assert.equal(model.tree.ancestor(0, 1)?.id, "a");
  assert.equal(model.tree.ancestor(0, 0), undefined);
});

test("a clock that is set back does not change the order in which things hold", () => {
  const history = createHistory<string>();
  history.push(10, "first");
  history.push(5, "second");
  history.push(20, "third");
  assert.equal(history.at(9), undefined);
  assert.equal(history.at(10), "second");
  assert.equal(history.at(19), "second");
  assert.equal(history.at(20), "third");
});

test("what nodes tell late stands where its time says", () => {
  const model = createRecording();
  const ref = (id: string, height: number) => ({ id, height, work: height.toString(16) });
  const reorg = (timeMs: number, node: number, place: number): RecordedEntry => ({
    place,
    timeMs,
    node,
    sequence: 1,
    type: "reorg",
    data: {
      reorg: "1",
      oldHead: ref("a", 1),
      newHead: ref("b", 1),
      forkPoint: ref("g", 0),
      depth: 1,
      receivedMs: timeMs,
      durationMs: 1,
    },
  });
  model.add([reorg(30, 1, 1), reorg(20, 2, 2), reorg(25, 3, 3)]);
  assert.deepEqual(
    model.reorgs.map(({ node }) => node),
    [2, 3, 1],
  );
  assert.deepEqual(
    model.marks.map(({ timeMs }) => timeMs),
    [20, 25, 30],
  );
});

test("another supervisor's entries are taken though their places begin anew, and the old one's split is over", () => {
  const model = createRecording();
  const split = (place: number, timeMs: number): RecordedEntry => ({
    place,
    timeMs,
    node: null,
    type: "split",
    data: { groups: [[1], [2]] },
  });
  model.add([split(7, 100)]);
  assert.equal(model.add([split(1, 200)]), 0);
  model.restartPlaces();
  assert.equal(model.splitAt(150), null);
  assert.equal(model.add([split(1, 200)]), 1);
  assert.deepEqual(
    model.marks.map(({ kind }) => kind),
    ["split", "heal", "split"],
  );
});
