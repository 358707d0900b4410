import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ChainSpec,
  devnetSpec,
  encodeAddress,
  type GenesisJson,
  genesisDifficulty,
  MAX_AMOUNT,
  maximumSupply,
  parseGenesis,
  rewardAt,
  rulesVersionAt,
  specFromJson,
  specRoot,
  specToJson,
} from "../../../src/primitives/index.ts";
import { toHex } from "../../support/reference-codec.ts";

const address = (fill: number): string => encodeAddress(new Uint8Array(32).fill(fill));
const root = (spec: ChainSpec): string => toHex(specRoot(spec));

function specOf(json: Record<string, unknown>): ChainSpec {
  const parsed = specFromJson({ name: "test", ...json });
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.spec;
}
function problemOf(json: unknown): string {
  const parsed = specFromJson(json);
  assert.ok(!parsed.ok, `accepted: ${JSON.stringify(json)}`);
  return parsed.problem;
}

const full: GenesisJson = {
  name: "lab-1",
  engine: "pow",
  difficultyBits: 12,
  difficultyMode: "adjusting",
  intervalMs: 5_000,
  smoothing: 20,
  driftMs: 9_000,
  minimumWork: "ff00",
  reward: 1_000,
  halvingInterval: 500,
  maxBlockBytes: 65_536,
  minFeePerByte: 2,
  accountCreationFee: 77,
  allocations: [
    { address: address(9), amount: 5 },
    { address: address(2), amount: 6 },
  ],
  validators: [],
  activations: [{ rulesVersion: 2, height: 100 }],
  genesisTimestampMs: 1_700_000_000_000,
  salt: "000102030405060708090a0b0c0d0e0f",
};

test("the order of keys and lists and spelled-out defaults do not change what a spec is; the salt does", () => {
  const turned = Object.fromEntries(Object.entries(full).reverse());
  assert.equal(root(specOf(turned)), root(specOf(full)));
  const swapped = { ...full, allocations: [...(full.allocations ?? [])].reverse() };
  assert.equal(root(specOf(swapped)), root(specOf(full)));
  assert.equal(root(specOf(specToJson(specOf({})))), root(specOf({})));
  assert.deepEqual(specOf(specToJson(specOf(full))), specOf(full));
  assert.equal(root(specOf({ allocations: [], salt: "0".repeat(32), engine: "pow" })), root(specOf({})));
  assert.notEqual(root(specOf({ salt: `${"0".repeat(31)}1` })), root(specOf({})));
});

test("every field is under the root: changing any one gives another spec", () => {
  const changes: Partial<GenesisJson>[] = [
    { name: "lab-2" },
    { difficultyBits: 13 },
    { difficultyMode: "fixed" },
    { intervalMs: 5_001 },
    { smoothing: 21 },
    { driftMs: 9_001 },
    { minimumWork: "ff01" },
    { reward: 1_001 },
    { halvingInterval: 501 },
    { maxBlockBytes: 65_537 },
    { minFeePerByte: 3 },
    { accountCreationFee: 78 },
    { allocations: [{ address: address(9), amount: 5 }] },
    { activations: [{ rulesVersion: 2, height: 101 }] },
    { activations: [{ rulesVersion: 3, height: 100 }] },
    { genesisTimestampMs: 1_700_000_000_001 },
    { salt: "100102030405060708090a0b0c0d0e0f" },
    { engine: "vote", validators: [{ address: address(1), power: 1 }] },
    { engine: "vote", validators: [{ address: address(1), power: 2 }] },
  ];
  const roots = changes.map((change) => root(specOf({ ...full, ...change })));
  assert.equal(new Set([...roots, root(specOf(full))]).size, changes.length + 1);
});

