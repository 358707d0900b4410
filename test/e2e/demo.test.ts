import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { poll } from "../support/daemon.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const DEMO = fileURLToPath(new URL("../../src/cli/demo.ts", import.meta.url));

interface Running {
  readonly child: ChildProcess;
  /** Where it puts everything it makes. */
  readonly directory: string;
  readonly output: { text: string; errors: string };
  readonly ended: Promise<number | null>;
}

async function startDemo(t: TestContext, args: readonly string[]): Promise<Running> {
  const directory = await temporaryDirectory(t);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", DEMO, ...args], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  t.after(async () => {
    child.kill("SIGINT");
    await ended;
  });
  const output = { text: "", errors: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.text += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.errors += text));
  return { child, directory, output, ended };
}

/** Processes whose command line names the directory. */
async function processesOf(directory: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-axww", "-o", "args="], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout.split("\n").filter((line) => line.includes(directory));
}

async function leavesNothing(directory: string): Promise<void> {
  assert.deepEqual(await readdir(directory), []);
  await poll("no process is left", async () => (await processesOf(directory)).length === 0, 2_000);
}

test("the demo prints one line that accounts for everything, and leaves no process and no directory", async (t) => {
  const { directory, output, ended } = await startDemo(t, ["--once", "--json"]);
  assert.equal(await ended, 0, output.errors);
  const lines = output.text.split("\n");
  assert.equal(lines.length, 2, "one line and its end");
  const result = JSON.parse(lines[0] ?? "");
  assert.equal(result.nodes, 3);
  assert.equal(result.converged, true);
  assert.match(result.head.id, /^[0-9a-f]{64}$/);
  assert.equal(result.branches.length, 2);
  const [one, other] = result.branches.map(({ work }: { work: string }) => BigInt(`0x${work}`));
  assert.notEqual(one, other);
  assert.ok(result.timeToConvergenceMs >= 0);
  assert.ok(result.reorgs.some(({ depth }: { depth: number }) => depth >= 2));
  for (const { node } of result.reorgs) assert.ok([1, 2, 3].includes(node));
  const { sent, mined, pending, dropped, conflicted, returnedToMempool } = result.transactions;
  assert.ok(sent > 0);
  assert.equal(sent, mined + pending + dropped + conflicted);
  assert.ok(returnedToMempool >= 1);
  assert.ok(conflicted >= 1);
  await leavesNothing(directory);
});

test("what the demo cannot use is told as by every command, and nothing is touched", async (t) => {
  const wrong: readonly [args: (directory: string) => string[], says: RegExp][] = [
    [() => ["--bogus"], /^cumulo: unknown option '--bogus'; --help tells what there is\n$/],
    [(directory) => ["--dir", directory], /^cumulo: .* is not empty; choose another --dir\n$/],
    [(directory) => ["--dir", join(directory, "file")], /^cumulo: .*a part of its path, is a file/],
    [() => ["--dir", "/proc/x"], /^cumulo: the demo cannot use \/proc\/x: .*; choose another --dir\n$/],
  ];
  for (const [args, says] of wrong) {
    const directory = await temporaryDirectory(t);
    await writeFile(join(directory, "file"), "");
    const { output, ended } = await startDemo(t, args(directory));
    assert.ok([1, 2].includes((await ended) ?? -1));
    assert.match(output.errors, says);
    assert.deepEqual([output.text, await readdir(directory)], ["", ["file"]]);
  }
});

test("a demo whose reader goes away ends by itself and leaves nothing", async (t) => {
  const { child, directory, output, ended } = await startDemo(t, ["--once"]);
  await poll("a node runs", async () => (await processesOf(directory)).length > 1);
  child.stdout?.destroy();
  assert.equal(await ended, 130, output.errors);
  assert.equal(output.errors, "");
  await leavesNothing(directory);
});

test("of two demos in one directory one is told so, and does not harm the other; the directory itself stays", async (t) => {
  const directory = await temporaryDirectory(t);
  const demos = await Promise.all([1, 2].map(() => startDemo(t, ["--once", "--dir", directory])));
  const codes = await Promise.all(demos.map(({ ended }) => ended));
  assert.deepEqual(codes.sort(), [0, 2], demos.map(({ output }) => output.errors).join(""));
  assert.match(demos.map(({ output }) => output.errors).join(""), /^cumulo: [^\n]*choose another --dir\n$/);
  assert.deepEqual(await readdir(directory), []);
});

for (const [moment, signal] of [
  ["The network splits", "SIGINT"],
  ["Three nodes start", "SIGINT"],
  ["Three nodes start", "SIGHUP"],
] as const) {
  test(`the demo ended by ${signal} at "${moment}" leaves nothing either`, async (t) => {
    const { child, directory, output, ended } = await startDemo(t, ["--once"]);
    await poll("it is there", () => output.text.includes(moment), 60_000);
    const startMs = performance.now();
    if (moment === "Three nodes start")
      await poll("a node runs", async () => (await processesOf(directory)).length > 1);
    child.kill(signal);
    assert.equal(await ended, 130, output.errors);
    assert.ok(performance.now() - startMs < 15_000);
    assert.equal(output.errors, "");
    const heads = output.text.split("\n").filter((line) => line.includes("(pending "));
    for (const line of heads) assert.ok(line.length <= 80, line);
    if (moment === "The network splits") assert.ok(heads.length > 0);
    await leavesNothing(directory);
  });
}
