import assert from "node:assert/strict";
import { test } from "node:test";
import { createMempool, type Mempool } from "../../../src/mempool/index.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import type { SealedTransaction } from "../../../src/primitives/index.ts";
import { testGenesis } from "../../support/block-builder.ts";
import { createCrowd } from "../../support/pending-crowd.ts";

const genesis = testGenesis();
const crowd = createCrowd(genesis);
const rich = { nonce: 0, balance: 1e12 };
const rateOf = ({ fee, bytes }: SealedTransaction): number => fee / bytes.length;

/** What stands without a gap from nonce 0 on, with the lowest rate and the newest arrival on the way to each. */
function readyOf(pool: Mempool) {
  const bySender = Map.groupBy(pool.entries(), ({ transaction }) => transaction.sender);
  return [...bySender.values()].flatMap((entries) => {
    let [rate, order] = [Number.POSITIVE_INFINITY, 0];
    return entries
      .sort((a, b) => a.transaction.nonce - b.transaction.nonce)
      .filter(({ transaction }, i) => transaction.nonce === i)
      .map((entry) => {
        rate = Math.min(rate, rateOf(entry.transaction));
        order = Math.max(order, entry.order);
        return { transaction: entry.transaction, rate, order };
      });
  });
}

test("the order of a block is that of sorting everything by what it is worth, whatever came and went", () => {
  const random = createSeededRandom(26);
  const dice = (sides: number): number => Math.floor(random.fraction() * sides);
  const pool = createMempool(genesis.spec, { maxTransactions: 60, maxGappedPerSender: 5 });
  for (let step = 0; step < 2_000; step++) {
    const one = crowd({
      sender: dice(12),
      nonce: dice(9),
      to: 99,
      fee: 20_000 + 10_000 * dice(8),
      expiry: 1_000_000 - dice(9),
    });
    pool.add(one, rich, 0, 0);
    pool.takeEvicted();
    if (dice(50) === 0) pool.removeExpired(1_000_000 - dice(9));
    pool.revalidate();
    const expected = readyOf(pool).sort(
      (a, b) => b.rate - a.rate || a.order - b.order || a.transaction.nonce - b.transaction.nonce,
    );
    assert.deepEqual(
      [...pool.select()].map(({ txid }) => txid),
      expected.map(({ transaction }) => transaction.txid),
    );
  }
});

test("pages of leaves and of arrivals cover the mempool in order, each transaction once", () => {
  const pool = createMempool(genesis.spec, { maxTransactions: 400 });
  const all = Array.from({ length: 400 }, (_, i) => crowd({ sender: i, nonce: 0, fee: 20_000 + i }));
  for (const one of all) pool.add(one, rich, 0, 0);
  // The cheapest give way, from the front of the arrivals.
  for (let i = 400; i < 700; i++) pool.add(crowd({ sender: i, nonce: 0, fee: 20_000 + i }), rich, 0, 0);
  const pending = [...pool.entries()];
  assert.equal(pending.length, 400);

  const leaves: string[] = [];
  for (
    let page = pool.leavesAfter("00".repeat(32), 7);
    page.length > 0;
    page = pool.leavesAfter(page.at(-1) ?? "", 7)
  )
    leaves.push(...page);
  assert.deepEqual(leaves, pending.map(({ transaction }) => transaction.leaf).sort());
  assert.deepEqual(pool.leavesAfter("ff".repeat(32), 10), []);

  const orders: number[] = [];
  for (let page = pool.entriesAfter(-1, 9); page.length > 0; page = pool.entriesAfter(orders.at(-1) ?? 0, 9))
    orders.push(...page.map(({ order }) => order));
  assert.deepEqual(
    orders,
    Array.from({ length: 400 }, (_, i) => 300 + i),
  );
});
