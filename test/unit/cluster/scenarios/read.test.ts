import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatProblems, readScenario } from "../../../../src/cluster/scenarios/index.ts";

const WORLD = `name: Test
nodes: [ann, ben, eve]
groups:
  north: [ann, ben]
late: eve
attackers: { ben: withhold }
accounts: { alice: 10 coins, bob: 5 coins }
steps:
`;
const LAST = "  - assert: converged\n";

/** Problems of one step, each as \`line:column: key: message\`. */
function problemsOf(steps: string, world = WORLD, last = LAST): string[] {
  const read = readScenario(world + steps + last);
  return read.ok ? [] : formatProblems("f", read.problems).map((line) => line.slice(2));
}

describe("a scenario's file", () => {
  it("is read whole: names, units, ranges and defaults mean what they say", () => {
    const read = readScenario(`
name: Whole
nodes: 4
topology: [1-2, 2-3, 3-4]
groups: { south: [3, 4] }
genesis: { difficulty: 12 bits, adjusting: true, interval: 500ms, smoothing: 20 blocks, reward: 1.5 coins }
accounts: { alice: 10 coins, bob: 0.5 coins }
miners: { 1: 60%, 2: 40% }
load: 20/s
limit: 5m
steps:
  - heal
  - mine: 1 to 3 blocks
    at: 1
    save: tip
  - link: 1 <-> south
    delay: 80ms
    loss: 5%
    rate: 1mbit
  - split: [[1, 2], rest]
    for: 1.5s
  - double-spend: [rent, car]
    from: alice
    to: [bob, bob]
    amount: 2 coins
    at: [1, 3]
  - assert: transaction
    name: rent
    is: conflicted
    by: car
    within: 2s
  - assert: height
    at: all
    is: at least 3
`);
    assert.ok(read.ok, JSON.stringify(read));
    const { scenario } = read;
    assert.deepEqual(scenario.topology, [
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    assert.deepEqual(scenario.genesis, {
      difficultyBits: 12,
      adjusting: true,
      intervalMs: 500,
      smoothing: 20,
      reward: 150_000_000,
    });
    assert.deepEqual(scenario.miners, [
      { n: 1, share: 0.6 },
      { n: 2, share: 0.4 },
    ]);
    assert.deepEqual([scenario.loadTps, scenario.limitMs], [20, 300_000]);
    const [heal, mine, link, split, spend, fate, height] = scenario.steps as unknown as {
      word: string;
      value: unknown;
      options: Record<string, unknown>;
      line: number;
      text: string;
    }[];
    assert.deepEqual([heal?.word, heal?.line], ["heal", 12]);
    assert.deepEqual(mine?.value, { least: 1, most: 3 });
    assert.deepEqual(mine?.options, { at: 1, save: "tip" });
    assert.equal(mine?.text, "mine 1 to 3 blocks, at 1, save tip");
    assert.deepEqual(link?.value, [
      [1, 3],
      [1, 4],
      [3, 1],
      [4, 1],
    ]);
    assert.deepEqual(link?.options, { delay: 80, loss: 0.05, rate: 125_000 });
    assert.deepEqual(split?.value, {
      groups: [
        [1, 2],
        [3, 4],
      ],
      names: undefined,
    });
    assert.deepEqual(split?.options, { for: 1_500 });
    assert.deepEqual(spend?.options, { from: "alice", to: ["bob", "bob"], amount: 200_000_000, at: [1, 3] });
    assert.equal(
      spend?.text,
      "double-spend rent and car, from alice, to bob and bob, amount 2 coins, at 1 and 3",
    );
    assert.deepEqual(fate?.options, { name: "rent", is: "conflicted", by: "car", within: 2_000 });
    assert.deepEqual(height?.options, { at: [1, 2, 3, 4], is: { least: 3, most: Number.POSITIVE_INFINITY } });
  });

  const WRONG: readonly [what: string, steps: string, says: RegExp][] = [
    [
      "an unknown step",
      "  - miine: 3 blocks\n",
      /^9:5: steps\[0\]: there is no step "miine"; did you mean "mine"\?$/,
    ],
    [
      "a step far from any",
      "  - dance\n",
      /^9:5: steps\[0\]: there is no step "dance"; there are: say, mine, /,
    ],
    ["a step without what belongs to it", "  - mine\n", /^9:5: steps\[0\]: mine needs something after it/],
    ["a step that takes nothing", "  - heal: now\n", /^9:11: steps\[0\]\.heal: heal takes nothing after it$/],
    ["no step at all", "  - 5\n", /^9:5: steps\[0\]: there is no step "5"/],
    ["a list for a step", "  - [heal]\n", /^9:5: steps\[0\]: a step is a word/],
    [
      "two steps in one",
      "  - at: ann\n    kill: ann\n    pause: ben\n",
      /two steps in one \("kill", "pause"\)/,
    ],
    [
      "a step that lost its dash",
      "  - kill: ann\n    heal:\n",
      /^10:5: steps\[0\]\.heal: kill has no option "heal"; if it is a step of its own/,
    ],
    ["a missing option", "  - mine: 3 blocks\n", /^9:5: steps\[0\]: mine needs at: who mines them$/],
    [
      "an unknown option",
      "  - mine: 3 blocks\n    att: ann\n",
      /^10:5: steps\[0\]\.att: mine has no option "att"; did you mean "at"\?$/,
    ],
    [
      "an unknown node",
      "  - kill: bne\n",
      /^9:11: steps\[0\]\.kill: there is no node or group "bne"; did you mean "ben"\?$/,
    ],
    [
      "a number that no node has",
      "  - kill: 4\n",
      /steps\[0\]\.kill: there is no node 4; the nodes are 1 to 3$/,
    ],
    [
      "a group where one node is meant",
      "  - mine: 1 block\n    at: north\n",
      /north is a group; name one node/,
    ],
    [
      "a number without its unit",
      "  - wait: 5\n",
      /^9:11: steps\[0\]\.wait: 5 has no unit; it must be a time such as/,
    ],
    [
      "blocks without their unit",
      "  - mine: 3\n    at: ann\n",
      /3 has no unit; it must be a number of blocks such as 3 blocks/,
    ],
    [
      "coins without their unit",
      "  - send: x\n    from: alice\n    to: bob\n    at: ann\n    amount: 3\n",
      /3 has no unit; .* such as 3 coins/,
    ],
    ["an unknown unit", "  - wait: 5 parsec\n", /there is no unit "parsec"; there are: ms, s, m, min, h/],
    [
      "a unit of something else",
      "  - link: ann -> ben\n    delay: 5%\n",
      /steps\[0\]\.delay: there is no unit "%"/,
    ],
    [
      "a value beyond its bounds",
      "  - link: ann -> ben\n    loss: 150%\n",
      /it must be 0% to 100%, not "150%"/,
    ],
    ["a range that goes downwards", "  - wait: 3s to 1s\n", /the range must go upwards/],
    [
      "a link without a shape",
      "  - link: ann -> ben\n",
      /say what the link is like: delay, jitter, loss, rate, blackhole/,
    ],
    ["a link of a node to itself", "  - link: ann -> ann\n    delay: 5ms\n", /a node has no link to itself/],
    [
      "a link without an arrow",
      "  - link: ann ben\n    delay: 5ms\n",
      /it must be a direction such as 1 -> 2/,
    ],
    [
      "a side that is missing",
      "  - split: [ann, ben]\n",
      /node 3 is on no side; name it, or add rest as a side/,
    ],
    ["a node on two sides", "  - split: [north, ann, rest]\n", /node 1 is on two sides/],
    ["a rest of nobody", "  - split: [north, eve, rest]\n", /nothing is left for the rest/],
    ["one side only", "  - split: [north]\n", /it must be a list of sides/],
    [
      "an unknown account",
      "  - send: x\n    from: alcie\n    to: bob\n    at: ann\n    amount: 3 coins\n",
      /there is no account "alcie"; did you mean "alice"\?/,
    ],
    [
      "a transaction that was not sent",
      "  - assert: transaction\n    name: rent\n    is: mined\n",
      /no transaction has a name yet/,
    ],
    ["a block that was not saved", "  - assert: head\n    at: ann\n    is: tip\n", /no block has a name yet/],
    [
      "a name twice",
      "  - save: tip\n    at: ann\n  - save: tip\n    at: ben\n",
      /^11:11: steps\[1\]\.save: a block is called tip already/,
    ],
    [
      "a word as a name",
      "  - save: rest\n    at: ann\n",
      /"rest" means something else here; choose another name/,
    ],
    [
      "an assertion that is none",
      "  - assert: convergd\n",
      /^9:13: steps\[0\]: there is no assertion "convergd"; did you mean "converged"\?$/,
    ],
    [
      "a fate that is none",
      "  - send: x\n    from: alice\n    to: bob\n    at: ann\n    amount: 3 coins\n  - assert: transaction\n    name: x\n    is: mind\n",
      /not "mind"; did you mean "mined"\?/,
    ],
    [
      "options that exclude each other",
      "  - save: tip\n    at: ann\n  - assert: branch\n    at: ann\n    has: tip\n    lacks: tip\n",
      /say exactly one of has, lacks/,
    ],
    [
      "a double spend at one node",
      "  - double-spend: [x, y]\n    from: alice\n    to: [bob, bob]\n    amount: 1 coin\n    at: [ann, ann]\n",
      /one node takes only one of them: name two nodes/,
    ],
    ["a join of a node that runs", "  - join: ann\n", /node 1 runs from the start/],
    [
      "a second join",
      "  - join: eve\n  - join: eve\n",
      /^10:11: steps\[1\]\.join: node 3 runs from the start, or has joined before/,
    ],
    ["a release where nothing is withheld", "  - release: ann\n", /node 1 withholds nothing/],
    [
      "a limit of a plain wait",
      "  - wait: 5s\n    within: 9s\n",
      /within and at go with wait: converged only/,
    ],
    ["a share of no mining", "  - mining: off\n    share: 5%\n", /share goes with mining: on only/],
    ["an alias", "  - say: &x hello\n  - say: *x\n", /write it out: \*x is not understood here/],
  ];
  for (const [what, steps, says] of WRONG)
    it(`is refused for ${what}, with line, column and key`, () => {
      const problems = problemsOf(steps);
      assert.ok(
        problems.some((problem) => says.test(problem)),
        `${says} in:\n${problems.join("\n")}`,
      );
    });

  const WRONG_WORLDS: readonly [what: string, world: string, says: RegExp][] = [
    ["no YAML", "name: [", /^1:\d+: not YAML as it is meant here: /],
    [
      "a key twice",
      "name: x\nname: y\nnodes: 1\nsteps:\n",
      /^2:1: not YAML as it is meant here: Map keys must be unique/,
    ],
    ["a tag of its own", "name: !!js/function x\nnodes: 1\nsteps:\n", /not YAML as it is meant here: .*tag/i],
    [
      "an unknown key",
      "name: x\nnode: 3\nsteps:\n",
      /^2:1: node: there is no key "node"; did you mean "nodes"\?$/,
    ],
    ["a missing key", "nodes: 1\nsteps:\n", /^1:1: a scenario needs name, and this one has none$/],
    [
      "an engine that comes later",
      "name: x\nnodes: 1\nengine: vote\nsteps:\n",
      /^3:9: engine: the engine vote does not exist yet; scenarios run on pow for now$/,
    ],
    [
      "an engine that is none",
      "name: x\nnodes: 1\nengine: pos\nsteps:\n",
      /engine: it must be "pow", not "pos"/,
    ],
    ["too many nodes", "name: x\nnodes: 33\nsteps:\n", /nodes: it must be a number from 1 to 32, not "33"/],
    [
      "a node's name twice",
      "name: x\nnodes: [a, a]\nsteps:\n",
      /nodes\[1\]: another node is called a already/,
    ],
    [
      "a group called like a node",
      "name: x\nnodes: [a, b]\ngroups: { a: [b] }\nsteps:\n",
      /groups\.a: a node is called a already/,
    ],
    [
      "a topology that is none",
      "name: x\nnodes: 2\ntopology: rign\nsteps:\n",
      /topology: it must be "full".*did you mean "ring"\?/,
    ],
    [
      "a link of a topology to nobody",
      "name: x\nnodes: 2\ntopology: [1-3]\nsteps:\n",
      /topology\[0\]: it must be two nodes/,
    ],
    [
      "a topology that leaves a node alone",
      "name: x\nnodes: 3\ntopology: [1-2]\nsteps:\n",
      /topology: .* node 3 without a way to node 1/,
    ],
    [
      "a role that is none",
      "name: x\nnodes: 2\nattackers: { 1: withold }\nsteps:\n",
      /attackers\.1: .*did you mean "withhold"\?/,
    ],
    [
      "bits without their unit",
      "name: x\nnodes: 1\ngenesis: { difficulty: 10 }\nsteps:\n",
      /genesis\.difficulty: 10 has no unit/,
    ],
    [
      "an unknown rule",
      "name: x\nnodes: 1\ngenesis: { dificulty: 10 bits }\nsteps:\n",
      /genesis\.dificulty: there is no key .*did you mean "difficulty"\?/,
    ],
    [
      "shares above all",
      "name: x\nnodes: 2\nminers: { 1: 60%, 2: 60% }\nsteps:\n",
      /miners: the shares add up to 120%/,
    ],
    [
      "nobody at the start",
      "name: x\nnodes: 1\nlate: 1\nsteps:\n",
      /late: one node at least must run from the start/,
    ],
  ];
  for (const [what, world, says] of WRONG_WORLDS)
    it(`is refused for ${what}`, () => {
      const problems = problemsOf("", world);
      assert.ok(
        problems.some((problem) => says.test(problem)),
        `${says} in:\n${problems.join("\n")}`,
      );
    });

  it("is refused where it asserts nothing", () => {
    assert.match(problemsOf("  - heal\n", WORLD, "").join(), /it asserts nothing, so it can never fail/);
  });

  it("is told all its problems at once, by line", () => {
    const problems = problemsOf("  - kill: 9\n  - wait: soon\n  - mine: 1 block\n    at: 8\n");
    assert.deepEqual(
      problems.map((problem) => problem.split(": ")[1]),
      ["steps[0].kill", "steps[1].wait", "steps[2].at"],
    );
  });

  it("that is something else altogether is told so, and no more than fifty times", () => {
    const text = `${Array.from({ length: 500 }, (_, i) => `key${i}: 1`).join("\n")}\n`;
    const read = readScenario(text);
    assert.equal(!read.ok && read.problems.length, 50);
    for (const other of ["", "[]", "hello", "---\na: 1\n---\nb: 2\n", "\u0000"])
      assert.ok(!readScenario(other).ok, JSON.stringify(other));
  });

  it("that nests without end is refused", () => {
    const read = readScenario(`name: ${"[".repeat(60)}${"]".repeat(60)}`);
    assert.match(read.ok ? "" : (read.problems[0]?.message ?? ""), /nested too deep/);
  });
});
