/** What the dashboard draws from, held to what every node says of itself after 200 random splits and heals. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Reorg } from "../../src/api/index.ts";
import { type Client, createRecording, type RecordingModel } from "../../src/client/index.ts";
import { type ClusterClient, createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { chanceOf } from "../support/recorded-network.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const NODES = 4;
const STEPS = 200;
/** How often the model is compared on the way. */
const LOOK_EVERY = 40;
const SEED = 20_261_125;

/** Reads the merged timeline on from a place. */
async function readOn(cluster: ClusterClient, model: RecordingModel, place: number): Promise<number> {
  let after = place;
  for (;;) {
    const page = await cluster.timeline(after === 0 ? {} : { after: String(after) });
    model.add(page.items);
    after = page.items.at(-1)?.place ?? after;
    if (page.next === null) return after;
  }
}

async function allReorgs(client: Client) {
  const found: Reorg[] = [];
  let after: string | undefined;
  do {
    const page = await client.reorgs({ limit: 1_000, ...(after === undefined ? {} : { after }) });
    found.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return found.reverse();
}

/** Fails where the model says anything else of a node than the node itself. */
async function compare(client: Client, model: RecordingModel, n: number): Promise<void> {
  const [tree, reorgs] = await Promise.all([client.tree(1_000), allReorgs(client)]);
  const now = model.endMs;
  const { head } = model.nodeAt(n, now);
  assert.equal(head?.id, tree.head.id, `head of node ${n}`);
  for (const { id, height, parent, work, difficulty, proposer, transactions, state } of tree.items) {
    const block = model.tree.find(id);
    assert.ok(block !== undefined, `block ${id} of node ${n}`);
    if (height > 0) {
      const { parentId } = block;
      assert.deepEqual(
        [block.height, parentId, block.work, block.difficulty, block.proposer, block.transactions],
        [height, parent, work, difficulty, proposer, transactions],
      );
    }
    const onBest: boolean = model.tree.ancestor(head?.index ?? -1, height)?.id === id;
    assert.equal(onBest ? "best" : "side", state, `block ${height} ${id} at node ${n}`);
  }
  const own = model.tree.blocks.filter(({ index }) =>
    model.arrivals(index, now).some(({ node, bodyMs }) => node === n && bodyMs !== null),
  );
  const items = tree.items.filter(({ height }) => height > 0);
  assert.deepEqual(own.map(({ id }) => id).sort(), items.map(({ id }) => id).sort(), `blocks of node ${n}`);
  const ref = ({ id, height }: { id: string; height: number }): string => `${height} ${id}`;
  assert.deepEqual(
    model.reorgs
      .filter(({ node }) => node === n)
      .map(({ data }) => [data.reorg, data.depth, ref(data.oldHead), ref(data.newHead), ref(data.forkPoint)]),
    reorgs.map(({ id, depth, oldHead, newHead, forkPoint }) => [
      id,
      depth,
      ref(oldHead),
      ref(newHead),
      ref(forkPoint),
    ]),
    `reorgs of node ${n}`,
  );
}

describe("a recording of a cluster", () => {
  let remove = async (): Promise<void> => {};
  let directory = "";
  let cluster: ClusterClient;

  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    const up = await runCli([
      "cluster",
      "up",
      "--nodes",
      String(NODES),
      "--dir",
      directory,
      "--log-level",
      "warn",
    ]);
    assert.equal(up.code, 0, up.stderr);
    cluster = await createClusterClient(directory);
  });
  after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });

  it(`says of tree, heads and reorgs what every node says, after ${STEPS} random splits and heals`, {
    timeout: 900_000,
  }, async () => {
    const chance = chanceOf(SEED);
    const nodes = Array.from({ length: NODES }, (_, i) => i + 1);
    const one = (): number => 1 + Math.floor(chance() * NODES);
    const model = createRecording();
    let place = 0;
    for (let step = 1; step <= STEPS; step++) {
      if (chance() < 0.55) {
        const side = nodes.map((n) => (n === 1 ? 0 : Math.floor(chance() * 3)));
        const groups = [0, 1, 2]
          .map((g) => nodes.filter((_, i) => side[i] === g))
          .filter((group) => group.length > 0);
        await (groups.length > 1 ? cluster.split(groups) : cluster.heal());
      } else await cluster.heal();
      await cluster
        .node(one())
        .mining({ mode: "blocks", count: 1 + Math.floor(chance() * 3) })
        .catch((error: unknown) => {
          // It has just heard of a better branch, and mines again when it has it.
          if (!/syncing/.test((error as Error).message)) throw error;
        });
      if (step % LOOK_EVERY !== 0 && step !== STEPS) continue;
      await cluster.heal();

      // Equal branches stay tied until one is longer.
      await until("one head has the most work", async () => {
        const works = (await cluster.snapshot()).map(({ n, status }) => ({
          n,
          work: BigInt(`0x${status?.head.work}`),
          id: status?.head.id,
        }));
        const best = works.toSorted((a, b) => (a.work < b.work ? 1 : -1))[0];
        if (works.filter(({ work }) => work === best?.work).every(({ id }) => id === best?.id)) return true;
        await cluster
          .node(best?.n ?? 1)
          .mining({ mode: "blocks", count: 1 })
          .catch(() => {});
        return false;
      });
      await until(
        "all nodes have it",
        async () => new Set((await cluster.snapshot()).map(({ status }) => status?.head.id)).size === 1,
        90_000,
      );
      await until("the model has caught up with all nodes", async () => {
        place = await readOn(cluster, model, place);
        const heads = await Promise.all(nodes.map(async (n) => (await cluster.node(n).status()).head.id));
        return nodes.every((n) => model.nodeAt(n, model.endMs).head?.id === heads[n - 1]);
      });
      for (const n of nodes) await compare(cluster.node(n), model, n);
    }
    assert.ok(model.reorgs.length > 20, `only ${model.reorgs.length} reorgs happened`);
    assert.ok(model.splits.length > 50);
  });
});
