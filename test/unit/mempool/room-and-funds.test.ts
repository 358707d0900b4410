import assert from "node:assert/strict";
import { test } from "node:test";
import { type Admission, createMempool, type Mempool, type Removal } from "../../../src/mempool/index.ts";
import type { SealedTransaction } from "../../../src/primitives/index.ts";
import { keyOf, type TransferOptions, testGenesis, transfer } from "../../support/block-builder.ts";

const COIN = 100_000_000;
const genesis = testGenesis();
const rich = { nonce: 0, balance: 1_000 * COIN };
const make = (options: Partial<TransferOptions>): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0, ...options });
const add = (pool: Mempool, transaction: SealedTransaction, state = rich): string =>
  word(pool.add(transaction, state, 0, 0));
const word = (admission: Admission): string =>
  admission.status === "refused" ? admission.rule : admission.status;
const txids = (removals: readonly Removal[]): string[] => removals.map(({ transaction }) => transaction.txid);
const key = (name: string): string => Buffer.from(keyOf(name).publicKey).toString("hex");

test("case 24: at most so many transactions of one sender wait behind a missing nonce, and filling the gap lets more in", () => {
  const pool = createMempool(genesis.spec, { maxGappedPerSender: 3 });
  const later = [1, 2, 3, 4].map((nonce) => add(pool, make({ nonce })));
  assert.deepEqual(later, ["pending", "pending", "pending", "MEM-03"]);
  assert.equal(add(pool, make({ nonce: 0 })), "pending");
  assert.equal(add(pool, make({ nonce: 4 })), "pending");
  assert.equal(pool.nextNonce(key("alice"), 0), 5);
});

test("when the mempool is full, what waits behind a gap gives way first, whatever it pays", () => {
  const pool = createMempool(genesis.spec, { maxTransactions: 3 });
  const gapped = make({ nonce: 1, fee: COIN });
  const cheap = make({ from: "bob", fee: 30_000 });
  for (const one of [gapped, cheap, make({ from: "carol", fee: 40_000 })]) add(pool, one);
  assert.equal(add(pool, make({ from: "dave" })), "pending");
  assert.deepEqual(txids(pool.takeEvicted()), [gapped.txid]);
  assert.equal(
    add(pool, make({ from: "erin", nonce: 1, fee: COIN })),
    "MEM-01",
    "a gapped one evicts none that is ready",
  );
});

test("case 24: a full mempool takes only what pays more than the worst it has, and evicts a sender's last nonce first", () => {
  const pool = createMempool(genesis.spec, { maxTransactions: 4 });
  const last = make({ nonce: 2, fee: 90_000 });
  for (const one of [make({ nonce: 0, fee: 80_000 }), make({ nonce: 1, fee: 30_000 }), last]) add(pool, one);
  add(pool, make({ from: "bob", fee: 50_000 }));
  assert.equal(add(pool, make({ from: "carol", fee: 30_000 })), "MEM-01");
  assert.equal(
    add(pool, make({ nonce: 3, fee: COIN })),
    "MEM-01",
    "it cannot be mined before its cheap ancestor",
  );
  assert.equal(add(pool, make({ from: "carol", fee: 31_000 })), "pending");
  assert.deepEqual(txids(pool.takeEvicted()), [last.txid]);
  assert.equal(pool.size, 4);
});

test("case 24: eviction makes room in bytes too", () => {
  const small = make({ fee: 30_000 });
  const big = make({ from: "carol", fee: COIN, memo: "m".repeat(64) });
  const pool = createMempool(genesis.spec, { maxBytes: 2 * small.bytes.length });
  add(pool, small);
  add(pool, make({ from: "bob", fee: 31_000 }));
  assert.equal(add(pool, big), "pending");
  assert.equal(pool.takeEvicted().length, 2);
  assert.equal(pool.bytes, big.bytes.length);
});

test("case 24: what has expired for the next block leaves, and says so", () => {
  const pool = createMempool(genesis.spec);
  const [first, second] = [make({ expiry: 7 }), make({ from: "bob", expiry: 8 })];
  for (const one of [first, second]) assert.equal(add(pool, one), "pending");
  assert.deepEqual(pool.removeExpired(6), []);
  const [gone, ...others] = pool.removeExpired(7);
  assert.ok(gone?.fate === "dropped" && gone.rule === "TX-07" && gone.transaction === first);
  assert.deepEqual([others, [...pool.select()]], [[], [second]]);
});

test("a transfer counts for its recipient only while it can be paid and nothing is missing before it", () => {
  const pool = createMempool(genesis.spec);
  const poor = { nonce: 0, balance: 0 };
  const spend = make({ from: "dave", to: "erin", amount: 5 * COIN });
  add(pool, make({ to: "dave", amount: 10 * COIN, nonce: 1 }));
  assert.equal(add(pool, spend, poor), "TX-09");
  add(pool, make({ nonce: 0 }));
  assert.equal(add(pool, spend, poor), "pending");
  assert.equal(add(pool, make({ from: "erin", to: "frank", amount: 4 * COIN }), poor), "pending");
  assert.equal([...pool.select()].length, 4);
  pool.setAccounts(new Map([[key("alice"), { nonce: 0, balance: 20_000 }]]));
  assert.equal(pool.revalidate().length, 4, "a chain leaves to its end");
  assert.equal(pool.size, 0);
});

