import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { refuse, refuseForNow, refuseMutated } from "../../../src/consensus/index.ts";
import type { Block } from "../../../src/primitives/index.ts";
import type { SyncEffect } from "../../../src/sync/index.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import {
  asked,
  blocks,
  createLab,
  genesis,
  handed,
  ids,
  kinds,
  known,
  reasons,
  refusedBy,
  statusAt,
} from "../../support/planner-lab.ts";

const all = statusAt(400);
const faults = (effects: readonly SyncEffect[]): boolean[] =>
  effects.flatMap((effect) => (effect.kind === "disconnect" ? [effect.isFault] : []));
const orphaned = refusedBy(refuseForNow("HDR-11", "parent unknown"));
const mutated = refusedBy(refuseMutated("BLK-02", "not the header's"));

test("case 29: a peer that shows headers and withholds their blocks, again and again, loses its connection", () => {
  const lab = createLab();
  lab.status("liar", all);
  lab.headers("liar", blocks);
  const effects: string[] = [];
  for (let round = 0; round < 9; round++) {
    assert.equal(lab.planner.receivedWork, 0n, "and keeps nobody from mining meanwhile");
    effects.push(...reasons(lab.fail("liar")));
    if (lab.windows().length > 0) lab.fail("liar");
    assert.equal(lab.planner.progress, undefined);
    const again = kinds(lab.status("liar", all));
    assert.ok(!again.includes("request-headers liar"), "what it showed is not asked for again");
  }
  assert.deepEqual(effects, ["9 requests for blocks in a row without a usable answer"]);
  assert.deepEqual(lab.windows(), [], "whatever it says until it is gone");
});

test("a peer that gave one block of its headers keeps us from mining by it once, and not with each new request", () => {
  const lab = createLab();
  lab.status("liar", all);
  lab.headers("liar", blocks);
  lab.bodies("liar", 1);
  lab.importAll();
  assert.notEqual(lab.planner.receivedWork, 0n);
  while (lab.windows().length > 0) lab.fail("liar");
  lab.status("liar", all);
  assert.equal(lab.planner.progress?.phase, "blocks");
  assert.equal(lab.planner.receivedWork, 0n);
  lab.bodies("liar", 1);
  assert.notEqual(lab.planner.receivedWork, 0n, "the next block has come");
});

test("a peer whose invalid block shows only after it was replaced loses its connection too", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.status("b", all);
  lab.headers("a", blocks);
  lab.bodies("a");
  lab.fail("a");
  assert.equal(lab.windows("b").length, 2);
  const effects = lab.imported(ids[0] as string, refusedBy(refuse("STA-01", "another state root")));
  assert.equal(kinds(effects)[0], "disconnect a");
});

test("peers that claim much and stall, and come back at once, do not keep an honest one from its turn", () => {
  const lab = createLab();
  const turns = new Map<string, number>();
  const claim = { head: "ff".repeat(32), height: 10_000, work: 2n ** 200n };
  for (const liar of ["x", "y"]) lab.status(liar, claim);
  for (let round = 0; round < 100; round++) {
    lab.status("honest", all);
    const peer = lab.planner.progress?.shownBy ?? "";
    turns.set(peer, (turns.get(peer) ?? 0) + 1);
    lab.fail(peer);
    lab.gone(peer);
    if (peer !== "honest") lab.status(peer, claim);
  }
  assert.ok((turns.get("honest") ?? 0) >= 30, JSON.stringify([...turns]));
});

test("peers that stand on a chain without blocks, ever new ones, do not keep one with another from its turn", () => {
  const lab = createLab();
  const junk = known(createBlockBuilder(genesis).extend(30, { proposer: "junk" }));
  const claim = { head: junk.at(-1)?.header.id ?? "", height: 30, work: 480n };
  lab.status("liar 0", claim);
  lab.headers("liar 0", junk);
  lab.status("honest", all);
  // It has another branch, and says so when it is asked for blocks of this one.
  for (let i = 1; i < 100 && lab.planner.progress?.phase === "blocks"; i++) {
    lab.status(`liar ${i}`, claim);
    if (lab.windows("honest").length > 0) lab.bodies("honest", 0);
    const [open] = lab.windows();
    if (open !== undefined) lab.fail(open.peer);
  }
  assert.equal(lab.planner.progress?.shownBy, "honest");
  lab.headers("honest", blocks);
  lab.run("honest");
  assert.equal(lab.head(), ids[399]);
});

