import assert from "node:assert/strict";
import { test } from "node:test";
import { runCrashCampaign, tableOf } from "../support/crash-runner.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

/** The short form of crash-campaign.slow.ts. */
const KILLS = 50;
const SEED = 34;

test(`case 34: after ${KILLS} kills at random moments the state equals a replay from genesis, and nothing acknowledged is lost`, {
  timeout: 400_000,
}, async (t) => {
  const { phases, kills, acknowledged } = await runCrashCampaign(await temporaryDirectory(t), SEED, KILLS);
  for (const line of tableOf(phases)) t.diagnostic(line);
  assert.equal(kills, KILLS);
  assert.ok(acknowledged > KILLS, "the chain went on between the kills");
});
