import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatShape, parseLinkEnds, parseShape, parseSplit } from "../../../src/cluster/index.ts";

const NODES = [1, 2, 3, 4, 5];
const ends = (text: string, both = false) =>
  parseLinkEnds(text, NODES, both).map(({ from, to }) => `${from}->${to}`);

describe("the ends of links", () => {
  it("are one way or both, with an arrow or, for shells, a colon", () => {
    assert.deepEqual(ends("1->2"), ["1->2"]);
    assert.deepEqual(ends("1:2"), ["1->2"]);
    assert.deepEqual(ends("1<->2"), ["1->2", "2->1"]);
    assert.deepEqual(ends("1:2", true), ["1->2", "2->1"]);
  });

  it("may be lists and ranges, each pair once and none to itself", () => {
    assert.deepEqual(ends("1,2:3-5"), ["1->3", "1->4", "1->5", "2->3", "2->4", "2->5"]);
    assert.deepEqual(ends("1,2<->1,2"), ["1->2", "2->1"]);
    assert.equal(ends("all").length, 20);
  });

  it("that are wrong are told what is", () => {
    const wrong: [string, string, RegExp][] = [
      ["1->6", "CLUSTER_NODE_UNKNOWN", /no node 6; the nodes of this cluster are 1-5/],
      ["0:1", "CLUSTER_NODE_UNKNOWN", /no node 0/],
      ["2->2", "CLUSTER_LINK_INVALID", /no link to itself/],
      ["3-1:2", "CLUSTER_LINK_INVALID", /range 3-1 does not go upwards/],
      ["1-2", "CLUSTER_LINK_INVALID", /"1-2" names no link; write '1->2'/],
      ["1-", "CLUSTER_LINK_INVALID", /in quotes/],
      ["1->2->3", "CLUSTER_LINK_INVALID", /names no link/],
    ];
    for (const [text, code, message] of wrong)
      assert.throws(() => parseLinkEnds(text, NODES), { code, message, exitCode: 2 }, text);
  });
});

describe("the shape of a link", () => {
  it("is read with its units", () => {
    assert.deepEqual(parseShape(["delay=80ms", "jitter=0.5s", "loss=5%", "rate=1mbit"]), {
      delayMs: 80,
      jitterMs: 500,
      lossRatio: 0.05,
      bytesPerSecond: 125_000,
    });
    assert.deepEqual(parseShape(["blackhole"]), { blackhole: true });
    assert.deepEqual(parseShape(["whole"]), {});
    for (const [rate, bytesPerSecond] of [
      ["64kbit", 8_000],
      ["100kB/s", 100_000],
      ["2MB/s", 2_000_000],
      ["800bit", 100],
      ["1.5gbit", 187_500_000],
    ] as const)
      assert.deepEqual(parseShape([`rate=${rate}`]), { bytesPerSecond }, rate);
  });

  it("is shown as it is typed", () => {
    for (const text of ["delay=80ms jitter=20ms loss=5% rate=1mbit", "rate=64kbit", "blackhole", "whole"])
      assert.equal(formatShape(parseShape(text.split(" "))), text);
  });

  it("that is wrong is told by its word and its unit", () => {
    const wrong: [string, RegExp][] = [
      ["delay=80", /"delay=80" has no unit; use ms, s, such as delay=80ms/],
      ["delay=80min", /"min" is no unit of it; use ms, s/],
      ["delay=-5ms", /has no number/],
      ["delay=2000s", /too long; at most 60s/],
      ["loss=0.05", /has no unit; use %/],
      ["loss=101%", /more than all/],
      ["rate=1mb", /"mb" is no unit of it; use bit, kbit, mbit, gbit, B\/s, kB\/s, MB\/s/],
      ["rate=1bit", /less than a byte a second/],
      ["latency=5ms", /"latency=5ms" is nothing a link can be; say delay=80ms/],
      ["blackhole=no", /nothing a link can be/],
      ["delay=1ms delay=2ms", /said twice/],
      ["whole delay=1ms", /whole link is nothing else/],
    ];
    for (const [text, message] of wrong)
      assert.throws(() => parseShape(text.split(" ")), { code: "CLUSTER_LINK_INVALID", message }, text);
    assert.throws(() => parseShape([]), { code: "CLUSTER_LINK_INVALID" });
  });
});

describe("a split with names", () => {
  it("has a name for each group, or none at all", () => {
    assert.deepEqual(parseSplit("minority=1,2/majority=3-5", NODES), {
      groups: [
        [1, 2],
        [3, 4, 5],
      ],
      names: ["minority", "majority"],
    });
    assert.equal(parseSplit("1,2/3-5", NODES).names, null);
    for (const [text, message] of [
      ["minority=1,2/3-5", /1 names for 2 groups/],
      ["a=1,2/a=3-5", /two groups are called a/],
      ["1=1,2/b=3-5", /"1" is no name of a group/],
      ["=1,2/b=3-5", /"" is no name/],
      ["a=1,2/b=3-6", /no node 6/],
      ["a=1,2/b=3=4-5", /no list of groups/],
    ] as const)
      assert.throws(() => parseSplit(text, NODES), { code: "CLUSTER_GROUPS_INVALID", message }, text);
  });
});
