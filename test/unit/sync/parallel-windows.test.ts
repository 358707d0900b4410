import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
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
  statusAt,
} from "../../support/planner-lab.ts";

const all = statusAt(400);
const long = known(createBlockBuilder(genesis).extend(1_500, { proposer: "long" }));
const longIds = long.map(({ header }) => header.id);
const longStatus = { head: longIds.at(-1) ?? "", height: 1_500, work: 1_500n * 16n };

/** A lab where the headers of `blocks` were shown by the first of some peers that all stand on them. */
function createSyncing(...peers: readonly string[]) {
  const lab = createLab();
  for (const peer of peers) lab.status(peer, all);
  lab.headers(peers[0] as string, blocks);
  return lab;
}

describe("bodies in parallel", () => {
  it("are asked for in windows that do not overlap, from all peers that have them, two at a time of each", () => {
    const lab = createSyncing("a", "b", "c");
    const windows = lab.windows();
    assert.deepEqual(
      windows.map(({ peer }) => peer),
      ["a", "b", "c", "a", "b", "c"],
    );
    assert.deepEqual(
      windows.flatMap((window) => window.ids),
      ids.slice(0, 6 * 64),
    );
  });

  it("are eight windows at most", () => {
    const lab = createSyncing("a", "b", "c", "d", "e", "f");
    assert.equal(lab.windows().length, 7, "that is all there is");
    const other = createLab();
    for (let i = 0; i < 10; i++) other.status(`peer ${i}`, longStatus);
    other.headers("peer 0", long);
    assert.equal(other.windows().length, 8);
  });

  it("are handed over in the order of their heights, whatever comes first", () => {
    const lab = createSyncing("a", "b", "c");
    assert.deepEqual(handed([...lab.bodies("c"), ...lab.bodies("b")]), []);
    assert.deepEqual(handed(lab.bodies("a")), ids.slice(0, 128), "as many as may be imported at once");
  });

  it("wait for import up to a bound, and no further ahead of the lowest that is missing than another", () => {
    const lab = createLab();
    lab.status("slow", longStatus);
    lab.status("fast", longStatus);
    const effects = lab.headers("slow", long);
    while (lab.windows("fast").length > 0) effects.push(...lab.bodies("fast"));
    assert.deepEqual(asked(effects), longIds.slice(0, 1_024));
    assert.equal(lab.windows("slow").length, 2);
    assert.equal(lab.importing.size, 0);
    lab.bodies("slow");
    assert.equal(lab.importing.size, 128, "up to the slow one's other window");
    lab.bodies("slow");
    assert.equal(lab.importing.size, 128, "more wait with us, not in the chain's queue");
  });

  it("stop at 16 MiB that wait, except for what all others wait for", () => {
    const mebibyte = 1024 * 1024;
    const big = createBlockBuilder(genesis).extend(60, { proposer: "bytes" });
    // From the 14th on they are bigger than those before let expect.
    known(big.map((block, i) => ({ ...block, bodyBytes: new Uint8Array(i < 13 ? mebibyte : 8 * mebibyte) })));
    const lab = createLab();
    const claim = { head: big.at(-1)?.header.id ?? "", height: 60, work: 960n };
    lab.status("a", claim);
    lab.status("b", claim);
    lab.headers("a", big);
    // Of its first window only one block comes, and says how big they are.
    lab.bodies("a", 1);
    const lowest = big[1]?.header.id;
    assert.equal(lab.windows("a")[0]?.ids[0], lowest);
    let answers = 0;
    for (; answers < 100 && lab.windows("b").length > 0; answers++) lab.bodies("b");
    assert.ok(answers >= 12 && answers <= 14, `${answers} blocks of b wait`);
    lab.gone("a");
    assert.deepEqual(
      lab.windows("b").map(({ ids: open }) => open),
      [[lowest]],
      "or nothing would ever go on",
    );
  });
});

