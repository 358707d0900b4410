import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocols } from "../../../src/network/index.ts";
import { createPeerExchange } from "../../../src/node/peer-exchange.ts";
import type { SyncDriver } from "../../../src/node/sync-driver.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  silentLogger,
} from "../../../src/ports/index.ts";
import { type SealedTransaction, sealTransaction } from "../../../src/primitives/index.ts";
import { keyOf, testGenesis, transfer } from "../../support/block-builder.ts";
import { openPool } from "../../support/pool-lab.ts";
import { until } from "../../support/until.ts";

const genesis = testGenesis();
const good = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
const forged = sealTransaction({ ...good.transaction, signature: new Uint8Array(64).fill(7) });
const unpayable = transfer(genesis, { from: "mallory", to: "bob", amount: 1, nonce: 0 });

/** A node that has met a peer with these transactions pending. */
async function setUp(pending: readonly SealedTransaction[], rules = genesis) {
  const { pool } = await openPool(rules);
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const network = createMemoryNetworkHub({ clock, timers }).join("self");
  const happened: string[] = [];
  const byLeaf = new Map(pending.map((transaction) => [transaction.leaf, transaction]));
  let lists = 0;
  const protocols: Partial<Protocols> = {
    async listMempool(_peer, after, limit) {
      lists += 1;
      return [...byLeaf.keys()]
        .filter((leaf) => leaf > after)
        .sort()
        .slice(0, limit);
    },
    async requestTransactions(_peer, leaves) {
      return leaves.flatMap((leaf) => byLeaf.get(leaf) ?? []);
    },
    publishTransactions: (transactions) => happened.push(`passed on ${transactions.length}`),
  };
  const exchange = createPeerExchange({
    network,
    protocols: () => protocols as Protocols,
    sync: { isSyncing: false } as SyncDriver,
    mempool: pool.mempool,
    timers,
    logger: silentLogger,
    async admit(transactions) {
      const judged = await pool.admit(transactions);
      happened.push(`judged ${judged.length}`);
      return judged;
    },
    punish: (peer, reason) => happened.push(`punished ${peer}: ${reason}`),
  });
  return { exchange, pool, happened, lists: () => lists };
}

/** Meets a peer that has these transactions pending. */
async function meet(pending: readonly SealedTransaction[]) {
  const { exchange, happened } = await setUp(pending);
  exchange.reconcile("peer");
  await until("they were judged", () => happened.length > 0);
  // What follows the verdict only waits for microtasks.
  await new Promise((resolve) => setImmediate(resolve));
  exchange.stop();
  return happened;
}

test("a peer with a forged signature pending loses its connection, and nothing of it is passed on", async () => {
  assert.deepEqual(await meet([forged]), [
    "judged 1",
    "punished peer: had a transaction against rule TX-03 pending",
  ]);
});

test("what came with a forged signature and is good was admitted, so it is passed on", async () => {
  assert.deepEqual(await meet([good, forged]), [
    "judged 2",
    "passed on 1",
    "punished peer: had a transaction against rule TX-03 pending",
  ]);
});

test("a peer is not blamed for what only our state refuses, and the rest is passed on", async () => {
  assert.deepEqual(await meet([good, unpayable]), ["judged 2", "passed on 1"]);
});

test("long rows of several senders arrive whole, though they come by leaf and not by nonce", async () => {
  const senders = Array.from({ length: 8 }, (_, i) => `sender ${i}`);
  const rich = testGenesis({
    allocations: senders.map((name) => ({ address: keyOf(name).address, amount: 1e12 })),
  });
  const pending = senders.flatMap((from) =>
    Array.from({ length: 400 }, (_, nonce) => transfer(rich, { from, to: "sender 0", amount: 1, nonce })),
  );
  const { exchange, pool } = await setUp(pending, rich);
  exchange.reconcile("peer");
  await until("all are here", () => pool.mempool.size === pending.length);
  exchange.stop();
});

test("a comparison asked for while one runs is made after it", async () => {
  const { exchange, lists } = await setUp([]);
  for (let i = 0; i < 3; i++) exchange.reconcile("peer");
  await until("it was made again", () => lists() === 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lists(), 2, "once");
  exchange.stop();
});
