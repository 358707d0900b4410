import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { claimDirectory, lockDirectory, markDirectory } from "../../../src/cluster/claim.ts";
import { createClusterClient, startCluster, stopCluster } from "../../../src/cluster/index.ts";
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

test("a purge takes whatever an interrupted start can leave, and nothing that only looks like some of it", async (t) => {
  const root = await temporaryDirectory(t);
  // In the order in which they appear.
  const names = ["cluster.lock", "genesis.json.0123456789ab.tmp", "genesis.json", "supervisor.log"];
  names.push("cluster.json.0123456789ab.tmp", "api-token", "node1");
  for (const [i] of names.entries()) {
    const directory = join(root, `cluster${i}`);
    const some = names.slice(0, i);
    await mkdir(directory);
    await markDirectory(directory);
    for (const name of some) await writeFile(join(directory, name), "");
    assert.deepEqual(await stopCluster(directory, { purge: true }), { ended: 0 });
  }
  assert.deepEqual(await readdir(root), []);
  const foreign = [
    [],
    ["genesis.json"],
    ["genesis.json", "supervisor.log"],
    ["genesis.json", "keys", "api-token"],
  ];
  foreign.push(["cluster.lock", "genesis.json", "keys", "notes.txt"], ["cluster.mark", "keys"]);
  for (const [i, some] of foreign.entries()) {
    const directory = join(root, `other${i}`);
    await mkdir(directory);
    for (const name of some) await writeFile(join(directory, name), "");
    await assert.rejects(stopCluster(directory, { purge: true }), { code: "CLUSTER_NOT_RUNNING" });
    assert.deepEqual((await readdir(directory)).sort(), some.toSorted());
  }
});

test("a purge of a directory that is just being started in removes nothing", async (t) => {
  const directory = await temporaryDirectory(t);
  await markDirectory(directory);
  const unlock = lockDirectory(directory);
  t.after(() => unlock?.());
  await writeFile(join(directory, "genesis.json"), "");
  const message = /is being started or ended in .* right now; try again/;
  await assert.rejects(stopCluster(directory, { purge: true }), { code: "CLUSTER_RUNNING", message });
  assert.deepEqual((await readdir(directory)).sort(), ["cluster.lock", "cluster.mark", "genesis.json"]);
});

test("an empty cluster.json, left by a crash of an earlier version, stands in nobody's way", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "cluster.json"), "");
  await assert.rejects(createClusterClient(directory), { code: "CLUSTER_NOT_RUNNING" });
  const claim = await claimDirectory(directory, { pid: process.pid, started: "now" }, "");
  await claim.release();
  assert.deepEqual(await readdir(directory), ["cluster.lock"]);
});

test("a busy port is refused before anything is written, with the option to choose another", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const root = await temporaryDirectory(t);
  await assert.rejects(startCluster({ directory: join(root, "a", "b"), port }), {
    code: "CLUSTER_PORT_BUSY",
    message: `port ${port} on 127.0.0.1 is in use by another program; stop it, or choose another with --port PORT (0: any free one)`,
  });
  assert.deepEqual(await readdir(root), []);
});

test("a directory that cannot be one is named, with the reason in words and what to do", async (t) => {
  const root = await temporaryDirectory(t);
  const file = join(root, "file");
  await writeFile(file, "");
  for (const directory of [file, join(file, "x")]) {
    await assert.rejects(startCluster({ directory }), {
      code: "CLUSTER_START_FAILED",
      message: `cannot use ${directory} as a cluster's directory: it, or a part of its path, is a file and not a directory; choose another --dir DIR`,
    });
  }
  assert.deepEqual(await readdir(root), ["file"]);
});

test("a hint is a command that works when copied: it names the directory, quoted where a shell needs it", async (t) => {
  const root = await temporaryDirectory(t);
  for (const [name, shown] of [
    ["here", join(root, "here")],
    ["it's here", `'${root}/it'\\''s here'`],
  ] as const) {
    await assert.rejects(createClusterClient(join(root, name)), {
      message: `no cluster runs in ${join(root, name)}; start one with "cumulo cluster up --dir ${shown}"`,
    });
  }
});
