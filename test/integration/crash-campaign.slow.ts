import assert from "node:assert/strict";
import { test } from "node:test";
import { runDaemonCampaign } from "../support/crash-daemons.ts";
import { CRASH_AIMS, runCrashCampaign, tableOf } from "../support/crash-runner.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

/** `npm run crash-campaign`, or with a seed of one's own: CRASH_SEED=7 CRASH_KILLS=1000 npm run crash-campaign. */
const SEED = Number(process.env["CRASH_SEED"] ?? 34);
const KILLS = Number(process.env["CRASH_KILLS"] ?? 200);
/** So many of them whole daemons, which take longer to start. */
const DAEMONS = Math.ceil(KILLS / 5);
const LIMIT = { timeout: KILLS * 20_000 };

test(
  `case 34: ${KILLS - DAEMONS} kills of a chain by phase: each start finds the state of a replay and all that was acknowledged`,
  LIMIT,
  async (t) => {
    const directory = await temporaryDirectory(t);
    const { phases, kills, acknowledged } = await runCrashCampaign(directory, SEED, KILLS - DAEMONS);
    t.diagnostic(
      `seed ${SEED}, ${acknowledged} blocks acknowledged in between; lost after it: 0, or this would have failed`,
    );
    for (const line of tableOf(phases)) t.diagnostic(line);
    assert.equal(kills, KILLS - DAEMONS);
    for (const phase of CRASH_AIMS) assert.ok((phases.get(phase)?.kills ?? 0) > 0, `no kill hit ${phase}`);
  },
);

test(
  `case 34: ${DAEMONS} kills of daemons that import over TCP, reorganize, stop, start and reindex leave a whole database`,
  LIMIT,
  async (t) => {
    const counts = await runDaemonCampaign(SEED, DAEMONS);
    let kills = 0;
    t.diagnostic(
      `seed ${SEED}: aimed at, kills, midway, pruned, whole after them; work that ended before the kill`,
    );
    for (const [aim, count] of counts) {
      t.diagnostic(
        `${aim.padEnd(10)} ${count.kills} ${count.midway} ${count.pruned} ${count.whole}; ${count.clean}`,
      );
      kills += count.kills;
      assert.equal(count.whole, count.kills);
    }
    assert.equal(kills, DAEMONS);
  },
);