for (const [what, height, shown] of [
  ["nothing at all", 0, []],
  ["only what is known already", 5, blocks.slice(0, 5)],
] as const) {
  test(`a peer that claims more work and shows ${what} is dropped`, () => {
    const lab = createLab();
    lab.connect(...blocks.slice(0, height));
    lab.status("liar", all);
    assert.deepEqual(reasons(lab.headers("liar", shown)), ["claims more work than it shows"]);
    assert.equal(lab.planner.progress, undefined);
  });
}

test("a peer whose headers end with less work than it claimed is dropped, and nothing of it fetched", () => {
  const lab = createLab();
  lab.connect(...blocks.slice(0, 10));
  const rival = createBlockBuilder(genesis).extend(4, { proposer: "rival" });
  lab.status("a", all);
  assert.deepEqual(kinds(lab.headers("a", rival)), ["disconnect a"]);
  assert.equal(lab.planner.progress, undefined);
});

test("a peer that leaves three fetches of headers in a row without an end loses its connection", () => {
  const lab = createLab();
  for (const expected of [[], [], ["3 header fetches in a row without an end"]]) {
    lab.status("a", statusAt(30));
    assert.deepEqual(reasons(lab.fail("a")), expected);
  }
});

test("an answer in between clears a peer's failures, of headers and of blocks each", () => {
  const lab = createLab();
  for (let i = 0; i < 10; i++) {
    lab.status("a", statusAt(30 * (i + 1)));
    assert.deepEqual(reasons(lab.fail("a")), []);
    lab.status("a", statusAt(30 * (i + 1)));
    lab.headers("a", blocks.slice(30 * i, 30 * (i + 1)));
    lab.bodies("a", 1);
    assert.deepEqual(reasons(lab.fail("a")), []);
    lab.status("a", statusAt(30 * (i + 1)));
    lab.run("a");
  }
});

test("case 29: headers that do not follow each other, lack work, or build on an invalid block cost the connection", () => {
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
    const lab = createLab({ invalid: new Set(reason.source === "HDR-12" ? [second.header.id] : []) });
    lab.status("liar", all);
    assert.match(reasons(lab.headers("liar", shown))[0] ?? "", reason);
  }
});

test("case 29: a peer that has not the blocks of its own headers, and stays by it, is dropped, and another goes on", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.headers("a", blocks);
  assert.deepEqual(kinds(lab.bodies("a", 0)), ["request-status a"], "it may have pruned them just now");
  assert.deepEqual(kinds(lab.bodies("a", 0)), [], "what was open then counts with it");
  lab.status("a", all);
  const missing = lab.windows("a").flatMap((window) => window.ids);
  lab.status("b", all);
  const effects = lab.bodies("a", 0);
  assert.deepEqual(reasons(effects), ["has not the blocks of its own headers"]);
  assert.deepEqual(faults(effects), [true], "it says that it has all blocks, so it made them up");
  assert.deepEqual(lab.windows("a"), []);
  lab.bodies("b");
  const next = lab.windows("b").at(-1)?.ids.slice(0, missing.length);
  assert.deepEqual(next, missing, "what it owed comes first");
});

for (const [what, said, isFault] of [
  ["stands on them still", statusAt(400), true],
  ["has left them for another branch, and may have forgotten them", statusAt(410), false],
] as const) {
  test(`a peer that prunes and has not the blocks of its headers is dropped; it ${what}: ${isFault ? "" : "no "}fault`, () => {
    const lab = createLab();
    lab.status("a", { ...all, firstHeight: 1 });
    lab.headers("a", blocks);
    lab.bodies("a", 0);
    lab.bodies("a", 0);
    lab.status("a", { ...said, head: isFault ? said.head : "ab".repeat(32), firstHeight: 1 });
    assert.deepEqual(faults(lab.bodies("a", 0)), [isFault]);
  });
}