test("transfers that pay for each other in a circle let nothing in", () => {
  const pool = createMempool(genesis.spec);
  assert.equal(
    add(pool, make({ from: "x", to: "x", amount: COIN }), { nonce: 0, balance: 2 * COIN }),
    "pending",
  );
  assert.equal(
    add(pool, make({ from: "x", to: "y", amount: COIN, nonce: 1 }), { nonce: 0, balance: 2 * COIN }),
    "TX-09",
  );
});

test("what is checked before the signature is refused for the same reason as afterwards", () => {
  const pool = createMempool(genesis.spec, { maxTransactions: 1 });
  const cases = [
    { transaction: make({ expiry: 5 }), state: rich, height: 5 },
    { transaction: make({}), state: { nonce: 1, balance: COIN }, height: 0 },
    { transaction: make({ nonce: 5_000 }), state: rich, height: 0 },
    { transaction: make({ amount: COIN }), state: { nonce: 0, balance: COIN }, height: 0 },
    { transaction: make({ fee: 20_000 }), state: rich, height: 0 },
    { transaction: make({ from: "bob", amount: 2 }), state: rich, height: 0 },
  ];
  add(pool, make({ from: "bob" }));
  const rules = cases.map(({ transaction, state, height }) => {
    const refusal = pool.check(transaction, state, height);
    const admission = pool.add(transaction, state, height, 0);
    assert.deepEqual(refusal, admission);
    return word(admission);
  });
  assert.deepEqual(rules, ["TX-07", "TX-08", "MEM-03", "TX-09", "MEM-01", "MEM-02"]);
});

test("a refusal has its numbers apart from its words", () => {
  const pool = createMempool(genesis.spec);
  const numbersOf = (options: Partial<TransferOptions>, state = rich, height = 0) => {
    const answer = pool.check(make(options), state, height);
    return answer?.numbers;
  };
  assert.deepEqual(numbersOf({ expiry: 5 }, rich, 5), { expiry: 5, nextHeight: 6 });
  assert.deepEqual(numbersOf({}, { nonce: 1, balance: COIN }), { nonce: 0, nextNonce: 1 });
  assert.deepEqual(numbersOf({ nonce: 5_000 }), { nonce: 5_000, nextNonce: 0, highest: 4_999 });
  assert.equal(pool.check(make({ nonce: 4_999 }), rich, 0), undefined);
  const poor = { nonce: 0, balance: 7 };
  assert.deepEqual(numbersOf({ amount: 10, fee: 300 }, poor), { cost: 310, available: 7 });
});

test("one that needs the room of several takes none of it where one of them pays more", () => {
  const size = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 }).bytes.length;
  const pool = createMempool(genesis.spec, { maxBytes: 2 * size });
  const add = (from: string, fee: number, memo = "") =>
    pool.add(
      transfer(genesis, { from, to: "erin", amount: 1, nonce: 0, fee, memo }),
      { nonce: 0, balance: 1e12 },
      0,
      0,
    );
  const cheap = add("alice", 20_000);
  const dear = add("bob", 90_000);
  const before = [...pool.entries()].map(({ transaction }) => transaction.txid);
  const refusal = add("carol", 50_000, "needs the room of both");
  assert.deepEqual(
    [cheap.status, dear.status, refusal.status === "refused" && refusal.rule],
    ["pending", "pending", "MEM-01"],
  );
  assert.deepEqual([...pool.entries()].map(({ transaction }) => transaction.txid).sort(), before.sort());
  assert.deepEqual([...pool.takeEvicted(), ...pool.revalidate()], []);
  assert.deepEqual([pool.bytes, [...pool.select()].length], [2 * size, 2]);
  assert.equal(add("carol", 200_000, "needs the room of both").status, "pending");
  assert.equal(pool.takeEvicted().length, 2);
});

test("one whose nonce was used leaves, also when it made way and was put back before that", () => {
  const size = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 }).bytes.length;
  const pool = createMempool(genesis.spec, { maxBytes: 2 * size });
  const add = (from: string, fee: number, memo = "") => {
    const transaction = transfer(genesis, { from, to: "erin", amount: 1, nonce: 0, fee, memo });
    return { transaction, admission: pool.add(transaction, { nonce: 0, balance: 1e12 }, 0, 0) };
  };
  const { transaction } = add("alice", 20_000);
  add("bob", 90_000);
  pool.setAccounts(new Map([[transaction.sender, { nonce: 1, balance: 1e12 }]]));
  assert.equal(add("carol", 50_000, "needs the room of both").admission.status, "refused");
  assert.deepEqual(
    pool
      .revalidate()
      .map((removal) => [removal.transaction.txid, removal.fate === "dropped" && removal.rule]),
    [[transaction.txid, "TX-08"]],
  );
  assert.equal(pool.size, 1);
});
