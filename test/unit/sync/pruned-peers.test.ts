import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
/** The same chain, of which only the blocks from a height on are there. */
const prunedTo = (firstHeight: number, height = 400) => statusAt(height, BigInt(height) * 16n, firstHeight);

describe("a peer that has pruned its old blocks", () => {
  it("is asked for bodies from its first height on, and others for those below", () => {
    const lab = createLab();
    lab.status("full", all);
    lab.status("pruned", prunedTo(301));
    lab.headers("full", blocks);
    assert.deepEqual(lab.windows("pruned"), []);
    const effects = lab.run("full", "pruned");
    const ofPruned = effects.filter((one) => one.kind === "request-blocks" && one.peer === "pruned");
    assert.ok(asked(ofPruned).length > 0);
    assert.deepEqual(
      asked(ofPruned).filter((id) => ids.indexOf(id) < 300),
      [],
    );
    assert.equal(lab.head(), ids[399]);
  });

  it("is a source like any other for who has the blocks below", () => {
    const lab = createLab();
    lab.connect(...blocks.slice(0, 300));
    lab.status("pruned", prunedTo(301));
    lab.headers("pruned", blocks.slice(300));
    assert.deepEqual(handed(lab.run("pruned")), ids.slice(300));
  });

  it("keeps its connection when it pruned what it was asked for meanwhile, and the rest is asked for anew", () => {
    const lab = createLab();
    lab.connect(...blocks.slice(0, 100));
    lab.status("pruner", prunedTo(101));
    lab.headers("pruner", blocks.slice(100));
    const open = lab.windows("pruner").length;
    for (let i = 0; i < open; i++) assert.deepEqual(reasons(lab.bodies("pruner", 0)), []);
    assert.deepEqual(kinds(lab.status("pruner", prunedTo(150))), []);
    assert.equal(lab.planner.progress, undefined, "it waits, and does not spin");
    assert.deepEqual(lab.planner.obstacle, { code: "PEERS_PRUNED", neededHeight: 101, firstHeight: 150 });
    const effects = lab.status("full", all);
    assert.deepEqual(
      kinds(effects).filter((kind) => kind.startsWith("request-headers")),
      [],
      "the headers are here",
    );
    lab.run("full", "pruner");
    assert.equal(lab.head(), ids[399]);
  });

  it("that says so before its answer comes is not even asked for its status", () => {
    const lab = createLab();
    lab.status("pruner", all);
    lab.status("full", all);
    lab.headers("pruner", blocks);
    lab.status("pruner", prunedTo(250));
    assert.deepEqual(
      kinds(lab.bodies("pruner", 0)).filter((kind) => kind.endsWith("pruner")),
      [],
    );
    lab.bodies("pruner", 0);
    lab.run("full", "pruner");
    assert.equal(lab.head(), ids[399]);
  });

  it("cannot lower what it said: statuses overtake each other, and who claims blocks anew may lie anew", () => {
    const lab = createLab();
    lab.status("full", all);
    lab.status("pruned", prunedTo(301));
    lab.status("pruned", prunedTo(1));
    lab.headers("full", blocks);
    assert.deepEqual(lab.windows("pruned"), []);
    lab.gone("pruned");
    lab.status("pruned", all);
    assert.equal(lab.windows("pruned").length, 2, "over another connection it may have got them");
  });

  it("may not withhold them for ever by pruning a bit more each time", () => {
    const lab = createLab();
    lab.status("liar", all);
    lab.headers("liar", blocks);
    const dropped: string[] = [];
    for (let round = 1; round < 300 && dropped.length === 0; round++) {
      lab.connect(...blocks.slice(round - 1, round));
      while (lab.windows("liar").length > 0) dropped.push(...reasons(lab.bodies("liar", 0)));
      lab.status("liar", prunedTo(round + 1));
    }
    assert.deepEqual(dropped, ["9 requests for blocks in a row without a usable answer"]);
  });
});

