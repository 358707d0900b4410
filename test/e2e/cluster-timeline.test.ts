import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RecordedEntry, Recording } from "../../src/client/index.ts";
import { type ClusterClient, createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** One cluster of two real nodes for the whole file; each step goes on from the one before. */
describe("the recorded timeline of a cluster", () => {
  let directory = "";
  let remove = async (): Promise<void> => {};
  let cluster: ClusterClient;
  const mine = (n: number, count: number) => cluster.node(n).mining({ mode: "blocks", count });

  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    const up = await runCli(["cluster", "up", "--nodes", "2", "--log-level", "warn", "--dir", directory]);
    assert.equal(up.code, 0, up.stderr);
    cluster = await createClusterClient(directory);
  });
  after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });

  async function recorded(): Promise<RecordedEntry[]> {
    const entries: RecordedEntry[] = [];
    for (let next: string | null = "0"; next !== null; ) {
      const page = await cluster.timeline({ after: next, limit: 500 });
      entries.push(...page.items);
      next = page.next;
    }
    return entries;
  }

  const ofNode = (entries: readonly RecordedEntry[], n: number) => entries.filter(({ node }) => node === n);

  /** The supervisor has all that the node keeps, each once and in order. */
  async function isWhole(n: number): Promise<boolean> {
    const { items } = await cluster.node(n).timeline({ limit: 5_000 });
    const found = ofNode(await recorded(), n).map(({ place: _place, node: _node, ...entry }) => entry);
    return JSON.stringify(found) === JSON.stringify(items);
  }

  it("has what each node saw, once and in order, over a split, its heal, a pause, a kill and a restart", async () => {
    await mine(1, 2);
    await until("node 2 has them", async () => (await cluster.node(2).status()).head.height === 2, 15_000);
    await cluster.split([[1], [2]], { names: ["east", "west"] });
    await mine(1, 1);
    await mine(2, 2);
    await cluster.heal();
    await until("node 1 has gone over", async () => (await cluster.node(1).status()).reorgs === 1, 15_000);
    await cluster.act(2, "pause");
    await mine(1, 1);
    await cluster.act(2, "resume");
    await cluster.act(2, "kill");
    await mine(1, 1);
    await cluster.act(2, "restart");
    await until("node 2 is back", async () => (await cluster.node(2).status()).head.height === 6, 15_000);
    for (const n of [1, 2]) await until(`node ${n} is recorded whole`, () => isWhole(n), 10_000);
    const entries = await recorded();
    assert.deepEqual(
      entries.map(({ place }) => place),
      entries.map((_, i) => i + 1),
      "places have no holes",
    );
    const kinds = (n: number) => new Set(ofNode(entries, n).map(({ type }) => type));
    for (const type of ["start", "header", "block", "head", "reorg", "peer", "link"] as const)
      assert.ok(kinds(1).has(type), `node 1 has noted ${type}`);
    assert.equal(ofNode(entries, 2).filter(({ type }) => type === "start").length, 2);
    const own = entries.filter(({ node }) => node === null);
    assert.deepEqual(
      own.flatMap(({ type, data }) => (type === "split" ? [data] : [])),
      [{ groups: [[1], [2]], names: ["east", "west"] }, null],
    );
    const states = own.flatMap((entry) =>
      entry.node === null && entry.type === "node" && entry.data.n === 2 ? [entry.data.state] : [],
    );
    assert.deepEqual(
      states.filter((state, i) => state !== "starting" || i > 0),
      ["running", "paused", "running", "ended", "starting", "running"],
    );
  });

  it("a block's arrival is told with the block: header and body, when and from whom", async () => {
    const { blocks } = await mine(1, 1);
    const id = blocks[0] ?? "";
    const { peer } = (await cluster.node(1).status()).node;
    await until("node 2 has it", async () => (await cluster.node(2).status()).head.id === id, 10_000);
    const [made, came] = [await cluster.node(1).block(id), await cluster.node(2).block(id)];
    assert.deepEqual([made.arrival?.via, made.arrival?.headerPeer], ["mined", null]);
    assert.deepEqual(
      [came.arrival?.via, came.arrival?.headerPeer, came.arrival?.bodyPeer],
      ["gossip", peer, peer],
    );
    assert.ok((came.arrival?.headerMs ?? 0) <= (came.arrival?.bodyMs ?? 0));
  });

  it("comes as a stream that goes on where a reader was", async () => {
    const stop = new AbortController();
    const places: number[] = [];
    let lastEventId = "";
    const { lastPlace } = await cluster.timeline({ limit: 1 });
    const follow = async (wanted: number, signal: AbortSignal, from?: string): Promise<void> => {
      const options = from === undefined ? {} : { lastEventId: from };
      for await (const event of cluster.events(signal, options)) {
        assert.equal(event.type, "entry");
        if (event.type !== "entry") return;
        places.push(event.data.place);
        lastEventId = event.id;
        if (places.length >= wanted) return;
      }
    };
    const first = follow(3, stop.signal);
    await until("the reader is there", async () => {
      await mine(1, 1);
      return places.length > 0;
    });
    await first;
    await mine(1, 2);
    await follow(places.length + 6, AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]), lastEventId);
    assert.ok((places[0] ?? 0) > lastPlace);
    assert.deepEqual(
      places,
      places.map((_, i) => (places[0] ?? 0) + i),
    );
  });

  it("is written to a file as a recording", async () => {
    const file = join(directory, "..", "recording.json");
    const run = ["cluster", "record", "-o", file, "--name", "test", "--dir", directory];
    const done = await runCli([...run, "--json"]);
    assert.equal(done.code, 0, done.stderr);
    const recording = JSON.parse(await readFile(file, "utf8")) as Recording;
    assert.deepEqual([recording.version, recording.name, recording.nodes.length], [1, "test", 2]);
    assert.equal(recording.reorgs["1"]?.length, 1);
    assert.equal(JSON.parse(done.stdout).entries, recording.entries.length);
    const again = await runCli(run);
    assert.deepEqual([again.code, /--force/.test(again.stderr)], [1, true]);
  });
});
