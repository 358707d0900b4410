import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { refuse, refuseForNow, refuseMutated } from "../../../src/consensus/index.ts";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import {
  asked,
  blocks,
  createLab,
  genesis,
  headersOf,
  ids,
  kinds,
  nowMs,
  statusAt,
} from "../../support/planner-lab.ts";

test("a peer that shows headers and withholds their blocks, again and again, loses its connection", () => {
  const { planner } = createLab();
  const effects: string[] = [];
  for (let round = 0; round < 9; round++) {
    planner.peerStatus("liar", statusAt(300));
    assert.deepEqual(kinds(planner.headers("liar", headersOf(blocks), nowMs)), ["request-blocks liar"]);
    assert.equal(planner.receivedWork, 0n, "and keeps nobody from mining meanwhile");
    effects.push(...kinds(planner.failed("liar")));
  }
  assert.deepEqual(effects, ["disconnect liar"]);
});

test("a sync whose blocks our own chain does not take, whatever is asked for, ends", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  let next = asked(planner.headers("a", headersOf(blocks), nowMs));
  const busy = { ok: false as const, refusal: undefined };
  let rounds = 0;
  while (planner.progress !== undefined && rounds++ < 100) {
    const coming = next;
    next = asked(planner.bodies("a", coming));
    for (const id of coming) {
      const more = asked(planner.imported("a", id, busy));
      if (more.length > 0) next = more;
    }
  }
  assert.equal(planner.progress, undefined);
  assert.ok(rounds <= 10, `${rounds} rounds`);
});

test("a peer whose invalid block shows only after it was replaced loses its connection too", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.bodies("a", asked(planner.headers("a", headersOf(blocks), nowMs)));
  assert.deepEqual(kinds(planner.failed("a")), ["request-blocks b"]);
  const refusal = refuse("STA-01", "another state root");
  const effects = planner.imported("a", ids[0] as string, { ok: false, refusal });
  assert.equal(kinds(effects)[0], "disconnect a");
});

test("peers that claim much and stall, and come back at once, do not keep an honest one from its turn", () => {
  const { planner } = createLab();
  const asked = new Map<string, number>();
  const claim = { head: "ff".repeat(32), height: 10_000, work: 2n ** 200n };
  for (const liar of ["x", "y"]) planner.peerStatus(liar, claim);
  for (let round = 0; round < 100; round++) {
    planner.peerStatus("honest", statusAt(300));
    const peer = planner.progress?.peer ?? "";
    asked.set(peer, (asked.get(peer) ?? 0) + 1);
    planner.failed(peer);
    planner.peerGone(peer);
    if (peer !== "honest") planner.peerStatus(peer, claim);
  }
  assert.ok((asked.get("honest") ?? 0) >= 30, JSON.stringify([...asked]));
});

for (const [what, height, headers] of [
  ["nothing at all", 0, []],
  ["only what is known already", 5, headersOf(blocks.slice(0, 5))],
] as const) {
  test(`a peer that claims more work and shows ${what} is dropped`, () => {
    const { planner, connect } = createLab();
    connect(...blocks.slice(0, height));
    planner.peerStatus("liar", statusAt(300));
    const effects = planner.headers("liar", headers, nowMs);
    assert.deepEqual(kinds(effects), ["disconnect liar"]);
    assert.equal(planner.progress, undefined);
  });
}

test("a peer whose headers end with less work than it claimed is dropped, and nothing of it fetched", () => {
  const { planner, connect } = createLab();
  connect(...blocks.slice(0, 10));
  const rival = createBlockBuilder(genesis).extend(4, { proposer: "rival" });
  planner.peerStatus("a", statusAt(300));
  assert.deepEqual(kinds(planner.headers("a", headersOf(rival), nowMs)), ["disconnect a"]);
  assert.equal(planner.progress, undefined);
});

test("a peer that leaves three requests in a row unanswered loses its connection", () => {
  const { planner } = createLab();
  for (const expected of [[], [], ["disconnect a"]]) {
    planner.peerStatus("a", statusAt(30));
    assert.deepEqual(kinds(planner.failed("a")), expected);
  }
});

