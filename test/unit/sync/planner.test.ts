import assert from "node:assert/strict";
import { test } from "node:test";
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
  nowMs,
  refusedBy,
  statusAt,
} from "../../support/planner-lab.ts";

const all = statusAt(400);

test("a better claim is followed headers first, then bodies in windows, and the peer is asked again at the end", () => {
  const lab = createLab();
  const effects = [...lab.status("a", all), ...lab.run("a")];
  assert.deepEqual(kinds(effects), [
    "request-headers a",
    ...Array.from({ length: Math.ceil(400 / 64) }, () => "request-blocks a"),
    "request-status a",
  ]);
  assert.deepEqual(handed(effects), ids, "in the order of their heights");
  assert.equal(lab.planner.progress, undefined);
  assert.equal(lab.head(), ids[399]);
});

test("a claim of no more work than ours asks for nothing; a tie with an unknown head is fetched", () => {
  const lab = createLab();
  lab.connect(...blocks.slice(0, 10));
  assert.deepEqual(lab.status("a", statusAt(10)), []);
  assert.deepEqual(lab.status("a", statusAt(3)), []);
  const rival = { head: "ee".repeat(32), height: 10, work: 160n };
  assert.deepEqual(kinds(lab.status("b", rival)), ["request-headers b"]);
});

test("headers are asked of one peer at a time: the one that has waited longest, whatever the others claim", () => {
  const lab = createLab();
  assert.deepEqual(kinds(lab.status("a", statusAt(5))), ["request-headers a"]);
  assert.deepEqual(lab.status("b", statusAt(7)), []);
  assert.deepEqual(lab.status("c", statusAt(9)), []);
  assert.deepEqual(kinds(lab.gone("a")), ["request-headers b"]);
  lab.status("a", all);
  assert.deepEqual(kinds(lab.fail("b")), ["request-headers a"]);
  assert.deepEqual(kinds(lab.fail("a")), ["request-headers c"]);
});

test("a slow link gets smaller requests, until it answers", () => {
  const lab = createLab();
  lab.status("slow", all);
  lab.headers("slow", blocks);
  const sizes: number[] = [];
  for (let round = 0; round < 8; round++) {
    sizes.push(lab.windows("slow")[0]?.ids.length ?? 0);
    while (lab.windows("slow").length > 0) lab.fail("slow");
    lab.status("slow", all);
  }
  assert.deepEqual(sizes, [64, 32, 16, 8, 4, 2, 1, 1]);
  assert.deepEqual(asked(lab.bodies("slow")).slice(0, 2), ids.slice(1, 3), "twice as many again");
});

test("a slow link gets fewer headers at once", () => {
  const lab = createLab();
  const sizes: number[] = [];
  for (let round = 0; round < 2; round++) {
    const [request] = lab.status("slow", all);
    sizes.push(request?.kind === "request-headers" ? request.max : 0);
    lab.fail("slow");
  }
  const [request] = lab.status("slow", all);
  sizes.push(request?.kind === "request-headers" ? request.max : 0);
  assert.deepEqual(sizes, [2_000, 1_000, 500]);
});

test("a window holds fewer blocks where the last ones were big", () => {
  const big = createBlockBuilder(genesis).extend(40, { proposer: "big" });
  // Bytes are all that counts here.
  known(big.map((block) => ({ ...block, bodyBytes: new Uint8Array(300_000) })));
  const lab = createLab();
  lab.status("a", { head: big.at(-1)?.header.id ?? "", height: 40, work: 640n });
  lab.headers("a", big);
  assert.deepEqual(
    lab.windows("a").map((window) => window.ids.length),
    [40],
  );
  assert.deepEqual(
    lab.bodies("a", 4) && lab.windows("a").map((window) => window.ids.length),
    [3, 3],
    "a megabyte at once",
  );
});

test("a peer that failed is not asked again before it says something new", () => {
  const lab = createLab();
  lab.status("a", statusAt(30));
  assert.deepEqual(lab.fail("a"), []);
  assert.equal(lab.planner.progress, undefined);
  assert.deepEqual(kinds(lab.status("a", statusAt(30))), ["request-headers a"]);
});