describe("who can have the blocks", () => {
  it("a peer whose head is in the middle of the headers is asked for those up to it", () => {
    const lab = createLab();
    lab.status("a", all);
    lab.status("behind", statusAt(100));
    lab.headers("a", blocks);
    assert.deepEqual(
      lab.windows("behind").flatMap((window) => window.ids),
      ids.slice(64, 100),
    );
  });

  it("a peer that is further along is asked, and believed when it says that it has another branch", () => {
    const lab = createLab();
    lab.status("a", all);
    lab.headers("a", blocks);
    lab.status("b", { head: "ab".repeat(32), height: 401, work: 401n * 16n });
    const given = lab.windows("b").flatMap((window) => window.ids);
    assert.deepEqual(given, ids.slice(128, 256));
    assert.deepEqual(reasons(lab.bodies("b", 0)), []);
    lab.bodies("b", 0);
    assert.deepEqual(lab.windows("b"), [], "it is not asked again");
    lab.bodies("a");
    assert.deepEqual(lab.windows("a").at(-1)?.ids, given.slice(0, 64));
  });

  it("a peer that comes later helps at once", () => {
    const lab = createSyncing("a");
    assert.deepEqual(kinds(lab.status("late", all)), ["request-blocks late", "request-blocks late"]);
    assert.deepEqual(asked(lab.status("behind", statusAt(300))), ids.slice(256, 300));
  });

  it("a peer with less work than the headers, and with a head that is not among them, is not asked", () => {
    const lab = createLab();
    lab.status("a", all);
    lab.status("b", { head: "ab".repeat(32), height: 300, work: 300n * 16n });
    lab.headers("a", blocks);
    assert.deepEqual(lab.windows("b"), []);
    assert.equal(kinds(lab.gone("a")).at(-1), "request-headers b", "but has its turn when the others fail");
  });

  it("a peer that moved on along the chain is still asked", () => {
    const lab = createSyncing("a", "b");
    lab.status("b", { head: "cd".repeat(32), height: 410, work: 100n });
    lab.bodies("b");
    assert.equal(lab.windows("b").length, 2);
  });
});

describe("case 31: a peer that is lost in the middle of a sync", () => {
  it("leaves its windows to others, and nothing that came is fetched twice", () => {
    const lab = createSyncing("a", "b", "c");
    const came = ["a", "b", "c"].flatMap((peer) => lab.windows(peer)[0]?.ids ?? []);
    for (const peer of ["a", "b", "c"]) lab.bodies(peer);
    lab.importAll();
    const open = ["b", "c"].flatMap((peer) => lab.windows(peer).flatMap((window) => window.ids));
    const owed = lab.windows("a").flatMap((window) => window.ids);
    assert.equal(owed.length, 80);
    const again = asked([...lab.gone("a"), ...lab.run("b", "c")]);
    assert.equal(lab.head(), ids[399]);
    assert.deepEqual(again, owed, "all that it owed, once");
    assert.deepEqual(
      again.filter((id) => came.includes(id) || open.includes(id)),
      [],
    );
  });

  it("when it was the only one, the next to come goes on without showing the headers again", () => {
    const lab = createSyncing("a");
    lab.bodies("a");
    lab.importAll();
    lab.gone("a");
    assert.equal(lab.planner.progress, undefined);
    assert.deepEqual(kinds(lab.status("b", all)), ["request-blocks b", "request-blocks b"]);
    lab.run("b");
    assert.equal(lab.head(), ids[399]);
  });

  it("whose answer comes late changes nothing", () => {
    const lab = createSyncing("a", "b");
    const [open] = lab.windows("a");
    lab.gone("a");
    const now = { nowMs: 0, monotonicMs: 0 };
    assert.deepEqual(lab.planner.bodies(open?.request ?? 0, blocks.slice(0, 64), now), []);
  });
});

