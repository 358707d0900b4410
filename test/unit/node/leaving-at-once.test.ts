import assert from "node:assert/strict";
import { test } from "node:test";
import { createTransactionPool } from "../../../src/node/transaction-pool.ts";
import { createManualClock } from "../../../src/ports/index.ts";
import { encodeAddress } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { fromPeer, openTestChain } from "../../support/chain-lab.ts";
import { createCrowd } from "../../support/pending-crowd.ts";

const SENDERS = 50;
const EACH = 120;
/** Of one turn of the event loop, and what one sender may add to it. */
const MOST_AT_ONCE = 2_000 + EACH;

const keyOf = (sender: number) => createCrowd(testGenesis())({ sender, nonce: 0 }).senderBytes;
const genesis = testGenesis({
  allocations: Array.from({ length: SENDERS }, (_, sender) => ({
    address: encodeAddress(keyOf(sender)),
    amount: 1_000_000_000,
  })),
});

test("when everything pending expires with one block, it leaves in parts, and others get their turn between them", async () => {
  const crowd = createCrowd(genesis);
  // The crowd has no signatures.
  const signatures = { findInvalid: async () => [] };
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const told: string[] = [];
  const pool = createTransactionPool({
    genesis,
    clock,
    signatures,
    chain: () => chain,
    isSyncing: () => false,
    onChange: (txids, arrived) => void (arrived || told.push(...txids)),
  });
  const chain = await openTestChain(genesis, { settle: pool.settle, clock, signatures });
  await pool.admit(
    Array.from({ length: SENDERS * EACH }, (_, i) =>
      crowd({ sender: i % SENDERS, nonce: Math.floor(i / SENDERS), expiry: 1 }),
    ),
  );
  assert.equal(pool.mempool.size, SENDERS * EACH);
  const sizes = [pool.mempool.size];
  let watching = true;
  const watch = (): void => {
    sizes.push(pool.mempool.size);
    if (watching) setImmediate(watch);
  };
  watch();
  const [block] = createBlockBuilder(genesis).extend(1);
  const imported = block && chain.import(block, fromPeer());
  const result = await imported?.finally(() => {
    watching = false;
  });
  assert.equal(result?.status, "connected");
  pool.published();
  sizes.push(pool.mempool.size);
  assert.equal(pool.mempool.size, 0);
  assert.equal(new Set(told).size, SENDERS * EACH, "the fate of each is told");
  const most = Math.max(...sizes.slice(1).map((size, i) => (sizes[i] ?? 0) - size));
  assert.ok(most > 0 && most <= MOST_AT_ONCE, `${most} left in one turn`);
  await chain.close();
});