test("case 30: a mutated body is fetched again from another peer, whatever its sender's other blocks come to", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.status("b", all);
  lab.headers("a", blocks);
  const [window] = lab.windows("a");
  assert.deepEqual(window?.ids, ids.slice(0, 64));
  lab.bodies("a");
  for (const id of ids.slice(0, 20)) lab.imported(id, { ok: true });
  const effects = lab.imported(ids[20] as string, mutated);
  assert.match(reasons(effects)[0] ?? "", /BLK-02/);
  for (const id of ids.slice(21, 64)) assert.deepEqual(reasons(lab.imported(id, orphaned)), []);
  // Its honest request, open all the while, still completes.
  lab.bodies("b");
  assert.ok(lab.windows("b").some((one) => one.ids[0] === ids[20]));
  lab.run("b");
  assert.equal(lab.head(), ids[399]);
});

test("case 30: what a liar sent besides and waits for the mutated body is fetched again too, and nothing of others", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.status("b", all);
  lab.headers("a", blocks);
  const later = lab.windows("b").flatMap((window) => window.ids);
  lab.bodies("b");
  lab.bodies("b");
  lab.bodies("a");
  const effects = [...lab.imported(ids[0] as string, mutated)];
  for (const id of [...lab.importing.keys()]) effects.push(...lab.imported(id, orphaned));
  effects.push(...lab.run("b"));
  assert.equal(lab.head(), ids[399]);
  const again = asked(effects).filter((id) => later.includes(id));
  assert.deepEqual(again, []);
  const first = ids.slice(0, 64);
  assert.deepEqual(
    asked(effects).filter((id) => first.includes(id)),
    first,
  );
});

test("a mutated last body whose sender has left is fetched from another peer", () => {
  const lab = createLab();
  lab.status("a", statusAt(20));
  lab.status("b", statusAt(20));
  lab.headers("a", blocks.slice(0, 20));
  lab.bodies("a");
  for (const id of ids.slice(0, 19)) lab.imported(id, { ok: true });
  assert.deepEqual(lab.gone("a"), [], "nothing is left to ask b for");
  const effects = lab.imported(ids[19] as string, mutated);
  assert.deepEqual(kinds(effects), ["request-blocks b"]);
  assert.deepEqual(asked(effects), [ids[19]]);
});

test("a block that is invalid for good costs its sender the connection and ends that chain", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.headers("a", blocks);
  lab.bodies("a");
  const effects = lab.imported(ids[0] as string, refusedBy(refuse("STA-01", "another state root")));
  assert.equal(kinds(effects)[0], "disconnect a");
  assert.equal(lab.planner.progress, undefined);
  for (const id of ids.slice(1, 64)) lab.imported(id, refusedBy(refuse("HDR-12", "built on it")));
  assert.equal(lab.importing.size, 0);
});

test("case 28: who only had an invalid chain's blocks, and never said it stood on it, is not punished", () => {
  const lab = createLab();
  lab.status("liar", statusAt(100));
  lab.status("ahead", { head: "ab".repeat(32), height: 120, work: 120n * 16n });
  lab.headers("liar", blocks.slice(0, 100));
  assert.deepEqual(
    lab.windows().map(({ peer }) => peer),
    ["liar", "ahead"],
  );
  lab.bodies("liar");
  lab.bodies("ahead");
  for (const id of ids.slice(0, 64)) lab.imported(id, { ok: true });
  assert.equal(lab.importing.get(ids[64] as string)?.peer, "ahead");
  const effects = [...lab.imported(ids[64] as string, refusedBy(refuse("STA-01", "another state root")))];
  for (const id of [...lab.importing.keys()])
    effects.push(...lab.imported(id, refusedBy(refuse("HDR-12", "built on it"))));
  const dropped = kinds(effects).filter((kind) => kind.startsWith("disconnect"));
  assert.deepEqual(dropped, ["disconnect liar"], "and who is, once");
});

