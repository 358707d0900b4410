import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  NO_BRANCH,
  othersFound,
  ownFound,
  type SelfishState,
} from "../../../../src/node/attacks/selfish-strategy.ts";

const at = (own: number, others: number): SelfishState => ({ own, others });

describe("a selfish miner", () => {
  it("keeps what it finds to itself while it leads or nobody has anything", () => {
    assert.deepEqual(ownFound(NO_BRANCH), { state: at(1, 0), show: 0, won: undefined });
    assert.deepEqual(ownFound(at(1, 0)), { state: at(2, 0), show: 0, won: undefined });
    // What it had to show before is shown already, and the new block is not.
    assert.deepEqual(ownFound(at(4, 2)), { state: at(5, 2), show: 2, won: undefined });
  });

  it("goes over to the others where it has nothing (state 0)", () => {
    assert.deepEqual(othersFound(NO_BRANCH), { state: NO_BRANCH, show: 0, won: "others" });
  });

  it("shows its block when the others draw level (state 1 to 0'), and then whoever is next decides", () => {
    const tie = othersFound(at(1, 0));
    assert.deepEqual(tie, { state: at(1, 1), show: 1, won: undefined });
    assert.deepEqual(ownFound(tie.state), { state: NO_BRANCH, show: 2, won: "own" });
    assert.deepEqual(othersFound(tie.state), { state: NO_BRANCH, show: 0, won: "others" });
  });

  it("shows all when its lead falls from two to one (state 2)", () => {
    assert.deepEqual(othersFound(at(2, 0)), { state: NO_BRANCH, show: 2, won: "own" });
    assert.deepEqual(othersFound(at(6, 4)), { state: NO_BRANCH, show: 6, won: "own" });
  });

  it("shows as many as the others have while it leads by more", () => {
    assert.deepEqual(othersFound(at(3, 0)), { state: at(3, 1), show: 1, won: undefined });
    assert.deepEqual(othersFound(at(7, 2)), { state: at(7, 3), show: 3, won: undefined });
  });
});

/** Equation 8 of the paper: the miner's share of the blocks that stay. */
function paperRevenue(alpha: number, gamma: number): number {
  const gained = alpha * (1 - alpha) ** 2 * (4 * alpha + gamma * (1 - 2 * alpha)) - alpha ** 3;
  return gained / (1 - alpha * (1 + (2 - alpha) * alpha));
}

/** Park and Miller's minimal standard generator: the same course in every run. */
function createFractions(seed: number): () => number {
  let value = seed;
  return () => {
    value = (value * 48_271) % 0x7fffffff;
    return value / 0x7fffffff;
  };
}

/** Share of the blocks that stay after so many were found; in a tie the others build on their own (gamma 0). */
function simulatedRevenue(alpha: number, found: number): number {
  const fraction = createFractions(20_131_101);
  let state = NO_BRANCH;
  const stay = { own: 0, others: 0 };
  for (let i = 0; i < found; i++) {
    const isOwn = fraction() < alpha;
    const { own, others } = state;
    const step = isOwn ? ownFound(state) : othersFound(state);
    ({ state } = step);
    if (step.won === "own") stay.own += own + (isOwn ? 1 : 0);
    if (step.won === "others") stay.others += others + 1;
  }
  return stay.own / (stay.own + stay.others);
}

describe("a selfish miner's revenue", () => {
  for (const [alpha, share] of [
    [0.25, 0.1951],
    [1 / 3, 1 / 3],
    [0.45, 0.6518],
  ] as const)
    it(`is what the paper says at ${alpha.toFixed(2)} of the hash rate, when nobody builds on its block in a tie`, () => {
      const expected = paperRevenue(alpha, 0);
      const simulated = simulatedRevenue(alpha, 2_000_000);
      assert.ok(Math.abs(simulated - expected) < 0.003, `${simulated} instead of ${expected}`);
      assert.ok(Math.abs(expected - share) < 0.0001);
    });
});
