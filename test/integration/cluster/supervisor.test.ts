import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  createClusterClient,
  groupsOf,
  MAX_LOG_BYTES,
  parseGroups,
  startCluster,
  stopCluster,
} from "../../../src/cluster/index.ts";
import { endProcess, isAlive, processStart } from "../../../src/cluster/processes.ts";
import { allGone, fakeCluster, fakeNode, processesOf, readFileOf } from "../../support/fake-cluster.ts";
import { SUITE_MS } from "../../support/suite-limit.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";

describe("cluster supervisor", { timeout: SUITE_MS }, () => {
  it("starts the nodes, introduces each to all others, and serves them at one address", async (t) => {
    const { directory, start } = await fakeCluster(t);
    const { url } = await start();
    const cluster = await createClusterClient(directory);
    const { nodes } = await cluster.info();
    assert.deepEqual(
      nodes.map(({ n, state }) => [n, state]),
      [
        [1, "running"],
        [2, "running"],
      ],
    );
    for (const { n, peer } of nodes) {
      const status = await cluster.node(n).status();
      assert.equal(status.node.peer, peer);
    }
    assert.deepEqual(
      (await cluster.node(2).mining({ mode: "off" })).blocks,
      [],
      "the node's own token is added",
    );
    const body = JSON.stringify({ mode: "off" });
    const headers = { "content-type": "application/json" };
    for (const authorization of [undefined, "Bearer token-of-node1", "Bearer wrong"]) {
      const refused = await fetch(`${url}/nodes/1/v1/mining`, {
        method: "POST",
        body,
        headers: authorization === undefined ? headers : { ...headers, authorization },
      });
      assert.equal(refused.status, 401, "a node's own token is not the supervisor's");
    }
    assert.equal((await fetch(`${url}/nodes/1/v1/status`)).status, 200, "reading is open on loopback");
    assert.equal((await fetch(`${url}/nodes/9/v1/status`)).status, 404);
    assert.equal((await stat(join(directory, "api-token"))).mode & 0o777, 0o600);
  });

  it("event streams pass through", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 1);
    await start();
    const cluster = await createClusterClient(directory);
    const response = await fetch(`${cluster.url}/nodes/1/v1/events`);
    const { value } = await (response.body as ReadableStream<Uint8Array>).getReader().read();
    assert.match(new TextDecoder().decode(value), /^id: \w+-0\nevent: start\n/);
    await stopCluster(directory);
  });

  it("split refuses the links between groups on both ends, heal restores them all", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 3);
    await start();
    const cluster = await createClusterClient(directory);
    const refusals = async () => (await cluster.snapshot()).map(({ refuses }) => refuses.length);
    await cluster.split(parseGroups("1/2,3", [1, 2, 3]));
    assert.deepEqual(await refusals(), [2, 1, 1]);
    assert.deepEqual(groupsOf(await cluster.snapshot()), [[1], [2, 3]]);
    await cluster.split(parseGroups("1,2/3", [1, 2, 3]));
    assert.deepEqual(groupsOf(await cluster.snapshot()), [[1, 2], [3]]);
    await cluster.heal();
    assert.deepEqual(await refusals(), [0, 0, 0]);
  });

  it("down ends every process and keeps the data; purge removes it", async (t) => {
    const { directory, start } = await fakeCluster(t);
    await start();
    const processes = processesOf(await readFileOf(directory));
    assert.equal(processes.length, 3);
    assert.deepEqual(await stopCluster(directory), { ended: 3 });
    assert.ok(await allGone(processes));
    assert.ok((await readdir(directory)).includes("node1"));
    await assert.rejects(stopCluster(directory), { code: "CLUSTER_NOT_RUNNING" });
    await stopCluster(directory, { purge: true });
    await assert.rejects(stat(directory), { code: "ENOENT" });
  });

  it("says to every node, also one that is started again, how much of the chain to keep; by default all", async (t) => {
    const { directory, start } = await fakeCluster(t);
    const argumentsOf = (n: number) => readFile(join(directory, `node${n}`, "arguments"), "utf8");
    await start(undefined, undefined, { pruneDepth: 300 });
    for (const n of [1, 2]) assert.match(await argumentsOf(n), / --prune 300( |$)/);
    await rm(join(directory, "node2", "arguments"));
    await (await createClusterClient(directory)).act(2, "restart");
    assert.match(await argumentsOf(2), / --prune 300( |$)/);
    await stopCluster(directory);
    await start();
    assert.doesNotMatch(await argumentsOf(1), /--prune/);
  });

  it("puts its own log aside while it runs, once it has grown too long", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 1);
    await start();
    await stopCluster(directory);
    const log = join(directory, "supervisor.log");
    // As long as a start still goes on with. Sparse.
    await truncate(log, MAX_LOG_BYTES);
    await start();
    await (await createClusterClient(directory)).act(1, "kill");
    await until("a new one is begun", async () => (await stat(log)).size < 10_000);
    await until("it goes on there", async () => (await readFile(log, "utf8")).includes("a node ended"));
    const before = await readFile(`${log}.1`, "utf8");
    assert.match(before.slice(MAX_LOG_BYTES), /"msg":"cluster runs"/);
  });

  it("a second start on a running cluster is refused and disturbs nothing", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 1);
    await start();
    const before = await readFileOf(directory);
    await assert.rejects(start(), { code: "CLUSTER_RUNNING" });
    assert.deepEqual(await readFileOf(directory), before);
    assert.ok(await isAlive(before.supervisor));
  });

  it("of two starts at once on a new directory one runs, with all its nodes in one network", async (t) => {
    const { directory, start } = await fakeCluster(t);
    const results = await Promise.allSettled([start(), start()]);
    assert.deepEqual(
      results.map((result) => (result.status === "rejected" ? result.reason.code : "runs")).sort(),
      ["CLUSTER_RUNNING", "runs"],
    );
    const { nodes } = await (await createClusterClient(directory)).info();
    assert.equal(nodes.length, 2);
  });

  it("a node that does not start fails the start with its last words, and nothing is left running", async (t) => {
    const { directory, start } = await fakeCluster(t, "fails");
    await assert.rejects(start(), {
      code: "CLUSTER_START_FAILED",
      message: "node 2 did not start: the disk is on fire",
    });
    const log = (await readFile(join(directory, "supervisor.log"), "utf8")).trimEnd().split("\n");
    const entries = log.map((line) => JSON.parse(line) as { msg: string; node?: number; error?: string });
    assert.deepEqual(
      entries.flatMap(({ error }) => error ?? []),
      ["node 2 did not start: the disk is on fire"],
      "one line, without a stack",
    );
    assert.ok(entries.some(({ node, msg }) => node === 2 && msg === "a node ended"));
    const note = await readFile(join(directory, "node1", "node.json"), "utf8").catch(() => undefined);
    const { pid } = JSON.parse(note ?? "{}") as { pid?: number };
    if (pid !== undefined) assert.equal(await processStart(pid), undefined, "the first node is ended");
    await assert.rejects(readFileOf(directory), { code: "ENOENT" });
    await assert.rejects(createClusterClient(directory), { code: "CLUSTER_NOT_RUNNING" });
  });

  it("keeps the network it was given, and does not take another for it", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 1);
    const genesisFile = join(await temporaryDirectory(t), "mine.json");
    await writeFile(genesisFile, JSON.stringify({ name: "mine" }));
    const given = { directory, nodes: 1, command: fakeNode, genesisFile };
    await startCluster(given);
    await stopCluster(directory);
    await start();
    assert.equal(JSON.parse(await readFile(join(directory, "genesis.json"), "utf8")).name, "mine");
    await stopCluster(directory);
    await writeFile(genesisFile, JSON.stringify({ name: "other" }));
    await assert.rejects(startCluster(given), { code: "CLUSTER_START_FAILED", message: /another network/ });
  });

  /** A start whose nodes never answer, at the moment when all of them are spawned. */
  async function hangingStart(directory: string, signal?: AbortSignal) {
    const command = ["/usr/bin/env", "FAKE_NODE=silent", ...fakeNode];
    const starting = startCluster({
      directory,
      nodes: 6,
      command,
      ...(signal === undefined ? {} : { signal }),
    });
    starting.catch(() => {});
    // As many as are started at once.
    const file = await until("the first nodes are spawned", async () => {
      const now = await readFileOf(directory).catch(() => undefined);
      return now?.nodes.length === 4 ? now : undefined;
    });
    return { starting, file };
  }

  it("an interrupted start ends what it had started, and leaves nothing of a new directory", async (t) => {
    const { directory } = await fakeCluster(t);
    const interrupt = new AbortController();
    const { starting, file } = await hangingStart(directory, interrupt.signal);
    interrupt.abort(new Error("interrupted"));
    await assert.rejects(starting, { message: "interrupted" });
    assert.ok(await allGone(processesOf(file)));
    await assert.rejects(stat(directory), { code: "ENOENT" });
  });

  it("an interrupted start in a directory with a chain leaves that as it was", async (t) => {
    const { directory, start } = await fakeCluster(t);
    await start();
    await stopCluster(directory);
    const genesis = await readFile(join(directory, "genesis.json"), "utf8");
    const interrupt = new AbortController();
    const { starting, file } = await hangingStart(directory, interrupt.signal);
    interrupt.abort(new Error("interrupted"));
    await assert.rejects(starting, { message: "interrupted" });
    assert.ok(await allGone(processesOf(file)));
    assert.equal(await readFile(join(directory, "genesis.json"), "utf8"), genesis);
    assert.ok(!(await readdir(directory)).includes("cluster.json"));
  });

  it("a start whose supervisor is killed fails, and leaves no process and no note of it", async (t) => {
    const { directory, start } = await fakeCluster(t);
    const { starting, file } = await hangingStart(directory);
    process.kill(file.supervisor.pid, "SIGKILL");
    await assert.rejects(starting, { code: "CLUSTER_START_FAILED", message: /the supervisor ended before/ });
    assert.ok(await allGone(processesOf(file)));
    assert.ok(!(await readdir(directory)).includes("cluster.json"));
    await start();
  });

  it("nodes of a killed supervisor end by themselves, and down and up work again", async (t) => {
    const { directory, start } = await fakeCluster(t);
    await start();
    const file = await readFileOf(directory);
    process.kill(file.supervisor.pid, "SIGKILL");
    await until("no orphan is left", () => allGone(processesOf(file)));
    await assert.rejects(createClusterClient(directory), {
      code: "CLUSTER_NOT_RUNNING",
      message: /cluster down/,
    });
    await start();
    assert.notEqual((await readFileOf(directory)).supervisor.pid, file.supervisor.pid);
  });

  it("a cluster whose directory is removed by hand ends itself", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 1);
    await start();
    const file = await readFileOf(directory);
    await rm(directory, { recursive: true });
    await until("all are gone", () => allGone(processesOf(file)), 20_000);
  });

  it("a node that ends is shown as ended, and is not restarted", async (t) => {
    const { directory, start } = await fakeCluster(t);
    await start();
    const cluster = await createClusterClient(directory);
    const second = (await readFileOf(directory)).nodes[1];
    assert.ok(second !== undefined);
    process.kill(second.process.pid, "SIGKILL");
    const info = await until("it is shown", async () => {
      const now = await cluster.info();
      return now.nodes[1]?.state === "ended" ? now : undefined;
    });
    assert.equal(info.nodes[1]?.exit, "SIGKILL");
    await assert.rejects(cluster.node(2).status(), { code: "NODE_UNREACHABLE", status: 502 });
    assert.deepEqual(
      (await cluster.snapshot()).map(({ status }) => status === undefined),
      [false, true],
    );
  });

  it("a node that ignores SIGTERM is killed", async (t) => {
    const { directory, start } = await fakeCluster(t, "stubborn", 1);
    await start();
    const processes = processesOf(await readFileOf(directory));
    await stopCluster(directory);
    assert.ok(await allGone(processes));
  });

  it("a process that only has the number of one of ours is never signalled", async () => {
    const self = { pid: process.pid, started: "another start" };
    assert.equal(await isAlive(self), false);
    await endProcess(self, 100);
  });
});
