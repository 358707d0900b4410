import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBlockBuilder } from "../../support/block-builder.ts";
import {
  asked,
  blocks,
  createLab,
  genesis,
  kinds,
  known,
  type Lab,
  statusAt,
} from "../../support/planner-lab.ts";

const long = known(createBlockBuilder(genesis).extend(2_001, { proposer: "long" }));
const rival = known(createBlockBuilder(genesis).extend(120, { proposer: "rival" }));
const page = long.slice(0, 2_000);
const idOf = (height: number): string => long[height - 1]?.header.id ?? "";
const claimAt = (height: number) => ({ head: idOf(height), height, work: BigInt(height) * 16n });
const rivalClaim = { head: rival.at(-1)?.header.id ?? "", height: 120, work: 120n * 16n };

/** A peer has shown 2,000 headers, and then nothing more. */
function brokenOff(): Lab {
  const lab = createLab();
  lab.status("a", claimAt(2_001));
  lab.headers("a", page);
  lab.fail("a");
  return lab;
}

describe("headers that broke off", () => {
  it("are gone on with by the next peer that has them, and none is asked for twice", () => {
    const lab = brokenOff();
    lab.status("b", claimAt(2_001));
    assert.equal(lab.headersAsked("b")?.locator[0], idOf(2_000));
    assert.deepEqual(asked(lab.headers("b", long.slice(2_000))).slice(0, 2), [idOf(1), idOf(2)]);
    assert.equal(lab.planner.progress?.targetHeight, 2_001);
  });

  it("are all there is where the next peer's branch ends just there", () => {
    const lab = brokenOff();
    lab.status("b", claimAt(2_000));
    assert.equal(asked(lab.headers("b", [])).at(0), idOf(1));
  });

  it("do not make a liar of a peer that has come to their end and said less before", () => {
    const lab = brokenOff();
    lab.status("b", claimAt(1_999));
    assert.deepEqual(kinds(lab.headers("b", [])), []);
    lab.status("b", claimAt(2_000));
    assert.equal(asked(lab.headers("b", [])).at(0), idOf(1));
  });

  it("do not keep a peer on another branch from showing that", () => {
    const lab = brokenOff();
    lab.status("rival", rivalClaim);
    assert.equal(lab.headersAsked("rival")?.locator.at(-1), genesis.block.header.id);
    assert.equal(asked(lab.headers("rival", rival)).at(0), rival[0]?.header.id);
    assert.equal(lab.headersAsked("rival"), undefined);
  });

  it("are forgotten where the peer that went on with them turns out to lie", () => {
    const lab = brokenOff();
    lab.status("liar", { ...claimAt(2_001), work: 2n ** 100n });
    assert.deepEqual(kinds(lab.headers("liar", long.slice(2_000))), ["disconnect liar"]);
    lab.status("b", claimAt(2_001));
    assert.equal(lab.headersAsked("b")?.locator[0], genesis.block.header.id);
  });
});

describe("a peer that answers each time, and just in time", () => {
  it("shows headers for a minute while another waits, which goes on with them; then for twice as long", () => {
    const lab = createLab();
    lab.status("slow", claimAt(2_001));
    lab.status("other", rivalClaim);
    lab.advance(59_999);
    assert.deepEqual(kinds(lab.headers("slow", page)), ["request-headers slow"]);
    const again = createLab();
    again.status("slow", claimAt(2_001));
    again.status("other", rivalClaim);
    again.advance(60_000);
    assert.deepEqual(kinds(again.headers("slow", page)), ["request-headers other"]);
    again.fail("other");
    assert.equal(again.headersAsked("slow")?.locator[0], idOf(2_000));
  });

  it("shows them as long as it likes where nobody waits", () => {
    const lab = createLab();
    lab.status("slow", claimAt(2_001));
    lab.advance(3_600_000);
    assert.deepEqual(kinds(lab.headers("slow", page)), ["request-headers slow"]);
  });

  /** Blocks of the peer come one at a time. Tells after how many another was asked for headers. */
  function dripUntilOther(lab: Lab): number {
    for (let drips = 1; drips <= 100; drips++) {
      lab.advance(10_000);
      const effects = [...lab.bodies("slow", 1), ...lab.importAll()];
      if (kinds(effects).includes("request-headers other")) return drips;
    }
    return Number.POSITIVE_INFINITY;
  }

  it("brings a block at a time for a minute while one with another branch waits; then for twice as long", () => {
    const lab = createLab();
    lab.status("slow", statusAt(400));
    lab.headers("slow", blocks);
    lab.status("other", rivalClaim);
    assert.equal(dripUntilOther(lab), 6);
    assert.equal(lab.windows("slow").length, 0);
    lab.fail("other");
    assert.equal(lab.planner.progress?.phase, "blocks", "what was begun goes on");
    lab.status("other", rivalClaim);
    assert.equal(dripUntilOther(lab), 12);
  });

  it("answers for the headers that it has shown, not for what another one adds to them", () => {
    const lab = createLab();
    lab.status("slow", statusAt(399));
    lab.headers("slow", blocks.slice(0, 399));
    lab.status("other", rivalClaim);
    dripUntilOther(lab);
    assert.equal(lab.headersAsked("other")?.locator[0], blocks[398]?.header.id);
    assert.deepEqual(kinds(lab.headers("other", [...blocks.slice(399), ...rival])).at(0), "disconnect other");
    assert.equal(lab.planner.progress?.targetHeight, 399);
  });

  it("brings them as long as it likes where nobody with another branch waits", () => {
    const lab = createLab();
    lab.status("slow", statusAt(400));
    lab.headers("slow", blocks);
    assert.equal(dripUntilOther(lab), Number.POSITIVE_INFINITY);
  });
});
