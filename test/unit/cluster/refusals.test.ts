import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { claimDirectory, lockDirectory, markDirectory } from "../../../src/cluster/claim.ts";
import { writeClusterFile } from "../../../src/cluster/cluster-file.ts";
import { createFileWatch } from "../../../src/cluster/cluster-file-watch.ts";
import { startCluster, stopCluster } from "../../../src/cluster/index.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

const ended = { pid: process.pid, started: "long ago" };
const note = { version: 1, state: "running", supervisor: ended, url: "", tokenFile: "", nodes: [] } as const;

/** Everything below a directory, with what the files hold. */
async function treeOf(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(file, "utf8")])),
  );
}

test("a node's directory is neither taken by up nor purged, whatever in it has a name of a cluster's", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, "keys"));
  await writeFile(join(directory, "keys", "alice.json"), "secret");
  await mkdir(join(directory, "node1"));
  await writeFile(join(directory, "node1", "mydoc"), "mine");
  await writeFile(join(directory, "genesis.json"), JSON.stringify({ name: "mine" }));
  for (const more of ["api-token", "supervisor.log", "cluster.lock", "cluster.mark"]) {
    await writeFile(join(directory, more), "");
    const before = await treeOf(directory);
    await assert.rejects(startCluster({ directory }), {
      code: "CLUSTER_START_FAILED",
      message: /holds other files \(.+\); choose a new or empty --dir DIR$/,
    });
    await assert.rejects(stopCluster(directory, { purge: true }), { code: "CLUSTER_NOT_RUNNING" });
    assert.deepEqual(await treeOf(directory), before);
  }
  await writeClusterFile(directory, note);
  const before = await treeOf(directory);
  await assert.rejects(stopCluster(directory, { purge: true }), {
    code: "CLUSTER_FILE_INVALID",
    message: `${directory} has no cluster.mark that "cumulo cluster up" made, so what is in it may be somebody else's; end the cluster with "cumulo cluster down --dir ${directory}", then remove by hand what is not needed`,
  });
  assert.deepEqual(await treeOf(directory), before);
});

test("what an up that was killed in its first moments leaves is no reason to refuse the next", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "cluster.mark.0123456789ab.tmp"), "A cum");
  await writeFile(join(directory, "cluster.lock"), "");
  await mkdir(join(directory, "supervisor.log"));
  await assert.rejects(startCluster({ directory }), { message: /holds other files \(supervisor\.log\)/ });
  await rm(join(directory, "supervisor.log"), { recursive: true });
  // Refused by the last check of all, so that nothing is started: its directory was taken.
  const unlock = lockDirectory(directory);
  t.after(() => unlock?.());
  await assert.rejects(startCluster({ directory }), { code: "CLUSTER_RUNNING" });
  const left = await readdir(directory);
  assert.ok(left.includes("cluster.mark"), "whoever has the lock works by the mark");
});

test("of many purges at once none fails with a file's trouble, and nothing is left", async (t) => {
  const root = await temporaryDirectory(t);
  for (let round = 0; round < 40; round++) {
    const directory = join(root, "cluster");
    await mkdir(join(directory, "node1", "chain"), { recursive: true });
    await markDirectory(directory);
    if (round % 2 === 0) await writeClusterFile(directory, note);
    const purges = Array.from({ length: 6 }, () => stopCluster(directory, { purge: true }));
    const results = await Promise.allSettled(purges);
    const words = results.map((one) => (one.status === "fulfilled" ? one.value.ended : one.reason.code));
    assert.ok(words.includes(0));
    assert.deepEqual(
      words.filter((word) => word !== 0 && word !== "CLUSTER_NOT_RUNNING"),
      [],
    );
    assert.deepEqual(await readdir(root), []);
  }
});

test("a lock on a directory that is gone says so", async (t) => {
  const directory = join(await temporaryDirectory(t), "gone");
  assert.throws(() => lockDirectory(directory), {
    code: "CLUSTER_NOT_RUNNING",
    message: `no cluster runs in ${directory}: the directory is gone`,
  });
});

test("a cluster.lock that is none is told as what it is, and the refused up leaves nothing it made", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "cluster.lock");
  await writeFile(file, "garbage".repeat(100));
  await assert.rejects(startCluster({ directory }), {
    code: "CLUSTER_FILE_INVALID",
    message: `${file} holds 700 bytes that are not a cluster's, and should be an empty file; move it away and try again`,
  });
  assert.deepEqual(await readdir(directory), ["cluster.lock"]);
  await rm(file);
  await mkdir(file);
  await assert.rejects(startCluster({ directory }), {
    code: "CLUSTER_FILE_INVALID",
    message: `${file} is a directory, and should be an empty file; move it away and try again`,
  });
  assert.deepEqual(await readdir(directory), ["cluster.lock"]);
});

test("an up whose log cannot be written takes away what it made, and only that", async (t) => {
  const directory = await temporaryDirectory(t);
  await markDirectory(directory);
  const log = join(directory, "supervisor.log");
  await mkdir(log);
  const before = (await readdir(directory)).sort();
  await assert.rejects(startCluster({ directory }), {
    code: "CLUSTER_START_FAILED",
    message: `cannot write ${log}: it is a directory; move it away, or choose another --dir DIR`,
  });
  assert.deepEqual((await readdir(directory)).sort(), before);
});

test("an up that is refused by a living supervisor's lock writes nothing into its directory", async (t) => {
  const directory = await temporaryDirectory(t);
  await markDirectory(directory);
  const claim = await claimDirectory(directory, { pid: process.pid, started: "now" }, "");
  t.after(() => claim.release());
  await rm(join(directory, "cluster.json"));
  await assert.rejects(startCluster({ directory }), { code: "CLUSTER_RUNNING" });
  assert.deepEqual((await readdir(directory)).sort(), ["cluster.lock", "cluster.mark"]);
});

test("a genesis file that is none is wrong usage, and nothing is made", async (t) => {
  const root = await temporaryDirectory(t);
  const genesisFile = join(root, "bad.json");
  await writeFile(genesisFile, "[]");
  await assert.rejects(startCluster({ directory: join(root, "cluster"), genesisFile }), (error: Error) => {
    const { code, exitCode } = error as unknown as { code: string; exitCode: number };
    assert.deepEqual([code, exitCode], ["CLUSTER_GENESIS_INVALID", 2]);
    return error.message.startsWith(`${genesisFile}: `);
  });
  assert.deepEqual(await readdir(root), ["bad.json"]);
});

test("a damaged cluster.json: its supervisor logs it once and goes on, and ends when the file is removed, as advised", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "cluster.json");
  await writeFile(file, "{");
  const advice = `${file} is damaged; remove this file: what still runs of its cluster then ends by itself within seconds`;
  await assert.rejects(stopCluster(directory), { code: "CLUSTER_FILE_INVALID", message: advice });
  const logger = createRecordingLogger();
  let ends = 0;
  const end = async (): Promise<void> => void ends++;
  const look = createFileWatch({ logger, end }, directory, process.pid);
  for (let i = 0; i < 3; i++) await look();
  assert.deepEqual(
    logger.lines.map(({ message, error }) => [message, error]),
    [["cluster.json could not be read", advice]],
  );
  await writeClusterFile(directory, note);
  await look();
  await writeFile(file, "{");
  await look();
  assert.equal(logger.lines.length, 2, "damage after it was well is told again");
  assert.equal(ends, 0);
  await rm(file);
  await look();
  assert.equal(ends, 1);
});