test("headers that do not follow each other, lack work, or build on an invalid block cost the connection", () => {
  const wrong = createBlockBuilder(genesis);
  const unmined = wrong.build({ unmined: true });
  const [first, second, third] = blocks as [Block, Block, Block];
  const cases: readonly (readonly [readonly Block[], RegExp])[] = [
    [[first, third], /HDR-11/],
    [[second, third], /HDR-11/],
    [[unmined], /HDR-03/],
    [[first, second, third], /HDR-12/],
  ];
  for (const [shown, reason] of cases) {
    const { planner } = createLab(new Set(reason.source === "HDR-12" ? [second.header.id] : []));
    planner.peerStatus("liar", statusAt(300));
    const [effect] = planner.headers("liar", headersOf(shown), nowMs);
    assert.equal(effect?.kind, "disconnect");
    assert.match(effect?.kind === "disconnect" ? effect.reason : "", reason);
  }
});

test("a peer that has not the blocks of its own headers is dropped, and another goes on", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.bodies("a", [])), ["disconnect a", "request-blocks b"]);
});

test("case 30: a mutated body is fetched again from another peer, whatever its sender's other blocks come to", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  const window = asked(planner.headers("a", headersOf(blocks), nowMs));
  planner.bodies("a", window);
  connect(...blocks.slice(0, 20));
  for (const id of window.slice(0, 20)) planner.imported("a", id, { ok: true });
  const refusal = refuseMutated("BLK-02", "not the header's");
  const effects = planner.imported("a", ids[20] as string, { ok: false, refusal });
  assert.deepEqual(kinds(effects), ["disconnect a", "request-blocks b"]);
  assert.deepEqual(asked(effects), ids.slice(20, 84));
  const orphaned = { ok: false as const, refusal: refuseForNow("HDR-11", "parent unknown") };
  for (const id of window.slice(21)) assert.deepEqual(planner.imported("a", id, orphaned), []);
  assert.equal(planner.progress?.peer, "b", "the sync goes on");
  assert.deepEqual(asked(planner.bodies("b", ids.slice(20, 84))), ids.slice(84, 148));
});

test("a mutated body is fetched from the peer that took over, though that one was asked for later ones meanwhile", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.bodies("a", asked(planner.headers("a", headersOf(blocks), nowMs)));
  const later = asked(planner.peerGone("a"));
  assert.deepEqual(later, ids.slice(64, 128));
  connect(...blocks.slice(0, 10));
  for (const id of ids.slice(0, 10)) planner.imported("a", id, { ok: true });
  const refusal = refuseMutated("BLK-02", "not the header's");
  assert.deepEqual(kinds(planner.imported("a", ids[10] as string, { ok: false, refusal })), ["disconnect a"]);
  const again = asked(planner.bodies("b", later));
  assert.deepEqual(again.slice(0, 54), ids.slice(10, 64), "what is missing comes first");
  const orphaned = { ok: false as const, refusal: refuseForNow("HDR-11", "parent unknown") };
  for (const id of later) assert.deepEqual(planner.imported("b", id, orphaned), []);
  assert.equal(planner.progress?.peer, "b", "the sync goes on");
  assert.deepEqual(asked(planner.bodies("b", again)).slice(0, 54), ids.slice(64, 118));
});

test("a mutated last body whose sender has left is fetched from the peer that took over", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(20));
  planner.peerStatus("b", statusAt(20));
  const window = asked(planner.headers("a", headersOf(blocks.slice(0, 20)), nowMs));
  planner.bodies("a", window);
  connect(...blocks.slice(0, 19));
  for (const id of window.slice(0, 19)) planner.imported("a", id, { ok: true });
  assert.deepEqual(planner.peerGone("a"), [], "nothing is left to ask b for");
  const refusal = refuseMutated("BLK-02", "not the header's");
  const effects = planner.imported("a", ids[19] as string, { ok: false, refusal });
  assert.deepEqual(kinds(effects), ["disconnect a", "request-blocks b"]);
  assert.deepEqual(asked(effects), [ids[19]]);
});

test("a peer on another branch does not go on with the lost one's bodies, and is not blamed for lacking them", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", { head: "ab".repeat(32), height: 300, work: 300n * 16n });
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-headers b"]);
});

test("a peer that took over and changed its branch since is replaced, not blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-blocks b"]);
  assert.deepEqual(planner.bodies("b", []), []);
  assert.equal(planner.progress, undefined);
});

