import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Reorg } from "../../src/api/index.ts";
import { type ClusterClient, createClusterClient, runLoad, stopCluster } from "../../src/cluster/index.ts";
import { isAlive, type ProcessId } from "../../src/cluster/processes.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** One cluster of three real nodes for the whole file; each step goes on from the one before. */
describe("a local cluster", () => {
  let directory = "";
  let remove = async (): Promise<void> => {};
  let cluster: ClusterClient;
  const run = async (line: string) => {
    const result = await runCli([...line.split(" "), "--dir", directory]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  const mine = (n: number, count: number) => cluster.node(n).mining({ mode: "blocks", count });

  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    await run("cluster up --nodes 3 --log-level warn");
    cluster = await createClusterClient(directory);
  });
  after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });

  it("comes up connected, on one head", async () => {
    const nodes = await cluster.snapshot();
    assert.deepEqual(
      nodes.map(({ status }) => [status?.peers, status?.head.height]),
      [
        [2, 0],
        [2, 0],
        [2, 0],
      ],
    );
    await mine(1, 3);
    assert.match(await run("cluster wait converged --timeout 20s"), /converged on 3/);
  });

  it("carries load, and every accepted transfer has a fate", async () => {
    const load = JSON.parse(await run("cluster load --tps 20 --for 2s --json")) as Record<string, number>;
    assert.deepEqual([load["sent"], load["accepted"], load["refused"]], [40, 40, 0]);
    await until(
      "all are in one mempool",
      async () => (await cluster.node(2).status()).mempool.transactions === 40,
      15_000,
    );
    const { blocks } = await mine(2, 1);
    const block = await cluster.node(2).block(String(blocks[0]));
    assert.equal(block.transactions?.length, 40);
    await run("cluster wait converged --timeout 20s");
  });

  it("carries load again while that of before is pending", async () => {
    const again = "cluster load --tps 20 --for 1s --json";
    for (const load of [JSON.parse(await run(again)), JSON.parse(await run(again))])
      assert.deepEqual([load.sent, load.accepted, load.refusals], [20, 20, {}]);
    await mine(2, 1);
    await run("cluster wait converged --timeout 20s");
  });

  it("split, both sides mine, heal: one head, and the lighter side tells its reorg", async () => {
    await run("cluster split 1,2/3");
    await mine(3, 2);
    await mine(1, 4);
    const apart = await runCli(["cluster", "wait", "converged", "--timeout", "300ms", "--dir", directory]);
    assert.equal(apart.code, 3);
    assert.match(apart.stderr, /not converged within 300 ms: .*split 1,2\/3: heal it first/);
    const status = await run("cluster status");
    assert.match(status, /split: 1,2 \/ 3/);
    for (const line of status.split("\n")) assert.ok(line.length <= 100, line);
    await run("cluster heal");
    await run("cluster wait converged --timeout 30s");
    const { items } = await cluster.node(3).reorgs();
    const [reorg] = items as [Reorg];
    assert.deepEqual([reorg.depth, reorg.blocksOut.length, reorg.blocksIn.length], [2, 2, 4]);
    assert.ok(BigInt(`0x${reorg.newHead.work}`) > BigInt(`0x${reorg.oldHead.work}`));
    assert.equal((await cluster.node(1).reorgs()).items.length, 0, "the heavier side had none");
  });

  it("a node that was killed comes back into the split in force, and catches up after the heal", async () => {
    await run("cluster split 1,2/3");
    assert.match(await run("cluster kill 2"), /node 2 is killed .*cumulo cluster restart 2 --dir/);
    const again = await runCli(["cluster", "kill", "2", "--dir", directory]);
    assert.deepEqual(
      [again.code, again.stderr.split(";")[0]],
      [1, "cumulo: node 2 has ended (killed by cluster kill)"],
    );
    assert.match(
      await run("cluster status"),
      /2 +ended .*\n(.*\n)*node 2 has ended \(killed by cluster kill\): cumulo/,
    );
    await mine(1, 2);
    const { pid, api } = JSON.parse(await run("cluster restart 2 --json")) as { pid: number; api: string };
    const status = (await cluster.snapshot()).find(({ n }) => n === 2);
    assert.deepEqual([status?.pid, status?.api, status?.refuses.length], [pid, api, 1]);
    await until("it has what was mined", async () => {
      const [one, two] = await Promise.all([cluster.node(1).status(), cluster.node(2).status()]);
      return one.head.id === two.head.id;
    });
    assert.notEqual((await cluster.node(3).status()).head.id, (await cluster.node(1).status()).head.id);
    await run("cluster heal");
    await run("cluster wait converged --timeout 30s");
  });

  it("a node that was paused misses what happens, and catches up when it goes on", async () => {
    await run("cluster pause 3");
    await mine(1, 1);
    const apart = await runCli(["cluster", "wait", "converged", "--timeout", "300ms", "--dir", directory]);
    assert.equal(apart.code, 3);
    assert.match(apart.stderr, /node 3 is paused: let it go on with "cumulo cluster resume 3 --dir/);
    await run("cluster resume 3");
    await run("cluster wait converged --timeout 30s");
  });

  it("shows a node's log for people and for programs, and follows it over a restart", async () => {
    // Nodes that only warn write their first lines and no more.
    assert.match(await run("cluster logs 2 --lines 2"), /^node runs: API http\S+, data .*\nlistens on .*\n$/);
    const lines = (await run("cluster logs 2 --json")).trimEnd().split("\n");
    for (const line of lines) assert.equal(typeof JSON.parse(line), "object", line);
    const follower = spawnCli(["cluster", "logs", "2", "--lines", "1", "--follow", "--dir", directory]);
    let seen = "";
    follower.stdout?.setEncoding("utf8").on("data", (text: string) => {
      seen += text;
    });
    await until("it shows the end", () => seen.includes("listens on"));
    await run("cluster restart 2");
    await until("it shows the new start", () => seen.includes("node runs"));
    const ended = once(follower, "exit");
    follower.kill("SIGINT");
    assert.deepEqual(await ended, [0, null]);
  });

  it("equal branches stay tied until one block is mined, and the tools say so", async () => {
    await run("cluster split 1,2/3");
    await mine(3, 1);
    await mine(1, 1);
    await run("cluster heal");
    const tied = await runCli(["cluster", "wait", "converged", "--timeout", "30s", "--dir", directory]);
    assert.deepEqual([tied.code, tied.stderr], [1, "cumulo: tied: mine one block\n"]);
    assert.match(await run("cluster status"), /tied: mine one block/);
    await mine(2, 1);
    await run("cluster wait converged --timeout 20s");
  });

  it("groups that do not name every node once change nothing", async () => {
    const wrong = await runCli(["cluster", "split", "1/2", "--dir", directory]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /node 3 is in no group; name each of nodes 1-3 once/);
    assert.deepEqual(
      (await cluster.snapshot()).map(({ refuses }) => refuses),
      [[], [], []],
    );
  });

  it("down keeps the chain for the next up", async () => {
    const before = (await cluster.node(1).status()).head;
    await run("cluster down");
    await run("cluster up --topology star --log-level warn");
    const again = await createClusterClient(directory);
    assert.deepEqual(
      (await again.snapshot()).map(({ status }) => status?.peers),
      [2, 1, 1],
      "as many as before, and only the first is everybody's peer",
    );
    assert.deepEqual((await again.node(3).status()).head, before);
    cluster = again;
  });

  it("load goes on without a node that dies, and every transfer that was sent is counted", async () => {
    const { nodes } = await cluster.info();
    const victim = nodes.find(({ n }) => n === 2)?.pid ?? assert.fail("no node 2");
    let killed = false;
    const result = await runLoad(cluster, {
      tps: 200,
      durationMs: 2_000,
      onProgress: ({ sent }) => {
        if (killed || sent === 0) return;
        killed = true;
        process.kill(victim, "SIGKILL");
      },
    });
    assert.deepEqual(
      result.lost.map(({ node, code }) => [node, code]),
      [[2, "NODE_UNREACHABLE"]],
    );
    assert.equal(result.sent, result.accepted + result.refused + result.unanswered);
    assert.equal(result.accepted, result.ids.length);
    assert.ok(result.accepted > 200, `${result.accepted} of 400 were accepted`);
  });

  it("a supervisor that is told to end does so although its note is damaged, and the next down tidies up", async () => {
    const { supervisor, nodes } = JSON.parse(await readFile(join(directory, "cluster.json"), "utf8"));
    await writeFile(join(directory, "cluster.json"), "{");
    process.kill(supervisor.pid, "SIGTERM");
    const all = [supervisor, ...nodes.map((node: { process: ProcessId }) => node.process)];
    await until("all are gone", async () => !(await Promise.all(all.map(isAlive))).includes(true), 15_000);
    assert.ok(!(await readdir(directory)).includes("cluster.json"));
    const log = await readFile(join(directory, "supervisor.log"), "utf8");
    assert.doesNotMatch(log, /at .*\.ts:\d+/, "no stack");
    await run("cluster down --purge");
    await assert.rejects(stat(directory), { code: "ENOENT" });
  });
});