describe("a node that is connected to pruned peers only", () => {
  it("fetches the headers once, says what it lacks, and goes on when a full node comes", () => {
    const lab = createLab();
    lab.status("a", prunedTo(300));
    assert.deepEqual(kinds(lab.headers("a", blocks)), []);
    assert.deepEqual(lab.planner.obstacle, { code: "PEERS_PRUNED", neededHeight: 1, firstHeight: 300 });
    assert.equal(lab.planner.progress, undefined, "it does not say that it syncs");
    assert.equal(lab.planner.receivedWork, 0n, "and may mine");
    for (let round = 0; round < 5; round++) assert.deepEqual(lab.status("a", prunedTo(300)), []);
    assert.deepEqual(lab.status("b", prunedTo(200)), [], "nor of another one that stands there");
    lab.status("c", { head: "cc".repeat(32), height: 401, work: 401n * 16n, firstHeight: 250 });
    assert.deepEqual(kinds(lab.headers("c", blocks)), [], "one that is ahead shows the beginning");
    assert.deepEqual(lab.planner.obstacle, { code: "PEERS_PRUNED", neededHeight: 1, firstHeight: 200 });
    assert.deepEqual(kinds(lab.status("full", all)), ["request-blocks full", "request-blocks full"]);
    assert.equal(lab.planner.obstacle, undefined);
    lab.run("full", "a", "b", "c");
    assert.equal(lab.head(), ids[399]);
  });

  it("looks at one header when such a peer's head moves, not at all of them", () => {
    const lab = createLab();
    lab.status("a", prunedTo(300, 390));
    lab.headers("a", blocks.slice(0, 390));
    const [probe, ...more] = lab.status("a", prunedTo(300, 391));
    assert.deepEqual([probe?.kind, more], ["request-headers", []]);
    assert.ok(probe?.kind === "request-headers");
    assert.deepEqual([probe.max, probe.locator[0]], [1, genesis.block.header.id]);
    assert.deepEqual(lab.headers("a", blocks.slice(0, 1)), []);
    assert.deepEqual(lab.status("a", prunedTo(300, 391)), []);
  });

  it("follows such a peer to another branch that it can give", () => {
    const lab = createLab();
    lab.connect(...blocks.slice(0, 10));
    const builder = createBlockBuilder(genesis);
    builder.extend(10);
    const rival = known(builder.extend(20, { parent: ids[9] as string, proposer: "rival" }));
    // Its branch leaves ours below what it has.
    const deep = known(builder.extend(40, { parent: genesis.block.header.id, proposer: "deep" }));
    const deepStatus = { head: deep.at(-1)?.header.id ?? "", height: 40, work: 640n, firstHeight: 8 };
    lab.status("a", deepStatus);
    lab.headers("a", deep);
    assert.equal(lab.planner.obstacle?.code, "PEERS_PRUNED");
    const claim = { head: rival.at(-1)?.header.id ?? "", height: 30, work: 480n, firstHeight: 8 };
    lab.status("a", claim);
    assert.equal(lab.headersAsked("a")?.max, 1);
    const [next] = lab.headers("a", blocks.slice(0, 1));
    assert.ok(
      next?.kind === "request-headers" && next.max === 2_000,
      "it is another branch: the rest is wanted",
    );
    assert.deepEqual(
      asked(lab.headers("a", [...blocks.slice(1, 10), ...rival])),
      rival.map(({ header }) => header.id),
    );
  });

  it("drops one that claims more work than its headers have, pruned or not", () => {
    const lab = createLab();
    lab.status("liar", { ...prunedTo(399), work: 2n ** 200n });
    assert.deepEqual(reasons(lab.headers("liar", blocks)), ["claims more work than it shows"]);
    assert.equal(lab.planner.obstacle, undefined);
  });
});

describe("a branch that leaves our chain where it is pruned", () => {
  const ours = createBlockBuilder(genesis).extend(120, { proposer: "ours" });
  /** Our chain with the blocks from 50 on, and others on a better branch from genesis on. */
  function createPrunedLab() {
    const lab = createLab();
    lab.connect(...ours);
    lab.prune(50);
    return lab;
  }

  it("is not downloaded, told once, and held against nobody", () => {
    const lab = createPrunedLab();
    lab.status("a", all);
    const branch = { forkHeight: 0, work: 6_400n, firstHeight: 50 };
    assert.deepEqual(lab.headers("a", blocks), [{ kind: "report", peer: "a", ...branch }]);
    assert.deepEqual(lab.planner.obstacle, { code: "BRANCH_CUT_OFF", ...branch });
    assert.deepEqual(lab.status("a", all), [], "and not asked for again");
    lab.status("b", all);
    assert.deepEqual(lab.headers("b", blocks.slice(0, 200)), [], "nor of another peer");
    assert.equal(lab.planner.progress, undefined);
    lab.gone("a");
    lab.gone("b");
    assert.equal(lab.planner.obstacle, undefined);
  });

  it("is followed where it leaves at the last block below what is stored whole, and not one below", () => {
    for (const [firstHeight, isFollowed] of [
      [50, true],
      [51, true],
      [52, false],
    ] as const) {
      const lab = createLab();
      lab.connect(...blocks.slice(0, 60));
      lab.prune(firstHeight);
      const builder = createBlockBuilder(genesis);
      builder.extend(50);
      const rival = known(builder.extend(30, { parent: ids[49] as string, proposer: "rival" }));
      lab.status("a", { head: rival.at(-1)?.header.id ?? "", height: 80, work: 1_280n });
      const effects = lab.headers("a", rival);
      assert.deepEqual(kinds(effects), [isFollowed ? "request-blocks a" : "report a"], String(firstHeight));
    }
  });

  it("of which we had a part is given up as well, once that is forgotten", () => {
    const lab = createLab();
    lab.connect(...ours, ...blocks.slice(0, 100));
    assert.equal(lab.head(), ours.at(-1)?.header.id);
    lab.status("a", all);
    assert.deepEqual(kinds(lab.headers("a", blocks.slice(100))), ["request-blocks a", "request-blocks a"]);
    lab.prune(50);
    assert.deepEqual(kinds(lab.bodies("a")), ["report a", "cancel a"]);
  });

  it("is given up where our chain is pruned so far while its blocks come", () => {
    const lab = createLab();
    lab.connect(...ours);
    lab.status("a", all);
    lab.headers("a", blocks);
    assert.equal(lab.windows("a").length, 2);
    lab.prune(2);
    assert.deepEqual(kinds(lab.bodies("a")), ["report a", "cancel a"]);
    assert.equal(lab.planner.obstacle?.code, "BRANCH_CUT_OFF");
  });

  it("is not what our own chain is that a sync has made longer than it is stored", () => {
    const lab = createLab();
    lab.status("a", all);
    lab.headers("a", blocks);
    lab.bodies("a");
    lab.importAll();
    lab.prune(40);
    lab.run("a");
    assert.equal(lab.head(), ids[399]);
  });

  it("shown without the work that it claims costs the connection", () => {
    const lab = createPrunedLab();
    lab.status("liar", { ...all, work: 2n ** 100n });
    assert.deepEqual(reasons(lab.headers("liar", blocks)), ["claims more work than it shows"]);
    assert.equal(lab.planner.obstacle, undefined);
  });
});