test("a peer that shows what it claims is not dropped because it came another way meanwhile", () => {
  const lab = createLab();
  lab.status("a", statusAt(5));
  lab.connect(...blocks.slice(0, 5));
  assert.deepEqual(kinds(lab.headers("a", blocks.slice(0, 5))), ["request-status a"]);
});

test("claims and headers are not work: a chain counts as better once its blocks come in", () => {
  const lab = createLab();
  lab.status("a", { head: "ff".repeat(32), height: 9, work: 2n ** 255n });
  assert.equal(lab.planner.receivedWork, 0n);
  lab.gone("a");
  lab.status("b", statusAt(30));
  lab.headers("b", blocks.slice(0, 30));
  assert.equal(lab.planner.receivedWork, 0n);
  lab.bodies("b", 5);
  assert.equal(lab.planner.receivedWork, 480n);
});

test("a header ahead of our clock is waited for, not asked for in a loop", () => {
  const lab = createLab();
  const early = genesis.spec.genesisTimestampMs - genesis.spec.driftMs;
  lab.status("a", statusAt(30));
  assert.deepEqual(lab.headers("a", blocks.slice(0, 30), early), []);
  assert.equal(lab.planner.progress, undefined);
});

test("case 14: headers too far ahead of the clock end the chain there, and nobody is blamed", () => {
  const lab = createLab();
  lab.status("a", all);
  const earlyMs = (blocks[9]?.header.header.core.timestampMs ?? 0) - genesis.spec.driftMs;
  const effects = lab.headers("a", blocks, earlyMs);
  assert.deepEqual(kinds(effects), ["request-blocks a"]);
  assert.deepEqual(asked(effects), ids.slice(0, 10));
});

test("what our own chain cannot take is handed over once more, and then the sync ends and nobody is blamed", () => {
  const lab = createLab();
  lab.status("a", statusAt(5));
  lab.headers("a", blocks.slice(0, 5));
  lab.bodies("a");
  for (const round of ["first", "again"]) {
    assert.deepEqual([...lab.importing.keys()], ids.slice(0, 5), round);
    for (const id of ids.slice(0, 5)) assert.deepEqual(kinds(lab.imported(id, refusedBy(undefined))), []);
  }
  assert.equal(lab.planner.progress, undefined);
  const effects = lab.status("a", statusAt(5));
  assert.deepEqual(kinds(effects), ["request-headers a"], "until it is said again");
});

test("peers are remembered up to a bound, and answers that nobody asked for change nothing", () => {
  const lab = createLab();
  for (let i = 0; i < 2_000; i++) lab.status(`poor ${i}`, statusAt(0));
  assert.deepEqual(lab.status("late", all), []);
  const { planner } = createLab();
  const now = { nowMs, monotonicMs: 0 };
  const headers = blocks.map(({ header }) => header);
  assert.deepEqual(planner.headers(7, headers, now), []);
  assert.deepEqual(planner.bodies(7, blocks, now), []);
  assert.deepEqual(planner.imported(ids[0] as string, { ok: true }, now), []);
  assert.deepEqual(planner.failed(7, now), []);
  assert.deepEqual(planner.peerGone("stranger", now), []);
  assert.deepEqual(planner.tick(now), []);
  assert.equal(planner.progress, undefined);
  assert.equal(planner.nextTickMs, undefined);
});

test("progress tells how many blocks of how many are here, and whom they came from", () => {
  const lab = createLab();
  lab.connect(...blocks.slice(0, 100));
  lab.status("a", all);
  lab.status("b", all);
  assert.equal(lab.planner.progress?.phase, "headers");
  lab.headers("a", blocks.slice(100));
  lab.bodies("a");
  lab.bodies("b");
  for (const id of ids.slice(100, 150)) lab.imported(id, { ok: true });
  const { progress } = lab.planner;
  assert.deepEqual(progress, {
    phase: "blocks",
    shownBy: "a",
    peers: ["a", "b"],
    targetHeight: 400,
    blocksTotal: 300,
    blocksDone: 50,
  });
});
