import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { JSON_OUTPUTS } from "../../src/cli/json-schemas.ts";
import { isAlive, type ProcessId } from "../../src/cluster/processes.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { assertFits } from "../support/openapi.ts";
import { runWithFalseAssertions } from "../support/scenario-lab.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../scenarios/${name}.yaml`, import.meta.url));

test("a shipped scenario passes, prints what its schema says, leaves a report, and nothing else", async (t) => {
  const directory = await temporaryDirectory(t);
  const report = join(directory, "report");
  const temporary = join(directory, "tmp");
  await mkdir(temporary);
  const args = ["cluster", "run", "double-spend", "--json", "--report", report, "--seed", "7"];
  const { code, stdout, stderr } = await runCli(args, { env: { TMPDIR: temporary } });
  assert.equal(code, 0, stderr);
  const said = JSON.parse(stdout);
  assertFits(JSON_OUTPUTS["cluster run"]?.schema, said, "cluster run");
  assert.deepEqual([said.outcome, said.seed, said.problem], ["passed", 7, null]);
  assert.ok(
    said.assertions.length >= 8 && said.assertions.every(({ isTrue }: { isTrue: boolean }) => isTrue),
  );
  assert.deepEqual(
    said.convergences.map(({ after }: { after: string }) => after),
    ["heal"],
  );

  // Which won, when the other was taken out, and by which rule, on each node.
  const [lost, won] = said.transactions;
  assert.deepEqual([lost.name, won.name], ["to-alice", "to-bob"]);
  const seen = lost.nodes.map(
    ({ node, fate, refusedBy }: { node: number; fate: object; refusedBy: string }) => [node, fate, refusedBy],
  );
  assert.deepEqual(seen, [
    [1, { state: "conflicted", by: won.id }, "TX-08"],
    [2, { state: "unknown" }, "TX-08"],
    [3, { state: "unknown" }, "TX-08"],
  ]);
  assert.ok(
    lost.nodes[0].events.some(
      ({ what, timeMs }: { what: string; timeMs: number }) => what === "conflicted" && timeMs > 0,
    ),
  );
  for (const { fate } of won.nodes) assert.equal(fate.state, "mined");
  assert.equal(said.nodes[0].reorgs[0].depth, 2);

  const written = JSON.parse(await readFile(join(report, "report.json"), "utf8"));
  assert.deepEqual([written.outcome, written.transactions], [said.outcome, said.transactions]);
  const { nodes, entries } = written.recording;
  assert.deepEqual(
    nodes.map(({ name }: { name: string }) => name),
    ["ann", "ben", "cid"],
  );
  for (const type of ["header", "block", "head", "reorg", "split"])
    assert.ok(
      entries.some((entry: { type: string }) => entry.type === type),
      `the recording has a ${type}`,
    );
  const [{ timeMs }] = said.convergences;
  assert.ok(timeMs > 0 && timeMs < 30_000, `${timeMs} ms from the heal to one head`);
  assert.deepEqual(await readdir(temporary), [], "the cluster's directory is gone");
});

test("each assertion of a scenario fails when it is made false", async (t) => {
  assert.ok((await runWithFalseAssertions(t, shipped("two-way-split"))) >= 9);
});

test("an assertion that is not true ends the run with exit code 1, and is told with its line", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "wrong.yaml");
  await writeFile(
    file,
    "name: Wrong\nnodes: 1\nsteps:\n  - mine: 2 blocks\n    at: 1\n  - assert: height\n    at: 1\n    is: 3\n    within: 300ms\n  - heal\n",
  );
  const { code, stdout } = await runCli(["cluster", "run", file]);
  assert.equal(code, 1);
  assert.match(stdout, /wrong\.yaml:6: expected height 3 within 0\.3 s, but saw: 2 at node 1\n/);
  assert.match(stdout, /Wrong failed in .*: 0 of 1 assertion true/);
  assert.doesNotMatch(stdout, /ok {4}heal/);
});

test("a wait that runs out of time ends the run with exit code 3", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "apart.yaml");
  await writeFile(
    file,
    "name: Apart\nnodes: 2\nsteps:\n  - split: [1, 2]\n  - mine: 1 block\n    at: 1\n  - wait: converged\n    within: 500ms\n  - assert: converged\n",
  );
  const { code, stdout } = await runCli(["cluster", "run", file, "--json"]);
  assert.equal(code, 3);
  const { outcome, problem, steps } = JSON.parse(stdout);
  assert.deepEqual([outcome, problem.line], ["timed-out", 7]);
  assert.match(
    problem.message,
    /^not converged within 0\.5 s: 1 [0-9a-f]{8} at node 1; 0 [0-9a-f]{8} at node 2$/,
  );
  assert.deepEqual(
    steps.map(({ result }: { result: string }) => result),
    ["done", "done", "failed", "not-run"],
  );
});

