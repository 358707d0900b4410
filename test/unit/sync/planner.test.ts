import assert from "node:assert/strict";
import { test } from "node:test";
import type { SyncEffect } from "../../../src/sync/index.ts";
import {
  asked,
  blocks,
  createLab,
  genesis,
  headersOf,
  ids,
  kinds,
  type Lab,
  nowMs,
  statusAt,
} from "../../support/planner-lab.ts";

/** Everything the planner asks of peers that answer as they should, until it asks for nothing more. */
function runToEnd({ planner, connect }: Lab, first: readonly SyncEffect[]): string[] {
  const queue = [...first];
  const seen: string[] = [];
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    seen.push(`${effect.kind} ${effect.peer}`);
    if (effect.kind === "request-headers") {
      const from = blocks.findIndex(({ header }) => effect.locator.includes(header.id)) + 1;
      queue.push(...planner.headers(effect.peer, headersOf(blocks.slice(from)), nowMs));
    }
    if (effect.kind === "request-blocks") {
      queue.push(...planner.bodies(effect.peer, effect.ids));
      for (const id of effect.ids) {
        const block = blocks[ids.indexOf(id)];
        if (block !== undefined) connect(block);
        queue.push(...planner.imported(effect.peer, id, { ok: true }));
      }
    }
  }
  return seen;
}

test("a better claim is followed headers first, then bodies in windows, and the peer is asked again at the end", () => {
  const lab = createLab();
  const seen = runToEnd(lab, lab.planner.peerStatus("a", statusAt(300)));
  assert.deepEqual(seen, [
    "request-headers a",
    ...Array.from({ length: Math.ceil(300 / 64) }, () => "request-blocks a"),
    "request-status a",
  ]);
  assert.equal(lab.planner.progress, undefined);
});

test("a claim of no more work than ours asks for nothing; a tie with an unknown head is fetched", () => {
  const { planner, connect } = createLab();
  connect(...blocks.slice(0, 10));
  assert.deepEqual(planner.peerStatus("a", statusAt(10)), []);
  assert.deepEqual(planner.peerStatus("a", statusAt(3)), []);
  const rival = { head: "ee".repeat(32), height: 10, work: 160n };
  assert.deepEqual(kinds(planner.peerStatus("b", rival)), ["request-headers b"]);
});

test("one peer is asked at a time: the one that has waited longest, whatever the others claim", () => {
  const { planner } = createLab();
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(5))), ["request-headers a"]);
  assert.deepEqual(planner.peerStatus("b", statusAt(7)), []);
  assert.deepEqual(planner.peerStatus("c", statusAt(9)), []);
  assert.deepEqual(kinds(planner.peerGone("a")), ["request-headers b"]);
  planner.peerStatus("a", statusAt(300));
  assert.deepEqual(kinds(planner.failed("b")), ["request-headers a"]);
  assert.deepEqual(kinds(planner.failed("a")), ["request-headers c"]);
});

test("a slow link gets smaller requests, until it answers", () => {
  const { planner } = createLab();
  const sizes: number[] = [];
  for (let round = 0; round < 8; round++) {
    planner.peerStatus("slow", statusAt(300));
    sizes.push(asked(planner.headers("slow", headersOf(blocks), nowMs)).length);
    planner.failed("slow");
  }
  assert.deepEqual(sizes, [64, 32, 16, 8, 4, 2, 1, 1]);
  planner.peerStatus("slow", statusAt(300));
  const first = asked(planner.headers("slow", headersOf(blocks), nowMs));
  assert.equal(asked(planner.bodies("slow", first)).length, 2);
});

test("case 31: when a peer is lost in the middle of the bodies, another goes on where it stopped", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  const first = asked(planner.headers("a", headersOf(blocks), nowMs));
  assert.deepEqual(first, ids.slice(0, 64));
  const second = asked(planner.bodies("a", first));
  assert.deepEqual(second, ids.slice(64, 128));
  connect(...blocks.slice(0, 64));
  for (const id of first) planner.imported("a", id, { ok: true });
  const effects = planner.peerGone("a");
  assert.deepEqual(kinds(effects), ["request-blocks b"]);
  assert.deepEqual(asked(effects), ids.slice(64, 128), "nothing that came is fetched twice");
  assert.deepEqual(planner.bodies("a", second), [], "a late answer of the lost peer changes nothing");
});

