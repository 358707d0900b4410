import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { converged, createLab, type Daemon, poll } from "../support/daemon.ts";

const ON = ["--exchange", "on"];

const connectedTo = async ({ client }: Daemon): Promise<string[]> =>
  (await client.peers()).items
    .flatMap(({ peer, state }) => (state === "connected" && peer ? [peer] : []))
    .sort();
const isConnected = (from: Daemon, to: Daemon) =>
  poll("they are connected", async () => (await connectedTo(from)).includes(to.peer));

async function threeNodes(t: TestContext) {
  const lab = createLab(t);
  const b = await lab.start({ args: ON });
  const c = await lab.start({ args: ON, peers: [b.multiaddr] });
  await isConnected(b, c);
  const dataDir = await lab.directory();
  const a = await lab.start({ args: ON, peers: [b.multiaddr], dataDir });
  await isConnected(a, b);
  return { lab, a, b, c, dataDir };
}

test("a node that is told of one peer learns of another from it, and connects", async (t) => {
  const { a, b, c } = await threeNodes(t);
  await isConnected(a, c);
  assert.deepEqual(await connectedTo(a), [b.peer, c.peer].sort());
  const { items } = await a.client.peers();
  assert.deepEqual(items.map(({ peer, configured }) => [peer === b.peer ? "b" : "c", configured]).sort(), [
    ["b", true],
    ["c", false],
  ]);
  await b.end("SIGTERM");
  const { blocks } = await c.client.mining({ mode: "blocks", count: 3 });
  const head = await converged([a, c]);
  assert.equal(head.id, blocks.at(-1));
});

test("a node that is started again without a peer finds its network by itself; a banned peer stays out of it", async (t) => {
  const { lab, a, b, c, dataDir } = await threeNodes(t);
  await isConnected(a, c);
  assert.equal((await a.end("SIGTERM")).code, 0);
  const kept = await readFile(join(dataDir, "peers.json"), "utf8");
  assert.ok(kept.includes(b.peer) && kept.includes(c.peer));
  const again = await lab.start({ args: ON, dataDir });
  await isConnected(again, b);
  await isConnected(again, c);
  await again.client.ban(c.peer);
  assert.equal((await again.end("SIGTERM")).code, 0);
  const third = await lab.start({ args: [...ON, "--max-outbound", "4"], dataDir });
  await isConnected(third, b);
  assert.deepEqual(await connectedTo(third), [b.peer]);
});

test("with exchange off a node stays with its configured peers; a damaged list of peers stops no start", async (t) => {
  const { lab, b, c } = await threeNodes(t);
  const dataDir = await lab.directory();
  await writeFile(join(dataDir, "peers.json"), "{");
  const d = await lab.start({ peers: [b.multiaddr], dataDir });
  await isConnected(d, b);
  // Whom b is asked about by others: it may tell of d, which others then dial. d itself dials nobody else.
  const outbound = (await d.client.peers()).items.filter(({ direction }) => direction === "outbound");
  assert.deepEqual(
    outbound.map(({ peer }) => peer),
    [b.peer],
  );
  assert.equal(d.logged("known peers and bans cannot be read; the node starts without them").length, 1);
  assert.equal(await readFile(join(dataDir, "peers.json.unusable"), "utf8"), "{");
  assert.notEqual(c.peer, d.peer);
});
