import assert from "node:assert/strict";
import { it } from "node:test";
import { createRefusals } from "../../../../src/node/doctor/index.ts";

const header = (n: number) => ({ id: String(n).padStart(64, "0"), header: { core: { height: n } } });
const why = { code: "HDR-10", detail: "the difficulty is 7", permanence: "permanent" } as const;

it("refused blocks are remembered with rule and peer, the last of them only, and once each", () => {
  let nowMs = 1_000;
  const refusals = createRefusals({ nowMs: () => nowMs });
  for (let n = 1; n <= 200; n++) refusals.note(header(n), "peer", why);
  assert.equal(refusals.list().length, 64);
  assert.equal(refusals.list()[0]?.height, 137);
  nowMs = 2_000;
  refusals.note(header(150), "other", why);
  assert.equal(refusals.list().length, 64);
  assert.deepEqual(refusals.list().at(-1), {
    block: header(150).id,
    height: 150,
    rule: "HDR-10",
    detail: "the difficulty is 7",
    isPermanent: true,
    peer: "other",
    timeMs: 2_000,
    times: 2,
  });
});