describe("answers of 2,000 headers", () => {
  const long = createBlockBuilder(genesis).extend(2_001, { proposer: "long" });
  const page = long.slice(0, 2_000);
  const claim = { head: long.at(-1)?.header.id ?? "", height: 2_001, work: 2_001n * 16n };
  /** Our own branch is better than the part of theirs that we have. */
  function createLongLab() {
    const lab = createLab();
    lab.connect(...long.slice(0, 2_000));
    return lab;
  }

  it("that are all known are gone past: the branch goes on behind them", () => {
    const lab = createLongLab();
    lab.status("a", claim);
    const [next] = lab.headers("a", page);
    assert.deepEqual(next?.kind === "request-headers" && next.locator, [long[1_999]?.header.id]);
    assert.deepEqual(asked(lab.headers("a", long.slice(2_000))), [claim.head]);
  });

  it("shown again and again get nowhere", () => {
    const lab = createLongLab();
    lab.status("liar", claim);
    lab.status("b", claim);
    assert.deepEqual(kinds(lab.headers("liar", page)), ["request-headers liar"]);
    assert.deepEqual(kinds(lab.headers("liar", page)), ["request-headers b"]);
  });

  it("with some more behind them, all known, end the sync, or show that the peer claimed too much", () => {
    for (const [work, expected] of [
      [2_001n * 16n, "request-status a"],
      [2n ** 200n, "disconnect a"],
    ] as const) {
      const lab = createLongLab();
      lab.status("a", { ...claim, work });
      lab.headers("a", page);
      lab.connect(...long.slice(2_000));
      assert.deepEqual(kinds(lab.headers("a", long.slice(2_000))), [expected]);
    }
  });

  it("that are all there is are no lie", () => {
    const lab = createLongLab();
    lab.status("a", { head: long[1_999]?.header.id ?? "", height: 2_000, work: 2_000n * 16n + 1n });
    lab.headers("a", page);
    assert.deepEqual(kinds(lab.headers("a", [])), ["disconnect a"], "it claimed one unit more");
    lab.status("b", { head: "ee".repeat(32), height: 2_000, work: 2_000n * 16n });
    lab.headers("b", page);
    assert.deepEqual(kinds(lab.headers("b", [])), ["request-status b"]);
  });

  it("do not excuse a peer that never brings its headers to an end", () => {
    const lab = createLab();
    const effects: SyncEffect[] = [];
    for (let round = 0; round < 3; round++) {
      lab.status("liar", claim);
      assert.deepEqual(kinds(lab.headers("liar", page.slice(0, lab.headersAsked("liar")?.max))).slice(0, 1), [
        "request-headers liar",
      ]);
      effects.push(...lab.fail("liar"));
    }
    assert.deepEqual(reasons(effects), ["3 header fetches in a row without an end"]);
  });

  it("that the next answer does not follow, as after a reorg of the peer, cost it nothing but its turn", () => {
    const lab = createLab();
    lab.status("a", claim);
    lab.status("b", all);
    assert.deepEqual(kinds(lab.headers("a", page)), ["request-headers a"]);
    assert.deepEqual(kinds(lab.headers("a", blocks)), ["request-headers b"]);
  });
});

test("blocks that came another way meanwhile are neither asked for nor handed over", () => {
  const lab = createLab();
  lab.status("a", all);
  lab.headers("a", blocks);
  lab.connect(...blocks.slice(0, 200));
  const effects = lab.run("a");
  assert.deepEqual(handed(effects), ids.slice(200));
  assert.deepEqual(asked(effects), ids.slice(200));
});

test("case 11: a peer on a branch that our operator invalidated is neither followed nor punished, and asked no more", () => {
  const lab = createLab();
  lab.connect(...blocks.slice(0, 20));
  lab.tree.invalidate(ids[9] as string);
  assert.deepEqual(lab.status("a", statusAt(20)), [], "its head is known to stand on that branch");
  assert.deepEqual(kinds(lab.status("a", all)), ["request-headers a"]);
  // From the fork point on: known ones first, then what builds on them.
  assert.deepEqual(kinds(lab.headers("a", blocks.slice(9))), []);
  assert.equal(lab.planner.progress, undefined);
  lab.tree.reconsider(ids[9] as string);
  assert.deepEqual(kinds(lab.status("a", all)), ["request-headers a"]);
  assert.deepEqual(kinds(lab.headers("a", blocks.slice(20))), ["request-blocks a", "request-blocks a"]);
});

test("a chain whose root our operator invalidates while nobody has its bodies is given up", () => {
  const lab = createLab();
  lab.connect(...blocks.slice(0, 20));
  lab.status("a", all);
  lab.headers("a", blocks.slice(20));
  lab.gone("a");
  lab.tree.invalidate(ids[9] as string);
  assert.deepEqual(kinds(lab.status("b", all)), ["request-headers b"]);
});
