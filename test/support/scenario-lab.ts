import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stopCluster } from "../../src/cluster/index.ts";
import { loadScenario, openLab } from "../../src/cluster/scenarios/index.ts";
import type { Step } from "../../src/cluster/scenarios/language.ts";
import { runSteps } from "../../src/cluster/scenarios/run.ts";
import { falseVersion } from "./false-assertions.ts";
import { createTempDir } from "./temp-dir.ts";

/**
 * Runs a scenario step by step; each assertion must be true, and made false it must fail. Gives how many were tried so.
 */
export async function runWithFalseAssertions(t: TestContext, file: string): Promise<number> {
  const scenario = await loadScenario(file);
  const { path, remove } = await createTempDir();
  const directory = join(path, "lab");
  t.after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });
  const { world, close } = await openLab(scenario, {
    directory,
    seed: 1,
    signal: AbortSignal.timeout(170_000),
  });
  t.after(close);
  const silent = { stepStarted: () => {}, stepEnded: () => {} };
  const runOne = (step: Step, first: boolean) => {
    const begin = first ? {} : { miners: [], loadTps: 0 };
    // The same world, so that names and who runs are kept from one step to the next.
    return runSteps(Object.assign(world, { scenario: { ...scenario, ...begin, steps: [step] } }), silent);
  };
  let tried = 0;
  for (const [i, step] of scenario.steps.entries()) {
    const { outcome, problem } = await runOne(step, i === 0);
    assert.equal(outcome, "passed", `${file}:${step.line}: ${problem?.message}`);
    const wrong = step.kind === "assertion" ? falseVersion(step, world) : undefined;
    if (wrong === undefined) continue;
    const made = await runOne({ ...wrong, kind: "assertion" }, false);
    assert.equal(made.outcome, "failed", `${file}:${step.line}: "${step.text}" made false passes`);
    tried++;
  }
  return tried;
}
