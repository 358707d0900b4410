import assert from "node:assert/strict";
import { test } from "node:test";
import { createMempool, type Mempool } from "../../../src/mempool/index.ts";
import type { SealedTransaction } from "../../../src/primitives/index.ts";
import { testGenesis } from "../../support/block-builder.ts";
import { createReadCounter } from "../../support/counted-transaction.ts";
import { createCrowd } from "../../support/pending-crowd.ts";

const genesis = testGenesis();
const crowd = createCrowd(genesis);
const BALANCE = 1e12;
/** Transactions of a block. */
const BLOCK = 100;

interface FullPool {
  readonly pool: Mempool;
  readonly newcomer: (nonce: number, fee: number) => SealedTransaction;
  readonly taken: () => number;
}

/** A pool that is full of `count` transactions, `each` of one sender, with fees up and down. */
function fill(count: number, each: number): FullPool {
  const { counted, taken } = createReadCounter();
  const pool = createMempool(genesis.spec, { maxTransactions: count });
  for (let i = 0; i < count; i++) {
    const [sender, nonce] = [Math.floor(i / each), i % each];
    const fee = 20_000 + ((i * 7_919) % 1_000);
    const one = crowd({ sender, nonce, to: sender + 1, fee, expiry: 1_000 + (i % 500) });
    assert.equal(pool.add(counted(one), { nonce: 0, balance: BALANCE }, 0, 0).status, "pending");
  }
  taken();
  const newcomer = (nonce: number, fee: number) => counted(crowd({ sender: 1 << 30, nonce, fee }));
  return { pool, newcomer, taken };
}

/** Mines the best ones, and answers them. */
function mineBlock(pool: Mempool, height: number): void {
  const block: SealedTransaction[] = [];
  for (const one of pool.select()) if (block.push(one) >= BLOCK) break;
  assert.equal(block.length, BLOCK);
  assert.deepEqual(pool.removeMined(block), []);
  pool.setAccounts(
    new Map(block.map(({ sender, nonce }) => [sender, { nonce: nonce + 1, balance: BALANCE }] as const)),
  );
  pool.removeExpired(height);
  pool.revalidate();
}

/** Looks at transactions for a block, and for one that makes a full pool evict. */
function costs(count: number, each: number): Record<string, number> {
  const { pool, newcomer, taken } = fill(count, each);
  const add = (nonce: number) =>
    assert.equal(pool.add(newcomer(nonce, 90_000), { nonce: 0, balance: BALANCE }, 0, 0).status, "pending");
  add(0);
  const evicting = taken();
  mineBlock(pool, 1);
  const mining = taken();
  for (let height = 2; height < 12; height++) mineBlock(pool, height);
  const miningOn = taken();
  pool.leavesAfter("8".repeat(64), 50);
  pool.entriesAfter(Math.floor(count / 2), 50);
  const listing = taken();
  for (let nonce = 1; nonce < 50; nonce++) add(nonce);
  return { evicting, mining, miningOn, listing, adding: taken() };
}

for (const [each, what] of [
  [1, "each of another sender"],
  [250, "250 of one sender"],
] as const) {
  test(`case 26: what a block, a page and a newcomer cost does not grow with what is pending, ${what}`, () => {
    const [few, many] = [costs(2_000, each), costs(16_000, each)];
    for (const [name, cost] of Object.entries(few)) {
      const most = 2 * cost + 50;
      assert.ok(
        (many[name] ?? 0) <= most,
        `${name}: ${cost} looks with 2,000 pending, ${many[name]} with 16,000`,
      );
    }
  });
}

test("case 26: expiry looks at what expires only, however few stay", () => {
  const { pool, taken } = fill(5_000, 1);
  assert.deepEqual(pool.removeExpired(999), []);
  assert.equal(taken(), 0);
  const gone = pool.removeExpired(1_000);
  assert.equal(gone.length, 10);
  assert.ok(taken() < 50 * gone.length);
  assert.deepEqual(pool.removeExpired(1_000), []);
});
