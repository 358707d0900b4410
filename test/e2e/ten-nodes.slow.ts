import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createClusterClient, parseGroups, stopCluster, waitConverged } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";

for (const topology of ["full", "ring"] as const)
  test(`ten nodes in a ${topology} topology come up, fork in two halves, and agree after the heal`, async (t) => {
    const { path, remove } = await createTempDir();
    const directory = join(path, "cluster");
    t.after(async () => {
      await stopCluster(directory).catch(() => {});
      await remove();
    });
    const up = ["cluster", "up", "--nodes", "10", "--topology", topology, "--log-level", "warn"];
    const { code, stderr } = await runCli([...up, "--dir", directory], { timeoutMs: 120_000 });
    assert.equal(code, 0, stderr);
    const cluster = await createClusterClient(directory);
    const peers = topology === "full" ? 9 : 2;
    for (const { n, status } of await cluster.snapshot()) assert.equal(status?.peers, peers, `node ${n}`);
    const numbers = Array.from({ length: 10 }, (_, i) => i + 1);
    await cluster.split(parseGroups("1-5/6-10", numbers));
    await cluster.node(1).mining({ mode: "blocks", count: 2 });
    await cluster.node(10).mining({ mode: "blocks", count: 4 });
    await cluster.act(6, "kill");
    await cluster.act(6, "restart");
    await cluster.heal();
    const { head } = await waitConverged(cluster, { timeoutMs: 60_000 });
    assert.equal(head.height, 4);
    assert.equal((await cluster.node(1).reorgs()).items.length, 1);
  });
