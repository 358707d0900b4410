import assert from "node:assert/strict";
import { access, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { transfer } from "../support/block-builder.ts";
import { buildChain } from "../support/built-chain.ts";
import { runCli } from "../support/cli.ts";
import { converged, createLab, type Daemon, poll } from "../support/daemon.ts";

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Opens event streams and waits until their first bytes are here, so that they stand when the test goes on. */
async function openStreams({ api }: Daemon, count: number): Promise<{ closed: Promise<unknown>[] }> {
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(`${api}/v1/events`)));
  const closed = responses.map(async ({ body }) => {
    const reader = body?.getReader();
    while (!(await reader?.read().catch(() => ({ done: true })))?.done);
  });
  return { closed };
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} ends a mining daemon with open event streams within 5 s, cleanly`, async (t) => {
    const lab = createLab(t);
    const neighbour = await lab.start();
    const daemon = await lab.start({ peers: [neighbour.multiaddr] });
    await poll("they are connected", async () => (await daemon.client.status()).peers === 1);
    const { closed } = await openStreams(daemon, 3);
    const counted = daemon.client.mining({ mode: "blocks", count: 10_000 }).catch(() => undefined);
    await poll("blocks are mined", async () => (await daemon.client.status()).head.height >= 20);
    const startMs = performance.now();
    assert.deepEqual(await daemon.end(signal), { code: 0, signal: null });
    assert.ok(performance.now() - startMs < 5_000);
    await Promise.all([...closed, counted]);
    assert.equal(await exists(join(daemon.dataDir, "node.json")), false);
    const problems = daemon.logged().filter(({ level }) => Number(level) >= 40);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      neighbour.logged("a peer broke the protocol and loses its connection"),
      [],
      "a neighbour that stops has broken nothing",
    );
  });
}

test("a start that finds the chain's folder emptied, as by a lost disk cache, says so and begins anew", async (t) => {
  const message = "the chain's folder was there and held nothing";
  const isTold = (daemon: Daemon): boolean => daemon.log().includes(message);
  const lab = createLab(t);
  const first = await lab.start();
  assert.equal(isTold(first), false);
  await first.client.mining({ mode: "blocks", count: 3 });
  await first.end("SIGKILL");
  const chain = join(first.dataDir, "chain");
  for (const name of (await readdir(chain)).filter((one) => one.endsWith(".log")))
    await writeFile(join(chain, name), new Uint8Array((await stat(join(chain, name))).size));
  const again = await lab.start({ dataDir: first.dataDir });
  await poll("it is told", async () => isTold(again));
  assert.equal((await again.client.status()).head.height, 0);
});

test("a chain damaged beyond what its store can read is refused with one line that says what to do", async (t) => {
  const lab = createLab(t);
  const { dataDir, end } = await lab.start();
  await end("SIGTERM");
  const chain = join(dataDir, "chain");
  for (const name of (await readdir(chain)).filter((one) => one.startsWith("MANIFEST")))
    await truncate(join(chain, name), 10);
  const { code, stderr } = await runCli(["node", "start", "--data", dataDir, "--api", "127.0.0.1:0"]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^cumulo: the chain in \S+ is damaged \([^\n]+\); restore it from a backup, or remove \S+: [^\n]+\n$/,
  );
  await rm(chain, { recursive: true });
  assert.equal((await lab.start({ dataDir })).peer.length > 0, true);
});

test("case 37: a second daemon on one directory is refused with one line, and the first does not notice", async (t) => {
  const lab = createLab(t);
  const { dataDir, client } = await lab.start();
  const second = await runCli([
    "node",
    "start",
    "--data",
    dataDir,
    "--api",
    "127.0.0.1:0",
    "--log-level",
    "warn",
  ]);
  assert.equal(second.code, 1);
  assert.equal(second.stdout, "");
  const lines = second.stderr.trimEnd().split("\n");
  assert.equal(lines.length, 1, second.stderr);
  assert.match(lines[0] ?? "", /is in use by another node/);
  assert.equal((await client.mining({ mode: "blocks", count: 1 })).blocks.length, 1);
  assert.ok((await readdir(dataDir)).includes("node.json"));
});

test("killed with -9 while it mines under load, a node restarts at its head or later and converges", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const { genesis } = await buildChain({ dataDir, blocks: 50, transfersAt: () => 20 });
  const copy = await lab.copyOf(dataDir);
  let node = await lab.start({ dataDir });
  const neighbour = await lab.start({ dataDir: copy, peers: [node.multiaddr] });
  for (let round = 0; round < 3; round++) {
    const from = (await node.client.status()).head.height;
    // 1,000 transfers of the 100 senders are mined already; some send 10 more in each round.
    const load = Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        for (let k = 0; k < 10; k++) {
          const nonce = 10 + 10 * round + k;
          const one = transfer(genesis, { from: `sender ${i}`, to: "bob", amount: 1, nonce, fee: 30_000 });
          await neighbour.client.submit(one.bytes).catch(() => undefined);
        }
      }),
    );
    const mining = node.client.mining({ mode: "blocks", count: 10_000 }).catch(() => undefined);
    const before = await poll("it mines", async () => {
      const { head } = await node.client.status();
      return head.height > from + 10 * (round + 1) ? head : undefined;
    });
    await node.end("SIGKILL");
    await Promise.all([mining, load]);
    node = await lab.start({ dataDir, peers: [neighbour.multiaddr] });
    const after = await node.client.status();
    assert.ok(after.head.height >= before.height, `${after.head.height} after ${before.height}`);
    assert.equal((await node.client.block(before.height)).id, before.id, "what was told is still there");
    await neighbour.client.addPeer(node.multiaddr);
    await poll("they are connected", async () => (await node.client.status()).peers === 1);
    // Mining once more settles a tie, should the kill have left one.
    await poll("the node is ready", async () => (await node.client.status()).state === "synced");
    await node.client.mining({ mode: "blocks", count: 1 });
    await converged([node, neighbour]);
  }
  const reorgs = await neighbour.client.reorgs();
  assert.deepEqual(reorgs.items, [], "the neighbour never left a branch");
});

test("case 24: a pending transfer is replaced from the command line by one that pays more, and told what became of it", async (t) => {
  const lab = createLab(t);
  const { client, dataDir } = await lab.start();
  await client.mining({ mode: "blocks", count: 1 });
  const send = async (...more: string[]) => {
    const args = ["send", "--from", "reward", "--to", "reward", "--amount", "1", ...more];
    return await runCli([...args, "--data", dataDir, "--json"]);
  };
  const first = JSON.parse((await send()).stdout);
  const cheap = await send("--nonce", "0", "--fee", "0.000003");
  assert.equal(cheap.code, 1);
  assert.match(
    JSON.parse(cheap.stderr).message,
    /with nonce 0 is pending; a fee of \d+ base units replaces it/,
  );
  const second = JSON.parse((await send("--nonce", "0", "--fee", "0.001")).stdout);
  assert.notEqual(second.id, first.id);
  assert.deepEqual((await client.transaction(first.id)).fate, { state: "conflicted", by: second.id });
  await client.mining({ mode: "blocks", count: 1 });
  assert.equal((await client.transaction(second.id)).fate.state, "mined");
});

test("case 25: a clean restart keeps what is pending", async (t) => {
  const lab = createLab(t);
  const first = await lab.start();
  await first.client.mining({ mode: "blocks", count: 1 });
  const sent = await runCli([
    "send",
    "--from",
    "reward",
    "--to",
    "reward",
    "--amount",
    "1",
    "--data",
    first.dataDir,
    "--json",
  ]);
  assert.equal(sent.code, 0, sent.stderr);
  await first.end("SIGTERM");
  const again = await lab.start({ dataDir: first.dataDir });
  assert.equal((await again.client.status()).mempool.transactions, 1);
  await again.client.mining({ mode: "blocks", count: 1 });
  assert.equal((await again.client.transaction(JSON.parse(sent.stdout).id)).fate.state, "mined");
});
