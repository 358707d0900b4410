import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  chooseTopology,
  keepTopology,
  namedTopology,
  neighboursOf,
  parseTopology,
} from "../../../src/cluster/topology.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

const degrees = (name: "full" | "line" | "ring" | "star", nodes: number): number[] => {
  const topology = namedTopology(name, nodes);
  return Array.from({ length: nodes }, (_, i) => neighboursOf(topology, i + 1).length);
};

describe("a topology", () => {
  it("by name says who is whose neighbour, down to one node", () => {
    assert.deepEqual(degrees("full", 4), [3, 3, 3, 3]);
    assert.deepEqual(degrees("line", 4), [1, 2, 2, 1]);
    assert.deepEqual(degrees("ring", 4), [2, 2, 2, 2]);
    assert.deepEqual(degrees("star", 4), [3, 1, 1, 1]);
    for (const name of ["full", "line", "ring", "star"] as const) {
      assert.deepEqual(degrees(name, 1), [0], name);
      assert.deepEqual(degrees(name, 2), [1, 1], `${name}: one link, not two`);
    }
  });

  it("in a file is nodes and links between them", () => {
    assert.deepEqual(parseTopology('{ "nodes": 3, "links": [[2, 1], [2, 3]] }'), {
      nodes: 3,
      links: [
        [2, 1],
        [2, 3],
      ],
    });
  });

  for (const [text, problem] of [
    ["nodes: 3", /^it is not JSON: /],
    ["[]", /^it must be an object/],
    ['{ "nodes": 3 }', /^links must be a list of pairs/],
    ['{ "nodes": 33, "links": [] }', /^nodes must be an integer from 1 to 32/],
    [
      '{ "nodes": 2, "links": [[1, 2]], "colour": "red" }',
      /^unknown key colour; allowed: nodes, links, attacks$/,
    ],
    ['{ "nodes": 2, "name": "ring" }', /^unknown key name/],
    [
      '{ "nodes": 2, "links": [[1, 2]], "attacks": ["withhold"] }',
      /^attacks must be an object of parts by nodes/,
    ],
    [
      '{ "nodes": 2, "links": [[1, 2]], "attacks": { "3": "withhold" } }',
      /^attacks names node 3; the nodes are 1 to 2/,
    ],
    ['{ "nodes": 2, "links": [[1, 2]], "attacks": { "2": "steal" } }', /^attacks\.2 must be one of withhold/],
    ['{ "nodes": 2, "links": [[1, 2, 3]] }', /^links\[0\] must be a pair/],
    ['{ "nodes": 2, "links": [[1, 2], [1, 3]] }', /^links\[1\]\[1\] must be a node, an integer from 1 to 2/],
    ['{ "nodes": 2, "links": [[1, "2"]] }', /^links\[0\]\[1\] must be a node/],
    ['{ "nodes": 2, "links": [[1, 2], [2, 2]] }', /^links\[1\] links node 2 with itself/],
    ['{ "nodes": 2, "links": [[1, 2], [2, 1]] }', /^links\[1\] names the link of nodes 2 and 1 again/],
    ['{ "nodes": 4, "links": [[1, 2], [3, 4]] }', /^links leave node 3 without a way to node 1/],
  ] as const)
    it(`in a file that holds ${text} is refused in words that name the key`, () => {
      const parsed = parseTopology(text);
      assert.ok(typeof parsed === "string");
      assert.match(parsed, problem);
    });

  it("is kept in the directory, and used again with as many nodes unless others are asked for", async (t) => {
    const directory = await temporaryDirectory(t);
    assert.deepEqual(await chooseTopology(directory, {}), namedTopology("full", 3));
    await keepTopology(directory, await chooseTopology(directory, { nodes: 5, topology: "ring" }));
    assert.deepEqual(await chooseTopology(directory, {}), namedTopology("ring", 5));
    assert.deepEqual(await chooseTopology(directory, { nodes: 4 }), namedTopology("ring", 4));
    assert.deepEqual(await chooseTopology(directory, { topology: "star" }), namedTopology("star", 5));
    const file = join(directory, "mine.json");
    await writeFile(file, '{ "nodes": 3, "links": [[1, 2], [2, 3]] }');
    const mine = await chooseTopology(directory, { topology: file });
    await keepTopology(directory, mine);
    assert.deepEqual(await chooseTopology(directory, {}), mine);
    assert.match(await readFile(join(directory, "topology.json"), "utf8"), /"links"/);
    await assert.rejects(chooseTopology(directory, { nodes: 4 }), {
      code: "CLUSTER_TOPOLOGY_INVALID",
      message: /is for 3 nodes, not 4; leave --nodes out, or choose another --topology$/,
    });
  });

  it("keeps who attacks until others, or none, are named", async (t) => {
    const directory = await temporaryDirectory(t);
    const attacks = { 2: "withhold" } as const;
    const chosen = await chooseTopology(directory, { nodes: 4, topology: "ring", attacks });
    assert.deepEqual(chosen, { ...namedTopology("ring", 4), attacks });
    await keepTopology(directory, chosen);
    assert.deepEqual(await chooseTopology(directory, {}), chosen);
    assert.deepEqual(await chooseTopology(directory, { topology: "line" }), {
      ...namedTopology("line", 4),
      attacks,
    });
    assert.deepEqual(await chooseTopology(directory, { attacks: {} }), namedTopology("ring", 4));
    await assert.rejects(chooseTopology(directory, { nodes: 1 }), {
      code: "CLUSTER_TOPOLOGY_INVALID",
      message: /names node 2; the nodes are 1 to 1; say who attacks with --attack N=ROLE, or --attack none$/,
    });
  });

  it("that is no name and no file is told with what there is", async (t) => {
    const directory = await temporaryDirectory(t);
    await assert.rejects(chooseTopology(directory, { topology: join(directory, "mesh") }), {
      code: "CLUSTER_TOPOLOGY_INVALID",
      exitCode: 2,
      message: /mesh: it does not exist; give one of full, line, ring, star, or a file such as /,
    });
    await writeFile(join(directory, "topology.json"), "{");
    await assert.rejects(chooseTopology(directory, {}), {
      code: "CLUSTER_FILE_INVALID",
      message: /topology\.json: it is not JSON: .*; remove it, or choose with --topology$/,
    });
    assert.deepEqual(await chooseTopology(directory, { topology: "line" }), namedTopology("line", 3));
  });
});