test("a text that is not JSON, not an object, or has an unknown key anywhere is refused and says so", () => {
  const text = parseGenesis("{ name: ");
  assert.ok(!text.ok && text.problem.startsWith("not JSON"), JSON.stringify(text));
  for (const json of [null, [], 7, "x", true]) assert.notEqual(problemOf(json), "");
  assert.equal(problemOf([]), "genesis must be an object, not an array");
  assert.equal(problemOf(null), "genesis must be an object, not null");
  assert.equal(problemOf({}), "name is missing");
  assert.match(problemOf({ name: "A" }), /^name must be a-z, 0-9 and -, 1 to 32 characters, not "A"$/);
  assert.equal(
    problemOf({ name: "a", allocations: [{ address: "x", amount: 1 }] }),
    'allocations.0.address must be an address: cum1 and 58 more characters, not "x"',
  );
  assert.match(
    problemOf({ name: "a", reward: -1 }),
    /^reward must be an integer from 0 to 9007199254740991, not -1$/,
  );
  assert.match(problemOf({ name: "a", rewrad: 5 }), /unknown key rewrad/);
  assert.match(problemOf(JSON.parse('{"name":"a","__proto__":{"reward":1}}')), /unknown key __proto__/);
  assert.match(
    problemOf({ name: "a", allocations: [{ address: address(1), amount: 1, note: "x" }] }),
    /unknown key note in allocations\/0/,
  );
  assert.match(problemOf({}), /name/);
});

test("every wrong value is refused in one line that names its key", () => {
  const wrong: [keyof GenesisJson, unknown[]][] = [
    ["name", ["", "Big", "a b", "x".repeat(33), "-a", 5, null, "a\n"]],
    ["engine", ["pos", 1, null]],
    ["difficultyBits", [-1, 65, 1.5, "10", null]],
    ["difficultyMode", ["auto", 0]],
    ["intervalMs", [9, 86_400_001, "2s", 0]],
    ["smoothing", [0, 100_001]],
    ["driftMs", [-1, 86_400_001]],
    ["minimumWork", ["00", "0x1", "FF", "g", "1".repeat(65), 5, ""]],
    ["reward", [-1, 2 ** 53, 0.5, "50"]],
    ["halvingInterval", [-1, 2 ** 53]],
    ["maxBlockBytes", [1_023, 4 * 1024 * 1024 + 1]],
    ["minFeePerByte", [-1, 1_000_001]],
    ["accountCreationFee", [-1, 2 ** 53]],
    [
      "allocations",
      [{}, "x", [5], [{ address: address(1), amount: 0 }], [{ address: "cum1qqqqqqqqqqqqqqqq", amount: 1 }]],
    ],
    ["allocations", [[{ address: address(1), amount: 2 ** 53 }], [{ address: address(1) }], [{ amount: 1 }]]],
    ["validators", [[{ address: address(1), power: 0 }], [{ address: address(1), power: 2 ** 32 + 1 }]]],
    [
      "activations",
      [[{ rulesVersion: 1, height: 5 }], [{ rulesVersion: 2, height: 0 }], [{ rulesVersion: 2 }]],
    ],
    ["genesisTimestampMs", [-1, 2 ** 53]],
    ["salt", ["00", "0".repeat(31), "0".repeat(33), "G".repeat(32), 0]],
  ];
  for (const [key, values] of wrong) {
    for (const value of values) {
      const problem = problemOf({ name: "a", [key]: value });
      assert.ok(problem.includes(key), `${key} = ${JSON.stringify(value)}: ${problem}`);
      assert.ok(!problem.includes("\n") && problem.length < 300, problem);
    }
  }
});

test("a problem says what is allowed", () => {
  const expected: [Record<string, unknown>, RegExp][] = [
    [{ difficultyBits: 65 }, /64/],
    [{ intervalMs: 9 }, /10/],
    [{ engine: "pos" }, /pow, vote/],
    [{ difficultyMode: "auto" }, /fixed, adjusting/],
    [{ reward: 1.5 }, /integer/],
    [{ maxBlockBytes: 5 }, /1024/],
  ];
  for (const [json, pattern] of expected) assert.match(problemOf({ name: "a", ...json }), pattern);
});

test("contradictions are refused: a key twice, activations out of order, validators and engine", () => {
  const twice = [address(1), address(1).toUpperCase().toLowerCase()].map((text) => ({
    address: text,
    amount: 1,
  }));
  assert.match(problemOf({ name: "a", allocations: twice }), /twice/);
  for (const second of [
    { rulesVersion: 3, height: 10 },
    { rulesVersion: 2, height: 20 },
    { rulesVersion: 3, height: 9 },
  ]) {
    assert.match(problemOf({ name: "a", activations: [{ rulesVersion: 2, height: 10 }, second] }), /ascend/);
  }
  assert.match(problemOf({ name: "a", engine: "vote" }), /validator/);
  assert.match(problemOf({ name: "a", validators: [{ address: address(1), power: 1 }] }), /vote/);
});

