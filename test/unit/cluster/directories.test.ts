import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startCluster, stopCluster } from "../../../src/cluster/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

test("a cluster is not started among somebody else's files, and leaves them as they are", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "notes.txt"), "mine");
  await assert.rejects(startCluster({ directory }), { code: "CLUSTER_START_FAILED", message: /notes\.txt/ });
  assert.deepEqual(await readdir(directory), ["notes.txt"]);
});

test("a purge without a cluster's traces removes nothing, even where names look like a cluster's", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ["keys", "node1"]) await mkdir(join(directory, name));
  await assert.rejects(stopCluster(directory, { purge: true }), { code: "CLUSTER_NOT_RUNNING" });
  assert.deepEqual((await readdir(directory)).sort(), ["keys", "node1"]);
});
