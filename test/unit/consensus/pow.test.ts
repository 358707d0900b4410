import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type DifficultyAncestor,
  formatWork,
  meetsTarget,
  nextDifficulty,
  targetOf,
} from "../../../src/consensus/index.ts";
import {
  bigintFromBytes,
  bigintToBytes,
  type ChainSpec,
  encodeAddress,
  type GenesisJson,
  MAX_DIFFICULTY,
  specFromJson,
} from "../../../src/primitives/index.ts";

const SEED = 20_260_104;
const TWO_256 = 2n ** 256n;
const difficulties = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }),
  fc.bigInt({ min: 1n, max: 5_000n }),
  fc.nat(127).map((bits) => 2n ** BigInt(bits)),
);

function specOf(json: Partial<GenesisJson>): ChainSpec {
  const parsed = specFromJson({ name: "test", ...json });
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.spec;
}

test("an id meets a difficulty exactly when it is below floor(2^256 / difficulty)", () => {
  fc.assert(
    fc.property(difficulties, fc.bigInt({ min: -2n, max: 2n }), (difficulty, offset) => {
      const target = TWO_256 / difficulty;
      const id = target + offset;
      if (id < 0n || id >= TWO_256) return;
      assert.equal(meetsTarget(bigintToBytes(id, 32), difficulty), id < target);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

test("difficulty 1 is met by every id, the largest difficulty only by ids below 2^128 + 1", () => {
  assert.ok(meetsTarget(new Uint8Array(32).fill(0xff), 1n));
  assert.equal(TWO_256 / MAX_DIFFICULTY, 2n ** 128n + 1n);
  assert.ok(meetsTarget(bigintToBytes(2n ** 128n, 32), MAX_DIFFICULTY));
  assert.ok(!meetsTarget(bigintToBytes(2n ** 128n + 1n, 32), MAX_DIFFICULTY));
  assert.ok(!meetsTarget(bigintToBytes(2n ** 255n, 32), 2n), "exactly the target is not below it");
  assert.ok(meetsTarget(bigintToBytes(2n ** 255n - 1n, 32), 2n));
});

test("no id meets difficulty 0, and it has no target", () => {
  assert.ok(!meetsTarget(new Uint8Array(32), 0n));
  assert.throws(() => targetOf(0n), RangeError);
});

test("a target is floor(2^256 / difficulty) in 32 bytes, all ones for difficulty 1", () => {
  fc.assert(
    fc.property(difficulties, (difficulty) => {
      const target = targetOf(difficulty);
      assert.equal(target.length, 32);
      assert.equal(bigintFromBytes(target), difficulty === 1n ? TWO_256 - 1n : TWO_256 / difficulty);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test("work is written in hex without padding", () => {
  assert.deepEqual([0n, 16n, 2n ** 130n].map(formatWork), ["0", "10", `4${"0".repeat(32)}`]);
});

/** WTEMA from the design's text, in big integers throughout. */
function referenceDifficulty(spec: ChainSpec, parent: DifficultyAncestor, grandparentMs: number): bigint {
  const N = BigInt(spec.smoothing);
  const T = BigInt(spec.intervalMs);
  let t = BigInt(parent.timestampMs) - BigInt(grandparentMs);
  if (t < 1n) t = 1n;
  if (t > 6n * T) t = 6n * T;
  const next = (parent.difficulty * N * T) / (N * T + t - T);
  const least = 2n ** BigInt(spec.difficultyBits);
  const most = 2n ** 128n - 1n;
  return next < least ? least : next > most ? most : next;
}

test("adjusting difficulty is WTEMA in integers, clamped below by genesis and above by what the field holds", () => {
  fc.assert(
    fc.property(
      fc.record({
        smoothing: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100_000 })),
        intervalMs: fc.integer({ min: 10, max: 86_400_000 }),
        difficultyBits: fc.nat(64),
        difficulty: difficulties,
        gapMs: fc.oneof(fc.integer({ min: -10, max: 100 }), fc.nat(86_400_000 * 8)),
      }),
      ({ smoothing, intervalMs, difficultyBits, difficulty, gapMs }) => {
        const spec = specOf({ difficultyMode: "adjusting", smoothing, intervalMs, difficultyBits });
        const grandparent = { height: 1, timestampMs: 10_000, difficulty };
        const parent = { height: 2, timestampMs: 10_000 + gapMs, difficulty };
        assert.equal(
          nextDifficulty(spec, parent, grandparent),
          referenceDifficulty(spec, parent, grandparent.timestampMs),
        );
      },
    ),
    { seed: SEED, numRuns: 2_000 },
  );
});

test("a block in time keeps the difficulty, an early one raises it, and a late one counts as six intervals at most", () => {
  const spec = specOf({ difficultyMode: "adjusting", smoothing: 10, intervalMs: 1_000, difficultyBits: 4 });
  const next = (tookMs: number): bigint =>
    nextDifficulty(
      spec,
      { height: 5, timestampMs: 50_000 + tookMs, difficulty: 1_000n },
      { height: 4, timestampMs: 50_000, difficulty: 1_000n },
    );
  assert.equal(next(1_000), 1_000n);
  assert.equal(next(1), (1_000n * 10_000n) / 9_001n);
  assert.equal(next(6_000), (1_000n * 10_000n) / 15_000n);
  assert.equal(next(6_001), next(6_000));
  assert.equal(next(10 ** 9), next(6_000));
});

test("difficulty stays where it is when fixed, and block 1 has the genesis difficulty either way", () => {
  const genesis = { height: 0, timestampMs: 0, difficulty: 16n };
  const parent = { height: 9, timestampMs: 1, difficulty: 999n };
  for (const difficultyMode of ["fixed", "adjusting"] as const) {
    const spec = specOf({ difficultyMode, difficultyBits: 4 });
    assert.equal(nextDifficulty(spec, genesis, undefined), 16n);
    if (difficultyMode === "fixed") assert.equal(nextDifficulty(spec, parent, genesis), 16n);
  }
});

test("under vote the difficulty is 1 whatever the mode says", () => {
  const validators = [{ address: encodeAddress(new Uint8Array(32).fill(1)), power: 1 }];
  const spec = specOf({ engine: "vote", validators, difficultyMode: "adjusting", smoothing: 1 });
  const parent = { height: 2, timestampMs: 1_001, difficulty: 1n };
  assert.equal(nextDifficulty(spec, parent, { height: 1, timestampMs: 1_000, difficulty: 1n }), 1n);
});