test("a spec that could issue 2^53 units is refused, one unit less is accepted", () => {
  const most = [{ address: address(1), amount: MAX_AMOUNT }];
  assert.equal(maximumSupply(specOf({ reward: 0, allocations: most })), MAX_AMOUNT);
  const over = [...most, { address: address(2), amount: 1 }];
  assert.match(problemOf({ name: "a", reward: 0, allocations: over }), /2\^53/);
  assert.match(problemOf({ name: "a", reward: 1, halvingInterval: 1, allocations: most }), /2\^53/);
  assert.match(problemOf({ name: "a", reward: 1, halvingInterval: 0 }), /2\^53/);
  assert.match(problemOf({ name: "a", reward: MAX_AMOUNT, halvingInterval: MAX_AMOUNT }), /2\^53/);
  const lessOne = [{ address: address(1), amount: MAX_AMOUNT - 1 }];
  assert.ok(specOf({ reward: 1, halvingInterval: 1, allocations: lessOne }));
});

test("the largest supply equals the sum of all rewards, block by block", () => {
  for (const [reward, halvingInterval] of [
    [1_000, 3],
    [7, 10],
    [1, 1],
    [4_096, 2],
  ] as const) {
    const spec = specOf({ reward, halvingInterval, allocations: [{ address: address(1), amount: 11 }] });
    let issued = 11;
    for (let height = 1; height <= 60 * halvingInterval; height++) issued += rewardAt(spec, height);
    assert.equal(maximumSupply(spec), issued);
  }
});

test("the reward halves after each interval, rounding down, and the first block counts as number one", () => {
  const spec = specOf({ reward: 1_001, halvingInterval: 10 });
  const expected = [1, 10, 11, 20, 21, 31, 101, 111].map((height) => {
    const halvings = BigInt(Math.floor((height - 1) / 10));
    return Number(1_001n / 2n ** halvings);
  });
  assert.deepEqual(
    [1, 10, 11, 20, 21, 31, 101, 111].map((height) => rewardAt(spec, height)),
    expected,
  );
  assert.deepEqual(expected, [1_001, 1_001, 500, 500, 250, 125, 0, 0]);
  assert.equal(rewardAt(spec, MAX_AMOUNT), 0);
  const large = specOf({ reward: 2 ** 50 + 1, halvingInterval: 1 });
  for (let height = 1; height <= 60; height++) {
    assert.equal(
      rewardAt(large, height),
      Number((2n ** 50n + 1n) / 2n ** BigInt(height - 1)),
      `height ${height}`,
    );
  }
});

test("devnet is the default of every field with salt zero", () => {
  const spec = devnetSpec();
  assert.deepEqual(spec, specOf({ name: "devnet" }));
  assert.equal(spec.difficultyBits, 10);
  assert.equal(genesisDifficulty(spec), 1_024n);
  assert.equal(toHex(spec.salt), "0".repeat(32));
});

test("difficulty is 2^bits under pow and 1 under vote", () => {
  assert.equal(genesisDifficulty(specOf({ difficultyBits: 0 })), 1n);
  assert.equal(genesisDifficulty(specOf({ difficultyBits: 64 })), 2n ** 64n);
  const validators = [{ address: address(1), power: 1 }];
  assert.equal(genesisDifficulty(specOf({ engine: "vote", validators, difficultyBits: 20 })), 1n);
});

test("a rules version starts at its activation height", () => {
  const activations = [
    { rulesVersion: 2, height: 10 },
    { rulesVersion: 5, height: 20 },
  ];
  const spec = specOf({ activations });
  assert.deepEqual(
    [0, 9, 10, 19, 20, 1_000].map((height) => rulesVersionAt(spec, height)),
    [1, 1, 2, 2, 5, 5],
  );
});
