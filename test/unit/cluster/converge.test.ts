import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  formatGroups,
  groupsOf,
  isTied,
  type NodeSnapshot,
  parseGroups,
  relateHeads,
} from "../../../src/cluster/index.ts";
import { stubStatus } from "../../support/stub-node-service.ts";

interface Shape {
  readonly id: string;
  readonly parent?: string;
  readonly tied?: readonly string[];
  readonly mining?: boolean;
  readonly refuses?: readonly string[];
}

const node = (
  n: number,
  { id, parent = "-", tied = [], mining = false, refuses = [] }: Shape,
): NodeSnapshot => ({
  n,
  pid: 1_000 + n,
  api: "",
  peer: `peer${n}`,
  state: "running",
  why: null,
  attack: null,
  refuses,
  status: {
    ...stubStatus,
    head: { ...stubStatus.head, id, parent },
    tied: tied.map((other) => ({ id: other, height: 12, work: "3000" })),
    mining: { ...stubStatus.mining, on: mining },
  },
});
const silent: NodeSnapshot = {
  n: 9,
  pid: 1_009,
  api: "",
  peer: "peer9",
  state: "ended",
  why: "killed by cluster kill",
  attack: null,
  status: undefined,
  refuses: [],
};

describe("heads of a cluster", () => {
  it("are equal, adjacent on one branch, apart, or unknown", () => {
    assert.equal(relateHeads([node(1, { id: "a" }), node(2, { id: "a" })]), "equal");
    assert.equal(relateHeads([node(1, { id: "b", parent: "a" }), node(2, { id: "a" })]), "adjacent");
    assert.equal(
      relateHeads([node(1, { id: "b", parent: "a" }), node(2, { id: "c", parent: "a" })]),
      "apart",
    );
    const three = [
      node(1, { id: "c", parent: "b" }),
      node(2, { id: "b", parent: "a" }),
      node(3, { id: "a" }),
    ];
    assert.equal(relateHeads(three), "apart");
    assert.equal(relateHeads([node(1, { id: "a" }), silent]), "unknown");
  });

  it("are tied only when each is known elsewhere as equally good and nobody mines", () => {
    const tied = [node(1, { id: "a", tied: ["b"] }), node(2, { id: "b", tied: ["a"] })];
    assert.equal(isTied(tied), true);
    assert.equal(
      isTied([node(1, { id: "a", tied: ["b"], mining: true }), node(2, { id: "b", tied: ["a"] })]),
      false,
    );
    assert.equal(
      isTied([node(1, { id: "a", tied: ["b"] }), node(2, { id: "b" })]),
      false,
      "the other's block is on its way",
    );
    const line = [node(1, { id: "a" }), node(2, { id: "a", tied: ["b"] }), node(3, { id: "b", tied: ["a"] })];
    assert.equal(isTied(line), true, "node 1 has no connection to anybody on the other");
    assert.equal(isTied([node(1, { id: "a" }), node(2, { id: "a" })]), false);
    const [one, other] = tied;
    assert.ok(one?.status && other?.status);
    const heavier = { ...other, status: { ...other.status, head: { ...other.status.head, work: "3001" } } };
    assert.equal(isTied([one, heavier]), false);
    assert.equal(isTied([...tied, silent]), false);
  });
});

describe("groups of a cluster", () => {
  it("are read from text that names every node once", () => {
    assert.deepEqual(parseGroups("1,2/3", [1, 2, 3]), [[1, 2], [3]]);
    assert.deepEqual(parseGroups("3/1/2", [1, 2, 3]), [[3], [1], [2]]);
    const ten = Array.from({ length: 10 }, (_, i) => i + 1);
    assert.deepEqual(parseGroups("1-5/6-10", ten), [ten.slice(0, 5), ten.slice(5)]);
    assert.deepEqual(parseGroups("1,3-5,10/2,6-9", ten), [
      [1, 3, 4, 5, 10],
      [2, 6, 7, 8, 9],
    ]);
    const wrong: [string, RegExp][] = [
      ["1-3", /only one group/],
      ["1-2/2-3", /node 2 is named twice/],
      ["1-2/3-999", /there is no node 4; name each of nodes 1-3 once/],
      ["2-1/3", /the range 2-1 does not go upwards/],
      ["1-/2", /no list/],
      ["1-2-3/4", /no list/],
      ["", /no list of groups/],
      ["1,2", /only one group/],
      ["1/2", /node 3 is in no group/],
      ["1,2/3,4", /there is no node 4/],
      ["1,2/2,3", /node 2 is named twice/],
      ["1,,2/3", /no list/],
      ["1/2/3/", /no list/],
      ["a/b", /no list/],
    ];
    for (const [text, says] of wrong) {
      assert.throws(() => parseGroups(text, [1, 2, 3]), {
        code: "CLUSTER_GROUPS_INVALID",
        exitCode: 2,
        message: says,
      });
    }
  });

  it("are shown as they are typed, three in a row as a range", () => {
    assert.equal(formatGroups([[3, 1, 2], [4, 5, 7], [6]]), "1-3/4,5,7/6");
    assert.deepEqual(parseGroups(formatGroups([[1, 2, 3, 5], [4]]), [1, 2, 3, 4, 5]), [[1, 2, 3, 5], [4]]);
  });

  it("are found again from the links refused, on either end", () => {
    const split = [
      node(1, { id: "a", refuses: ["peer3"] }),
      node(2, { id: "a" }),
      node(3, { id: "a", refuses: ["peer2"] }),
    ];
    assert.deepEqual(groupsOf(split), [[1, 2], [3]]);
    assert.deepEqual(groupsOf([node(1, { id: "a" }), node(2, { id: "a" })]), [[1, 2]]);
    const line = [
      node(1, { id: "a", refuses: ["peer3"] }),
      node(2, { id: "a" }),
      node(3, { id: "a", refuses: ["peer1"] }),
    ];
    assert.deepEqual(groupsOf(line), [[1, 2, 3]], "1 and 3 still reach each other through 2");
  });
});