test("a peer that claims less than the headers show does not take over; the sync starts anew with it", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(40));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-headers b"]);
});

test("a peer that failed is not asked again before it says something new", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(30));
  assert.deepEqual(planner.failed("a"), []);
  assert.equal(planner.progress, undefined);
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(30))), ["request-headers a"]);
});

test("no more than some blocks wait for import; asking goes on as they are taken", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  let next = asked(planner.headers("a", headersOf(blocks), nowMs));
  let coming = 0;
  while (next.length > 0) {
    coming += next.length;
    next = asked(planner.bodies("a", next));
  }
  assert.equal(coming, 256, "four windows");
  assert.deepEqual(asked(planner.imported("a", ids[0] as string, { ok: true })), ids.slice(256, 300));
});

test("a peer that shows what it claims is not dropped because it came another way meanwhile", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(5));
  connect(...blocks.slice(0, 5));
  assert.deepEqual(kinds(planner.headers("a", headersOf(blocks.slice(0, 5)), nowMs)), ["request-status a"]);
});

test("an answer in between clears a peer's failures, of headers and of blocks each", () => {
  const { planner } = createLab();
  for (let i = 0; i < 10; i++) {
    planner.peerStatus("a", statusAt(300));
    assert.deepEqual(planner.failed("a"), []);
    planner.peerStatus("a", statusAt(300));
    const [first] = asked(planner.headers("a", headersOf(blocks), nowMs));
    planner.bodies("a", [first ?? ""]);
    assert.deepEqual(planner.failed("a"), []);
  }
});

test("claims and headers are not work: a chain counts as better once its blocks come in", () => {
  const { planner } = createLab();
  planner.peerStatus("a", { head: "ff".repeat(32), height: 9, work: 2n ** 255n });
  assert.equal(planner.receivedWork, 0n);
  planner.peerGone("a");
  planner.peerStatus("b", statusAt(30));
  const window = asked(planner.headers("b", headersOf(blocks.slice(0, 30)), nowMs));
  assert.equal(planner.receivedWork, 0n);
  planner.bodies("b", window.slice(0, 5));
  assert.equal(planner.receivedWork, 480n);
});

test("a header ahead of our clock is waited for, not asked for in a loop", () => {
  const { planner } = createLab();
  const early = genesis.spec.genesisTimestampMs - genesis.spec.driftMs;
  planner.peerStatus("a", statusAt(30));
  assert.deepEqual(planner.headers("a", headersOf(blocks.slice(0, 30)), early), []);
  assert.equal(planner.progress, undefined);
});

test("case 14: headers too far ahead of the clock end the chain there, and nobody is blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  const earlyMs = (blocks[9]?.header.header.core.timestampMs ?? 0) - genesis.spec.driftMs;
  const effects = planner.headers("a", headersOf(blocks), earlyMs);
  assert.deepEqual(kinds(effects), ["request-blocks a"]);
  assert.deepEqual(asked(effects), ids.slice(0, 10));
});

test("when our own chain cannot take the blocks now, the sync ends and nobody is blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(5));
  const window = asked(planner.headers("a", headersOf(blocks.slice(0, 5)), nowMs));
  planner.bodies("a", window);
  for (const id of window) assert.deepEqual(planner.imported("a", id, { ok: false, refusal: undefined }), []);
  assert.equal(planner.progress, undefined);
  assert.deepEqual(
    kinds(planner.peerStatus("a", statusAt(5))),
    ["request-headers a"],
    "until it is said again",
  );
});

test("peers are remembered up to a bound, and answers that nobody asked for change nothing", () => {
  const { planner } = createLab();
  for (let i = 0; i < 2_000; i++) planner.peerStatus(`poor ${i}`, statusAt(0));
  assert.deepEqual(planner.peerStatus("late", statusAt(300)), []);
  const other = createLab().planner;
  assert.deepEqual(other.headers("stranger", headersOf(blocks), nowMs), []);
  assert.deepEqual(other.bodies("stranger", ids), []);
  assert.deepEqual(other.imported("stranger", ids[0] as string, { ok: true }), []);
  assert.deepEqual(other.failed("stranger"), []);
  assert.deepEqual(other.peerGone("stranger"), []);
  assert.equal(other.progress, undefined);
});
