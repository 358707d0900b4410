import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFile, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createClusterClient, groupsOf, stopCluster } from "../../../src/cluster/index.ts";
import { allGone, fakeCluster, processesOf, readFileOf } from "../../support/fake-cluster.ts";
import { SUITE_MS } from "../../support/suite-limit.ts";
import { until } from "../../support/until.ts";

async function runningCluster(t: TestContext, behaviour = "", nodes = 2) {
  const { directory, start } = await fakeCluster(t, behaviour, nodes);
  await start();
  const cluster = await createClusterClient(directory);
  const nodeOf = async (n: number) => {
    const found = (await cluster.info()).nodes.find((node) => node.n === n);
    return found ?? assert.fail(`there is no node ${n}`);
  };
  return { directory, cluster, nodeOf };
}

/** What a wrong state is told with. */
const refusal = (code: string, says: RegExp) => (error: Error) => {
  const { code: found, exitCode, message } = error as Error & { code: string; exitCode: number };
  assert.deepEqual([found, exitCode], [code, 1]);
  assert.match(message, says);
  return true;
};

describe("one node of a cluster", { timeout: SUITE_MS }, () => {
  it("that is killed is shown as ended with why, and a restart brings it back at its ports", async (t) => {
    const { directory, cluster, nodeOf } = await runningCluster(t);
    const before = await nodeOf(2);
    const killed = await cluster.act(2, "kill");
    assert.deepEqual(
      [killed.state, killed.exit, killed.why, killed.pid],
      ["ended", "SIGKILL", "killed by cluster kill", before.pid],
    );
    await assert.rejects(cluster.node(2).status(), { code: "NODE_UNREACHABLE", status: 502 });
    for (const deed of ["kill", "pause", "resume"] as const)
      await assert.rejects(
        cluster.act(2, deed),
        refusal(
          "CLUSTER_NODE_ENDED",
          /has ended \(killed by cluster kill\); start it with "cumulo cluster restart 2 /,
        ),
      );
    const again = await cluster.act(2, "restart");
    assert.equal(again.state, "running");
    assert.notEqual(again.pid, before.pid);
    assert.deepEqual([again.api, again.multiaddrs], [before.api, before.multiaddrs]);
    assert.equal((await cluster.node(2).status()).node.peer, before.peer);
    assert.deepEqual(
      (await cluster.node(2).mining({ mode: "off" })).blocks,
      [],
      "with the right to change it",
    );
    const noted = (await readFileOf(directory)).nodes[1];
    assert.deepEqual([noted?.process.pid, noted?.api], [again.pid, again.api]);
    const log = await readFile(join(directory, "supervisor.log"), "utf8");
    assert.match(
      log,
      /"node":2,"nodePid":\d+,"exit":"SIGKILL","why":"killed by cluster kill","msg":"a node ended"/,
    );
  });

  it("that runs is restarted after it has ended cleanly, and once only where two ask for it", async (t) => {
    const { directory, cluster } = await runningCluster(t, "", 1);
    const before = processesOf(await readFileOf(directory)).slice(1);
    const asked = await Promise.allSettled([cluster.act(1, "restart"), cluster.act(1, "restart")]);
    assert.deepEqual(
      asked.map((one) => (one.status === "fulfilled" ? one.value.state : one.reason.code)),
      ["running", "CLUSTER_NODE_STARTING"],
    );
    assert.ok(await allGone(before));
    assert.equal((await cluster.node(1).status()).peers, 0);
    const log = await readFile(join(directory, "supervisor.log"), "utf8");
    assert.match(log, /"exit":"0","why":"stopped by its supervisor"/);
  });

  it("whose port was taken meanwhile is restarted at another, and its cluster's address still leads to it", async (t) => {
    const { directory, cluster, nodeOf } = await runningCluster(t);
    const before = await nodeOf(2);
    await cluster.act(2, "kill");
    const squatter = createServer((socket) => socket.destroy());
    await once(squatter.listen(Number(new URL(before.api).port), "127.0.0.1"), "listening");
    t.after(() => squatter.close());
    const again = await cluster.act(2, "restart");
    assert.notEqual(again.api, before.api);
    assert.equal((await cluster.node(2).status()).node.peer, before.peer);
    assert.equal((await readFileOf(directory)).nodes[1]?.api, again.api);
  });

  it("that does not start again is told with its last words, and can be tried once more", async (t) => {
    const { cluster, nodeOf } = await runningCluster(t, "fails-again");
    for (let i = 0; i < 2; i++) {
      await assert.rejects(
        cluster.act(2, "restart"),
        refusal("CLUSTER_START_FAILED", /^node 2 did not start: the disk is full now$/),
      );
      const { state, exit, why } = await nodeOf(2);
      assert.deepEqual([state, exit, why], ["ended", "1", "node 2 did not start: the disk is full now"]);
    }
    assert.equal((await nodeOf(1)).state, "running");
  });

  it("is paused and goes on, and is told from one that has ended", async (t) => {
    const { cluster, nodeOf } = await runningCluster(t);
    const { pid } = await cluster.act(2, "pause");
    assert.deepEqual(
      (await cluster.snapshot()).map(({ state, status }) => [state, status === undefined]),
      [
        ["running", false],
        ["paused", true],
      ],
    );
    await assert.rejects(
      cluster.act(2, "pause"),
      refusal("CLUSTER_NODE_PAUSED", /cumulo cluster resume 2 --dir/),
    );
    const resumed = await cluster.act(2, "resume");
    assert.deepEqual([resumed.state, resumed.pid], ["running", pid]);
    assert.deepEqual(await nodeOf(2), resumed);
    await assert.rejects(
      cluster.act(2, "resume"),
      refusal("CLUSTER_NODE_RUNNING", /cumulo cluster pause 2 --dir/),
    );
    await cluster.act(2, "pause");
    assert.equal((await cluster.act(2, "restart")).state, "running");
    await cluster.act(2, "pause");
    assert.equal((await cluster.act(2, "kill")).state, "ended");
  });

  it("that was stopped by somebody else's signal is shown as paused too", async (t) => {
    const { nodeOf } = await runningCluster(t, "", 1);
    const { pid } = await nodeOf(1);
    process.kill(pid, "SIGSTOP");
    await until("it is shown", async () => (await nodeOf(1)).state === "paused");
    process.kill(pid, "SIGCONT");
    await until("it goes on", async () => (await nodeOf(1)).state === "running");
  });

  it("that is restarted or resumed refuses whom the split in force says, and nobody after a heal", async (t) => {
    const { cluster } = await runningCluster(t, "", 4);
    const refusals = async () => (await cluster.snapshot()).map(({ refuses }) => refuses.length);
    await cluster.split([
      [1, 2],
      [3, 4],
    ]);
    await cluster.act(1, "restart");
    await cluster.act(4, "kill");
    await cluster.act(3, "pause");
    assert.deepEqual((await cluster.info()).split?.groups, [
      [1, 2],
      [3, 4],
    ]);
    await cluster.split([[1], [2, 3, 4]]);
    await cluster.act(3, "resume");
    await cluster.act(4, "restart");
    assert.deepEqual(await refusals(), [3, 1, 1, 1]);
    assert.deepEqual(groupsOf(await cluster.snapshot()), [[1], [2, 3, 4]]);
    await cluster.act(2, "kill");
    await cluster.heal();
    await cluster.act(2, "restart");
    assert.deepEqual(await refusals(), [0, 0, 0, 0]);
    assert.equal((await cluster.info()).split, null);
  });

  it("that is being restarted makes no split fail, and has the last one when it is back", async (t) => {
    const { cluster } = await runningCluster(t);
    for (let round = 0; round < 3; round++) {
      let isBack = false;
      const restarting = cluster.act(2, "restart").finally(() => {
        isBack = true;
      });
      while (!isBack) {
        await cluster.heal();
        await cluster.split([[1], [2]]);
      }
      await restarting;
      assert.deepEqual(
        (await cluster.snapshot()).map(({ refuses }) => refuses.length),
        [1, 1],
      );
    }
  });

  it("that is restarted or resumed shapes its links as the cluster's are, until they end or are healed", async (t) => {
    const { cluster } = await runningCluster(t, "", 3);
    const shapesOf = async (n: number) =>
      (await cluster.node(n).links()).items.map(({ mode, out }) => [mode, out]);
    const slow = { delayMs: 80, lossRatio: 0.05 };
    await cluster.link(1, 2, slow);
    await cluster.link(3, 1, { blackhole: true }, 60_000);
    assert.deepEqual([await shapesOf(1), await shapesOf(2)], [[["shape", slow]], []]);
    await cluster.act(1, "restart");
    await cluster.act(3, "pause");
    await cluster.link(3, 2, { delayMs: 5 });
    await cluster.act(3, "resume");
    assert.deepEqual(await shapesOf(1), [["shape", slow]]);
    assert.deepEqual(await shapesOf(3), [
      ["shape", { blackhole: true }],
      ["shape", { delayMs: 5 }],
    ]);
    const { links } = await cluster.info();
    assert.deepEqual(
      links.map(({ from, to, untilMs }) => [from, to, untilMs === null]),
      [
        [1, 2, true],
        [3, 1, false],
        [3, 2, true],
      ],
    );
    await cluster.split([[1], [2, 3]], { names: ["few", "many"], forMs: 200 });
    assert.deepEqual(
      (await shapesOf(1)).map(([mode]) => mode),
      ["refuse", "refuse"],
    );
    await until("the split has healed by itself", async () => (await cluster.info()).split === null);
    await until("what it cut is shaped again", async () => (await shapesOf(1)).flat()[0] === "shape");
    assert.equal((await cluster.unlink(undefined, 2)).length, 2);
    assert.equal((await cluster.unlink()).length, 1);
    assert.deepEqual([await shapesOf(1), await shapesOf(3)], [[], []]);
    const { healings } = await cluster.info();
    assert.equal(healings.length, 3);
    for (const [from, to] of [
      [1, 9],
      [9, 1],
    ] as const)
      await assert.rejects(cluster.link(from, to, slow), { code: "CLUSTER_NODE_UNKNOWN" });
    await assert.rejects(cluster.link(2, 2, slow), { code: "CLUSTER_LINK_INVALID" });
  });

  it("is changed by nobody without the cluster's token, nor is its log read", async (t) => {
    const { cluster } = await runningCluster(t, "", 1);
    const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${cluster.url}/v1/cluster${path}`, { method, headers });
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    for (const [method, path] of [
      ["POST", "/nodes/1/kill"],
      ["POST", "/nodes/1/restart"],
      ["PUT", "/split"],
      ["GET", "/nodes/1/log"],
    ] as const) {
      assert.deepEqual(await ask(method, path), [401, "TOKEN_REQUIRED"]);
      assert.deepEqual(await ask(method, path, { authorization: "Bearer wrong" }), [401, "TOKEN_WRONG"]);
    }
    const authorization = `Bearer ${cluster.token}`;
    for (const n of ["2", "0", "-1", "x", "1e0"])
      assert.deepEqual(await ask("POST", `/nodes/${n}/kill`, { authorization }), [
        404,
        "CLUSTER_NODE_UNKNOWN",
      ]);
    const wrong = await ask("GET", "/nodes/1/log?lines=0", { authorization });
    assert.deepEqual(wrong, [400, "REQUEST_INVALID"]);
    assert.deepEqual(await ask("GET", "/nodes/1/log?after=x", { authorization }), [400, "REQUEST_INVALID"]);
    assert.equal((await cluster.snapshot())[0]?.state, "running");
  });

  it("has a log that is read from its end, and followed", async (t) => {
    const { directory, cluster } = await runningCluster(t, "", 1);
    const file = join(directory, "node1", "node.log");
    await appendFile(file, "one\ntwo\nthree\n");
    const page = await cluster.log(1, { lines: 2 });
    assert.deepEqual(page.items, ["two", "three"]);
    assert.deepEqual((await cluster.log(1, { after: page.next })).items, []);
    await appendFile(file, "four\n");
    assert.deepEqual((await cluster.log(1, { after: page.next })).items, ["four"]);
  });

  it("that is paused does not outlive its supervisor, even where that is killed", async (t) => {
    const { directory, cluster } = await runningCluster(t);
    await cluster.act(2, "pause");
    await cluster.act(2, "resume");
    await cluster.act(2, "pause");
    const file = await readFileOf(directory);
    process.kill(file.supervisor.pid, "SIGKILL");
    await until("all have ended", () => allGone(processesOf(file)));
  });

  it("is ended by down although it is paused, also where the supervisor was killed", async (t) => {
    for (const isKilled of [false, true]) {
      const { directory, cluster } = await runningCluster(t);
      await cluster.act(2, "pause");
      const file = await readFileOf(directory);
      if (isKilled) process.kill(file.supervisor.pid, "SIGKILL");
      await stopCluster(directory, { purge: true });
      assert.ok(await allGone(processesOf(file)));
    }
  });

  it("that is being restarted ends with its cluster", async (t) => {
    const { directory, cluster, nodeOf } = await runningCluster(t, "", 1);
    const before = await nodeOf(1);
    const restarting = cluster.act(1, "restart").catch(() => {});
    await until("the first process has ended", async () => {
      const { nodes } = await readFileOf(directory);
      return nodes[0]?.process.pid !== before.pid;
    });
    const file = await readFileOf(directory);
    await stopCluster(directory);
    await restarting;
    assert.ok(await allGone(processesOf(file)));
  });
});

describe("a cluster's topology", { timeout: SUITE_MS }, () => {
  const peersOf = async (directory: string): Promise<(number | undefined)[]> =>
    (await (await createClusterClient(directory)).snapshot()).map(({ status }) => status?.peers);

  it("gives each node its neighbours as peers, also those that are restarted, and in the next up", async (t) => {
    const { directory, start } = await fakeCluster(t, "", 4);
    await start(undefined, "line");
    assert.deepEqual(await peersOf(directory), [1, 2, 2, 1]);
    const cluster = await createClusterClient(directory);
    await cluster.act(2, "restart");
    assert.deepEqual(await peersOf(directory), [1, 2, 2, 1]);
    await stopCluster(directory);
    await start();
    assert.deepEqual(await peersOf(directory), [1, 2, 2, 1]);
    await stopCluster(directory);
    await start(undefined, "star");
    assert.deepEqual(await peersOf(directory), [3, 1, 1, 1]);
  });
});