describe("case 29: a peer that withholds the window that everything waits for", () => {
  it("is replaced after 2 s, the next one after 4, the next after 8, and then always", () => {
    const lab = createLab();
    for (const peer of ["a", "b", "c", "d", "honest"]) lab.status(peer, statusAt(64));
    lab.headers("a", blocks.slice(0, 64));
    const holder = () => lab.windows()[0]?.peer ?? "";
    for (const [peer, waitMs] of [
      ["a", 2_000],
      ["b", 4_000],
      ["c", 8_000],
      ["d", 8_000],
    ] as const) {
      assert.equal(holder(), peer);
      lab.advance(waitMs - 1);
      assert.equal(holder(), peer, `not before ${waitMs} ms`);
      lab.advance(1);
      assert.equal(lab.windows().length, 1, "one peer at a time");
    }
    lab.run("honest");
    assert.equal(lab.head(), ids[63], "the sync completes");
  });

  it("is waited for shorter again after answers have come", () => {
    const lab = createLab();
    for (const peer of ["late", "b"]) lab.status(peer, longStatus);
    lab.headers("late", long);
    while (lab.windows("b").length > 0) lab.bodies("b");
    lab.advance(2_000);
    for (let i = 0; i < 4; i++) {
      lab.bodies("b");
      lab.importAll();
    }
    lab.status("late", longStatus);
    lab.bodies("b");
    assert.equal(lab.windows("late").length, 1);
    while (lab.windows("b").length > 0) {
      lab.bodies("b");
      lab.importAll();
    }
    const waitMs = (lab.planner.nextTickMs ?? 0) - 2_000;
    assert.equal(waitMs, 2_000, "not 4 s as after the first");
  });

  it("is not replaced while our own chain is at work, nor where nobody else could do better", () => {
    const busy = createLab();
    for (const peer of ["a", "b"]) busy.status(peer, statusAt(128));
    busy.headers("a", blocks.slice(0, 128));
    busy.bodies("a");
    busy.advance(60_000);
    assert.equal(busy.windows("b").length, 1, "the chain has blocks to import");
    busy.importAll();
    busy.advance(1_999);
    assert.equal(busy.windows("b").length, 1, "and its time begins when it has none");
    busy.advance(1);
    assert.equal(busy.windows("a").length, 1);
    const alone = createSyncing("a");
    assert.equal(alone.planner.nextTickMs, undefined);
    alone.advance(60_000);
    assert.equal(alone.windows("a").length, 2);
  });

  it("keeps its connection, and is asked for less when it comes back", () => {
    const lab = createLab();
    lab.status("late", longStatus);
    lab.status("b", longStatus);
    lab.headers("late", long);
    while (lab.windows("b").length > 0) lab.bodies("b");
    const effects = lab.advance(2_000);
    assert.deepEqual(kinds(effects), ["cancel late", "cancel late", "request-blocks b", "request-blocks b"]);
    assert.deepEqual(lab.windows("b")[0]?.ids, longIds.slice(0, 64));
    lab.bodies("b");
    lab.importAll();
    lab.status("late", longStatus);
    assert.deepEqual(
      lab.windows("late").map((window) => window.ids.length),
      [32],
      "half as much, and one window at a time",
    );
  });

  it("again and again loses its connection, with a reason", () => {
    const lab = createLab();
    for (const peer of ["x", "y"]) lab.status(peer, statusAt(64));
    lab.headers("x", blocks.slice(0, 64));
    const effects: SyncEffect[] = [];
    for (let round = 0; round < 40; round++) {
      // Requests that nobody replaces end by their own deadline.
      effects.push(...lab.advance(10_000));
      for (const { peer } of lab.windows()) effects.push(...lab.fail(peer));
      for (const peer of ["x", "y"]) effects.push(...lab.status(peer, statusAt(64)));
    }
    const reason = "9 requests for blocks in a row without a usable answer";
    assert.equal(reasons(effects)[0], reason);
  });
});

test("a sync whose peers all withhold ends, and starts again with what they say next", () => {
  const lab = createSyncing("a", "b");
  for (const peer of ["a", "b", "a", "b"]) if (lab.windows(peer).length > 0) lab.fail(peer);
  assert.equal(lab.planner.progress, undefined);
  assert.deepEqual(kinds(lab.status("b", all)), ["request-blocks b"]);
});