test("a run that its limit ended leaves a report with the recording", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "endless.yaml");
  await writeFile(
    file,
    "name: Endless\nnodes: 1\nlimit: 1s\nsteps:\n  - mine: 1 block\n    at: 1\n  - wait: 30s\n  - assert: converged\n",
  );
  const report = join(directory, "report");
  const { code } = await runCli(["cluster", "run", file, "--json", "--report", report]);
  assert.equal(code, 3);
  const { outcome, recording } = JSON.parse(await readFile(join(report, "report.json"), "utf8"));
  assert.equal(outcome, "timed-out");
  assert.ok(
    recording.entries.some(
      ({ type, data }: { type: string; data: { height?: number } }) => type === "head" && data.height === 1,
    ),
  );
});

test("a file that is wrong is told whole, starts nothing, and exits with 2; a dry run of a right one tells its steps", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "wrong.yaml");
  await writeFile(file, "name: Wrong\nnodes: 2\nsteps:\n  - kill: 3\n  - dance\n  - assert: converged\n");
  const env = { TMPDIR: directory };
  const told = await runCli(["cluster", "run", file], { env });
  assert.deepEqual([told.code, told.stdout], [2, ""]);
  const [first = "", second = "", last = ""] = told.stderr.split("\n");
  assert.equal(first, `${file}:4:11: steps[0].kill: there is no node 3; the nodes are 1 to 2`);
  assert.match(second, /:5:5: steps\[1\]: there is no step "dance"; there are: say, /);
  assert.match(last, /^cumulo: .* has 2 problems, so nothing was started/);
  const json = await runCli(["cluster", "run", file, "--json"], { env });
  const { code, details } = JSON.parse(json.stderr);
  assert.deepEqual([json.code, code, details.problems.length], [2, "CLUSTER_SCENARIO_INVALID", 2]);
  assert.deepEqual(details.problems[0].key, "steps[0].kill");
  const missing = await runCli(["cluster", "run", join(directory, "none.yaml")], { env });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /cannot read the scenario .*"cumulo cluster scenarios" lists/);
  const dry = await runCli(["cluster", "run", "two-way-split", "--dry-run", "--json"], { env });
  assertFits(JSON_OUTPUTS["cluster run"]?.schema, JSON.parse(dry.stdout), "cluster run --dry-run");
  const list = await runCli(["cluster", "scenarios", "--json"], { env });
  assertFits(JSON_OUTPUTS["cluster scenarios"]?.schema, JSON.parse(list.stdout), "cluster scenarios");
  assert.deepEqual(await readdir(directory), ["wrong.yaml"]);
});

test("a directory that is somebody's is refused and left as it is", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ["cluster.mark", "genesis.json"]) await writeFile(join(directory, name), "theirs");
  const { code, stderr } = await runCli(["cluster", "run", "two-way-split", "--json", "--dir", directory]);
  assert.equal(code, 1);
  assert.match(
    JSON.parse(stderr).message,
    /is not empty \(cluster\.mark\); choose another --dir DIR, new or empty/,
  );
  assert.deepEqual(await readdir(directory), ["cluster.mark", "genesis.json"]);
  assert.equal(await readFile(join(directory, "genesis.json"), "utf8"), "theirs");
});

test("a run that is interrupted ends its cluster and exits with 130", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "long.yaml");
  const temporary = join(directory, "tmp");
  await mkdir(temporary);
  await writeFile(file, "name: Long\nnodes: 2\nsteps:\n  - wait: 10m\n  - assert: converged\n");
  const child = spawnCli(["cluster", "run", file, "--dir", join(temporary, "cluster")]);
  t.after(() => child.kill("SIGKILL"));
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdout?.resume();
  const running = join(temporary, "cluster", "cluster.json");
  const isUp = async () => /"running"/.test(await readFile(running, "utf8").catch(() => ""));
  await until("the cluster runs", isUp, 60_000);
  const { nodes, supervisor } = JSON.parse(await readFile(running, "utf8"));
  const all: ProcessId[] = [supervisor, ...nodes.map((node: { process: ProcessId }) => node.process)];
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  assert.deepEqual([code, errors], [130, ""]);
  assert.ok(!(await Promise.all(all.map(isAlive))).includes(true), "no process is left");
  assert.deepEqual(await readdir(temporary), [], "nothing of it is left");
});
