import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createIdList } from "../../../src/sync/index.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import {
  asked,
  blocks,
  createLab,
  genesis,
  ids,
  kinds,
  known,
  reasons,
  statusAt,
} from "../../support/planner-lab.ts";

describe("case 27: headers of little work", () => {
  const forged = known(createBlockBuilder(genesis).extend(120, { proposer: "forged" }));
  const work = 401n * 16n;
  const claim = { head: "ab".repeat(32), height: 401, work };

  it("in a flood cost the flooder its connection, and nothing of them is fetched", () => {
    const lab = createLab({ maxHeaders: 100 });
    lab.connect(...blocks);
    lab.status("flooder", claim);
    const effects = lab.headers("flooder", forged);
    assert.deepEqual(kinds(effects), ["disconnect flooder"]);
    assert.match(reasons(effects)[0] ?? "", /^shows 100 headers whose work does not reach/);
    assert.equal(lab.planner.progress, undefined);
    assert.deepEqual(lab.status("flooder", claim), [], "nor is it asked again");
  });

  it("that end below what was claimed for them cost the connection, however many", () => {
    const lab = createLab();
    lab.connect(...blocks);
    lab.status("liar", claim);
    assert.deepEqual(reasons(lab.headers("liar", forged)), ["claims more work than it shows"]);
  });

  it("are not even asked for where the spec demands more work than is claimed", () => {
    const lab = createLab({ minimumWork: 500n });
    assert.deepEqual(lab.status("poor", statusAt(31)), []);
    assert.deepEqual(kinds(lab.status("rich", statusAt(32))), ["request-headers rich"]);
  });

  it("are followed where we have no more: a young chain of an honest peer is synced", () => {
    const lab = createLab();
    lab.status("young", statusAt(3));
    lab.headers("young", blocks.slice(0, 3));
    lab.run("young");
    assert.equal(lab.head(), ids[2]);
  });
});

describe("a chain with more headers than are kept at once", () => {
  it("is synced in parts", () => {
    const lab = createLab({ maxHeaders: 150 });
    const effects = [...lab.status("a", statusAt(400)), ...lab.run("a")];
    assert.equal(lab.head(), ids[149]);
    for (const height of [300, 400]) {
      effects.push(...lab.status("a", statusAt(400)), ...lab.run("a"));
      assert.equal(lab.head(), ids[height - 1]);
    }
    assert.deepEqual(asked(effects), ids, "and nothing twice");
  });

  it("has its ids in 32 bytes each", () => {
    const list = createIdList();
    for (const id of [...ids, ...ids, ...ids, ...ids, ...ids, ...ids, ...ids, ...ids]) list.push(id);
    assert.equal(list.length, 3_200);
    assert.equal(list.at(2_801), ids[1]);
    assert.equal(list.at(-1), undefined);
    assert.equal(list.at(3_200), undefined);
  });

  it("can be gone on from in a copy, apart from it", () => {
    const [first = "", second = "", third = ""] = ids;
    const list = createIdList();
    list.push(first);
    const copy = list.copy();
    list.push(second);
    copy.push(third);
    assert.deepEqual([list.at(1), copy.at(1), list.length, copy.length], [second, third, 2, 2]);
  });
});
