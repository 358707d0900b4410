import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ClusterClient, createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** One cluster of three real nodes for the whole file; each step goes on from the one before. */
describe("links of a local cluster", () => {
  let directory = "";
  let remove = async (): Promise<void> => {};
  let cluster: ClusterClient;
  const cli = (...words: string[]) => runCli(["cluster", ...words, "--dir", directory]);
  const run = async (...words: string[]) => {
    const result = await cli(...words);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  const mine = async (n: number) =>
    (await cluster.node(n).mining({ mode: "blocks", count: 1 })).blocks[0] ?? "";
  const headOf = async (n: number) => (await cluster.node(n).status()).head.id;

  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    await run("up", "--nodes", "3", "--log-level", "warn");
    cluster = await createClusterClient(directory);
  });
  after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });

  it("that are slow bring blocks late, one way only", async () => {
    assert.match(await run("link", "1:2,3", "delay=300ms"), /link 1->2: delay=300ms\nlink 1->3: delay=300ms/);
    const id = await mine(1);
    const minedMs = performance.now();
    await until("another node has it", async () => (await headOf(2)) === id);
    assert.ok(performance.now() - minedMs >= 250, "it came too soon");
    assert.match(await run("status"), /link 1->2: delay=300ms/);
    const { links } = JSON.parse(await run("status", "--json")) as { links: unknown[] };
    assert.deepEqual(links[0], { from: 1, to: 2, shape: { delayMs: 300 }, untilMs: null });
    assert.deepEqual((await cluster.node(2).links()).items, []);
  });

  it("that are dead one way split the cluster, and a heal is measured to the convergence", async () => {
    await run("link", "1:2,3", "blackhole");
    const alone = await mine(1);
    await mine(2);
    const ahead = await mine(2);
    await until("the far side goes on", async () => (await headOf(3)) === ahead);
    assert.equal(await headOf(2), ahead);
    // What node 2 sends still arrives, so node 1 follows the better branch, and nobody ever hears of its own.
    await until("node 1 hears of it", async () => (await headOf(1)) === ahead);
    await assert.rejects(cluster.node(2).block(alone), { code: "BLOCK_NOT_FOUND" });
    const last = await mine(1);
    await run("heal");
    const waited = JSON.parse(await run("wait", "converged", "--timeout", "30s", "--json")) as Record<
      string,
      unknown
    >;
    assert.equal((waited["head"] as { id: string }).id, last);
    assert.equal(typeof waited["sinceHealMs"], "number");
    const { healings, links } = await cluster.info();
    assert.deepEqual(links, []);
    const healing = await until("it is measured", async () =>
      (await cluster.info()).healings.find(({ timeMs }) => timeMs !== null),
    );
    assert.ok(healings.length >= 1 && (healing.timeMs ?? 0) < 30_000);
  });

  it("and splits end by themselves after their time", async () => {
    assert.match(
      await run("split", "few=1/many=2,3", "--for", "1s"),
      /split: few=1 \/ many=2,3; it heals in 1/,
    );
    assert.deepEqual((await cluster.info()).split?.names, ["few", "many"]);
    await until("it has healed", async () => (await cluster.info()).split === null);
    await until("they are connected", async () => (await cluster.node(1).status()).peers === 2, 20_000);
  });

  it("that cannot be are refused by name, as wrong usage", async () => {
    for (const [words, message] of [
      [["link", "1:4", "delay=5ms"], /no node 4/],
      [["link", "2:2", "delay=5ms"], /no link to itself/],
      [["link", "1:2", "delay=5parsec"], /"parsec" is no unit/],
      [["link", "1:2"], /missing required argument/],
      [["split", "a=1/2,3"], /1 names for 2 groups/],
    ] as const) {
      const { code, stderr } = await cli(...words);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    assert.deepEqual((await cluster.info()).links, []);
  });
});
