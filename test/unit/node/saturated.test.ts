import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chain, createSignatureVerifier } from "../../../src/chain/index.ts";
import { RECORD_BYTES, tasks, type VerifyTasks } from "../../../src/keys/verify-tasks.ts";
import { createTransactionPool } from "../../../src/node/transaction-pool.ts";
import { createInlineWorkerPool, createManualClock, type WorkerPool } from "../../../src/ports/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, openTestChain } from "../../support/chain-lab.ts";
import { words } from "../../support/pool-lab.ts";
import { until } from "../../support/until.ts";

const genesis = testGenesis();
/** Transactions of one call. */
const BATCH = 512;
/** What the pool judges at a time. */
const JUDGED = 1_024;

/** Workers that begin when told, and say how many signatures were asked of them so far, in the order of asking. */
function createHeldWorkers() {
  const real = createInlineWorkerPool<VerifyTasks>(tasks);
  const held = Promise.withResolvers<void>();
  let asked = 0;
  const pool: WorkerPool<VerifyTasks> = {
    ...real,
    run(name, input, options) {
      asked += input.length / RECORD_BYTES;
      return held.promise.then(() => real.run(name, input, options));
    },
  };
  return { pool, asked: () => asked, release: () => held.resolve() };
}

async function setUp() {
  const workers = createHeldWorkers();
  const signatures = createSignatureVerifier(workers.pool);
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  let opened: Chain | undefined;
  const pool = createTransactionPool({
    genesis,
    clock,
    signatures,
    chain: () => opened as Chain,
    isSyncing: () => false,
    onChange: () => {},
  });
  const chain = await openTestChain(genesis, { settle: pool.settle, clock, signatures });
  opened = chain;
  const crowd = Array.from({ length: 8 * BATCH }, (_, nonce) =>
    transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce }),
  );
  const batch = (i: number) => crowd.slice((i % 8) * BATCH, ((i % 8) + 1) * BATCH);
  return { workers, pool, chain, batch };
}

test("case 26: however many transactions were sent before it, a block's signatures wait for few of theirs", async () => {
  const { workers, pool, chain, batch } = await setUp();
  const sent = Array.from({ length: 8 }, (_, i) => pool.admit(batch(i)));
  await until("the first are being judged", () => workers.asked() === JUDGED);
  const own = Array.from({ length: 40 }, (_, nonce) =>
    transfer(genesis, { from: "carol", to: "bob", amount: 1, nonce }),
  );
  const block = createBlockBuilder(genesis).build({ transactions: own });
  const imported = chain.import(block, fromPeer());
  await until("the block is next", () => workers.asked() === JUDGED + own.length);
  workers.release();
  assert.equal((await imported).status, "connected");
  for (const judged of await Promise.all(sent))
    assert.deepEqual(new Set(words(judged)), new Set(["pending"]));
  assert.equal(pool.mempool.size, 8 * BATCH);
  await chain.close();
});

test("case 26: a saturated node takes no transactions in, says so, and blames nobody", async () => {
  const { workers, pool, chain, batch } = await setUp();
  const sent = Array.from({ length: 2 + 16 }, (_, i) => pool.admit(batch(i)));
  await until("the first are being judged", () => workers.asked() === JUDGED);
  const refused = await pool.admit(batch(0).slice(0, 3));
  assert.deepEqual(words(refused), ["MEM-05", "MEM-05", "MEM-05"]);
  assert.ok(refused.every(({ senderAtFault }) => !senderAtFault));
  workers.release();
  for (const judged of await Promise.all(sent))
    assert.ok(words(judged).every((word) => word === "pending" || word === "known"));
  assert.deepEqual(new Set(words(await pool.admit(batch(0)))), new Set(["known"]));
  await chain.close();
});