describe("answers of 2,000 headers", () => {
  const long = createBlockBuilder(genesis).extend(2_001, { proposer: "long" });
  const page = headersOf(long.slice(0, 2_000));
  const claim = { head: long.at(-1)?.header.id ?? "", height: 2_001, work: 2_001n * 16n };
  /** Our own branch is better than the part of theirs that we have. */
  function createLongLab() {
    const lab = createLab();
    lab.connect(...long.slice(0, 2_000));
    return lab;
  }

  it("that are all known are gone past: the branch goes on behind them", () => {
    const { planner } = createLongLab();
    planner.peerStatus("a", claim);
    const [next] = planner.headers("a", page, nowMs);
    assert.deepEqual(next?.kind === "request-headers" && next.locator, [long[1_999]?.header.id]);
    const effects = planner.headers("a", headersOf(long.slice(2_000)), nowMs);
    assert.deepEqual(asked(effects), [claim.head]);
  });

  it("shown again and again get nowhere", () => {
    const { planner } = createLongLab();
    planner.peerStatus("liar", claim);
    planner.peerStatus("b", claim);
    assert.deepEqual(kinds(planner.headers("liar", page, nowMs)), ["request-headers liar"]);
    assert.deepEqual(kinds(planner.headers("liar", page, nowMs)), ["request-headers b"]);
  });

  it("with some more behind them, all known, end the sync, or show that the peer claimed too much", () => {
    for (const [work, expected] of [
      [2_001n * 16n, "request-status a"],
      [2n ** 200n, "disconnect a"],
    ] as const) {
      const { planner, connect } = createLongLab();
      planner.peerStatus("a", { ...claim, work });
      planner.headers("a", page, nowMs);
      connect(...long.slice(2_000));
      assert.deepEqual(kinds(planner.headers("a", headersOf(long.slice(2_000)), nowMs)), [expected]);
    }
  });

  it("that are all there is are no lie", () => {
    const { planner } = createLongLab();
    planner.peerStatus("a", { head: long[1_999]?.header.id ?? "", height: 2_000, work: 2_000n * 16n + 1n });
    planner.headers("a", page, nowMs);
    assert.deepEqual(kinds(planner.headers("a", [], nowMs)), ["disconnect a"], "it claimed one unit more");
    planner.peerStatus("b", { head: "ee".repeat(32), height: 2_000, work: 2_000n * 16n });
    planner.headers("b", page, nowMs);
    assert.deepEqual(kinds(planner.headers("b", [], nowMs)), ["request-status b"]);
  });

  it("that the next answer does not follow, as after a reorg of the peer, cost it nothing but its turn", () => {
    const { planner } = createLab();
    planner.peerStatus("a", claim);
    planner.peerStatus("b", statusAt(300));
    assert.deepEqual(kinds(planner.headers("a", page, nowMs)), ["request-headers a"]);
    assert.deepEqual(kinds(planner.headers("a", headersOf(blocks), nowMs)), ["request-headers b"]);
  });
});

test("a block that is invalid for good costs its sender the connection and ends that chain", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.bodies("a", asked(planner.headers("a", headersOf(blocks), nowMs)));
  const refusal = refuse("STA-01", "another state root");
  assert.deepEqual(kinds(planner.imported("a", ids[0] as string, { ok: false, refusal })), ["disconnect a"]);
  assert.equal(planner.progress, undefined);
});

test("case 11: a peer on a branch that our operator invalidated is neither followed nor punished, and asked no more", () => {
  const { planner, connect, tree } = createLab();
  connect(...blocks.slice(0, 20));
  tree.invalidate(ids[9] as string);
  assert.deepEqual(planner.peerStatus("a", statusAt(20)), [], "its head is known to stand on that branch");
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(300))), ["request-headers a"]);
  // From the fork point on: known ones first, then what builds on them.
  assert.deepEqual(kinds(planner.headers("a", headersOf(blocks.slice(9)), nowMs)), []);
  assert.equal(planner.progress, undefined);
  tree.reconsider(ids[9] as string);
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(300))), ["request-headers a"]);
  assert.deepEqual(kinds(planner.headers("a", headersOf(blocks.slice(20)), nowMs)), ["request-blocks a"]);
});
