import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SealedTransaction } from "../../src/primitives/index.ts";
import { specToJson } from "../../src/primitives/index.ts";
import { type TransferOptions, testGenesis, transfer } from "../support/block-builder.ts";
import { converged, createLab, type Daemon, poll } from "../support/daemon.ts";

const genesis = testGenesis();
const pay = (from: string, to: string, nonce: number, more: Partial<TransferOptions> = {}) =>
  transfer(genesis, { from, to, nonce, amount: 1_000, ...more });

/** Nodes of one network, each connected to all others. */
async function startNetwork(t: TestContext, count: number): Promise<Daemon[]> {
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const nodes: Daemon[] = [];
  for (let n = 0; n < count; n++) {
    nodes.push(await lab.start({ genesisFile, peers: nodes.map(({ multiaddr }) => multiaddr) }));
  }
  await connected(nodes);
  return nodes;
}

async function connected(nodes: readonly Daemon[]): Promise<void> {
  await poll("all nodes see all others", async () => {
    const statuses = await Promise.all(nodes.map(({ client }) => client.status()));
    return statuses.every(({ peers }) => peers === nodes.length - 1);
  });
}

async function split(one: readonly Daemon[], other: readonly Daemon[]): Promise<void> {
  const links = one.flatMap((a) => other.map((b) => [a, b] as const));
  await Promise.all(links.flatMap(([a, b]) => [a.client.refuseLink(b.peer), b.client.refuseLink(a.peer)]));
}

async function heal(one: readonly Daemon[], other: readonly Daemon[]): Promise<void> {
  const links = one.flatMap((a) => other.map((b) => [a, b] as const));
  await Promise.all(links.flatMap(([a, b]) => [a.client.healLink(b.peer), b.client.healLink(a.peer)]));
  await connected([...one, ...other]);
}

async function mine(node: Daemon, count: number): Promise<string[]> {
  return (await node.client.mining({ mode: "blocks", count })).blocks;
}

async function send(node: Daemon, ...transactions: SealedTransaction[]): Promise<void> {
  for (const { bytes } of transactions) await node.client.submit(bytes);
}

async function hasPending(node: Daemon, ...transactions: SealedTransaction[]): Promise<void> {
  for (const { txid } of transactions) {
    await poll("the transfer is pending", async () => {
      return (await node.client.transaction(txid)).fate.state === "pending";
    });
  }
}

const stateOf = async (node: Daemon, { txid }: SealedTransaction) =>
  (await node.client.transaction(txid)).fate;

test("case 10: majority mines 5, an isolated node 3; after the heal its reorg of depth 3 accounts for every transaction", async (t) => {
  const [one, two, alone] = (await startNetwork(t, 3)) as [Daemon, Daemon, Daemon];
  const shared = await mine(one, 2);
  await converged([one, two, alone]);
  await split([one, two], [alone]);

  const inBoth = pay("alice", "bob", 0);
  const onlyAlone = pay("bob", "carol", 0);
  const [spent, spentAgain] = [pay("carol", "alice", 0), pay("carol", "bob", 0)];
  await send(alone, inBoth, onlyAlone, spent);
  await send(one, inBoth, spentAgain);
  await hasPending(two, inBoth, spentAgain);
  const lost = await mine(alone, 3);
  const won = await mine(one, 3);
  await converged([one, two]);
  won.push(...(await mine(two, 2)));
  await converged([one, two]);
  assert.equal((await alone.client.status()).head.height, 5);

  await heal([one, two], [alone]);
  const head = await converged([one, two, alone]);
  assert.equal(head.height, 7);
  assert.equal(head.id, won.at(-1));
  const { items } = await alone.client.reorgs();
  const deepest = items.toSorted((a, b) => b.depth - a.depth)[0];
  assert.ok(deepest);
  assert.equal(items.length, 1, "one heal, one reorg");
  assert.equal(deepest.depth, 3);
  assert.equal(deepest.forkPoint.id, shared.at(-1));
  assert.deepEqual(
    deepest.blocksOut.map(({ id }) => id),
    lost.toReversed(),
  );
  assert.deepEqual(
    deepest.blocksIn.map(({ id }) => id),
    won,
  );
  assert.equal(deepest.oldHead.id, lost.at(-1));
  assert.equal(deepest.newHead.id, won.at(-1));
  assert.ok(BigInt(`0x${deepest.newHead.work}`) > BigInt(`0x${deepest.oldHead.work}`));
  const fates = new Map(deepest.transactions.map((fate) => [fate.id, fate]));
  assert.equal(fates.size, 3);
  assert.equal(fates.get(inBoth.txid)?.fate, "mined");
  assert.equal(fates.get(onlyAlone.txid)?.fate, "returned");
  assert.deepEqual(fates.get(spent.txid), { id: spent.txid, fate: "conflicted", by: spentAgain.txid });
  assert.deepEqual(await stateOf(alone, spent), { state: "conflicted", by: spentAgain.txid });
  for (const node of [one, two]) assert.deepEqual((await node.client.reorgs()).items, []);

  // What came back is mined by whoever mines next.
  await hasPending(one, onlyAlone);
  await mine(one, 1);
  await converged([one, two, alone]);
  assert.equal((await stateOf(alone, onlyAlone)).state, "mined");
  const tips = (await alone.client.tips()).items;
  assert.deepEqual(
    tips.map(({ id, state, length }) => [id, state, length]),
    [
      [(await one.client.status()).head.id, "head", 0],
      [lost.at(-1), "side", 3],
    ],
    "the lost blocks are listed as a side branch",
  );
});

test("case 21: two dependent transfers disconnected by a reorg return in order and are mined again", async (t) => {
  const [one, two] = (await startNetwork(t, 2)) as [Daemon, Daemon];
  await split([one], [two]);
  // Dave exists only because alice pays him, and his nonces follow each other.
  const first = pay("alice", "dave", 0, { amount: 50_000_000 });
  const second = pay("dave", "carol", 0, { amount: 10_000 });
  const third = pay("dave", "bob", 1, { amount: 10_000 });
  await send(two, first, second, third);
  await mine(two, 1);
  for (const each of [first, second, third]) assert.equal((await stateOf(two, each)).state, "mined");
  await mine(one, 3);
  await heal([one], [two]);
  await converged([one, two]);
  const [reorg] = (await two.client.reorgs()).items;
  assert.equal(reorg?.depth, 1);
  assert.deepEqual(
    reorg?.transactions,
    [first, second, third].map(({ txid }) => ({ id: txid, fate: "returned" })),
  );
  await hasPending(one, first, second, third);
  const [id] = await mine(one, 1);
  const block = await one.client.block(id as string);
  assert.deepEqual(
    block.transactions?.map((transaction) => transaction.id),
    [first, second, third].map(({ txid }) => txid),
  );
  await converged([one, two]);
  for (const each of [first, second, third]) assert.equal((await stateOf(two, each)).state, "mined");
});

test("case 25: a transfer pending only on one node before a heal is mined by the other after it", async (t) => {
  const [one, two] = (await startNetwork(t, 2)) as [Daemon, Daemon];
  await split([one], [two]);
  const transaction = pay("alice", "bob", 0);
  await send(one, transaction);
  await heal([one], [two]);
  await hasPending(two, transaction);
  const [id] = await mine(two, 1);
  await converged([one, two]);
  const fate = await stateOf(one, transaction);
  assert.deepEqual(fate, { state: "mined", block: id, height: 1, depth: 1 });
});
