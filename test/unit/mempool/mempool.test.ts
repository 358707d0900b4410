import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createMempool, type Mempool, type MempoolOptions } from "../../../src/mempool/index.ts";
import type { SealedTransaction } from "../../../src/primitives/index.ts";
import { type TransferOptions, testGenesis, transfer } from "../../support/block-builder.ts";

const genesis = testGenesis();
const rich = { nonce: 0, balance: 10_000_000 };
const pay = (from: string, nonce: number, more: Partial<TransferOptions> = {}) =>
  transfer(genesis, { from, to: "zoe", nonce, amount: 1_000, ...more });
const roomy: Partial<MempoolOptions> = { maxTransactions: 1_000, maxBytes: 1_000_000, maxPerSender: 50 };
const make = (options: Partial<MempoolOptions> = {}) => createMempool(genesis.spec, { ...roomy, ...options });
const ruleOf = (answer: ReturnType<Mempool["add"]>) =>
  answer.status === "refused" ? answer.rule : answer.status;
const txids = (transactions: readonly SealedTransaction[]) => transactions.map(({ txid }) => txid);

describe("admission", () => {
  test("case 24: nonces may leave gaps up to a bound, and those behind a gap wait", () => {
    const pool = make({ maxPerSender: 5 });
    const [zero, one, three] = [pay("alice", 0), pay("alice", 1), pay("alice", 3)];
    for (const transaction of [three, zero])
      assert.equal(ruleOf(pool.add(transaction, rich, 0, 0)), "pending");
    assert.equal(ruleOf(pool.add(pay("alice", 5), rich, 0, 0)), "MEM-03");
    assert.equal(pool.isReady(three, 0), false);
    assert.equal(pool.nextNonce(three.sender, 0), 1);
    assert.deepEqual(txids([...pool.select()]), [zero.txid]);
    assert.equal(ruleOf(pool.add(one, rich, 0, 0)), "pending");
    assert.deepEqual(txids([...pool.select()]), [zero.txid, one.txid]);
  });

  test("each refusal names its rule, and nothing is kept of what was refused", () => {
    const pool = make();
    const state = { nonce: 3, balance: 100_000 };
    assert.equal(ruleOf(pool.add(pay("alice", 3, { expiry: 7 }), state, 7, 0)), "TX-07");
    assert.equal(ruleOf(pool.add(pay("alice", 2), state, 0, 0)), "TX-08");
    assert.equal(ruleOf(pool.add(pay("alice", 3, { fee: 1 }), state, 0, 0)), "TX-06");
    assert.equal(ruleOf(pool.add(pay("alice", 3, { amount: 90_000 }), state, 0, 0)), "TX-09");
    assert.deepEqual([pool.size, pool.bytes, [...pool.entries()]], [0, 0, []]);
    assert.equal(ruleOf(pool.add(pay("alice", 3), state, 0, 0)), "pending");
    assert.equal(ruleOf(pool.add(pay("alice", 3), state, 0, 0)), "known");
    assert.equal(ruleOf(pool.add(pay("alice", 3, { amount: 5 }), state, 0, 0)), "MEM-02");
  });

  test("case 24: a pending transaction is replaced by one that pays for both, and by nothing less", () => {
    const pool = make();
    const [old, next] = [pay("alice", 0), pay("alice", 1)];
    for (const transaction of [old, next]) assert.equal(ruleOf(pool.add(transaction, rich, 0, 0)), "pending");
    const { fee } = old.transaction.body;
    const least = fee + old.bytes.length * genesis.spec.minFeePerByte;
    const cheap = pool.add(pay("alice", 0, { amount: 5, fee: least - 1 }), rich, 0, 0);
    assert.deepEqual(
      [ruleOf(cheap), cheap.status === "refused" && cheap.numbers],
      ["MEM-02", { nonce: 0, least }],
    );
    assert.deepEqual(pool.takeEvicted(), []);
    const better = pay("alice", 0, { amount: 5, fee: least });
    assert.equal(ruleOf(pool.add(better, rich, 0, 0)), "pending");
    assert.deepEqual(pool.takeEvicted(), [{ transaction: old, fate: "conflicted", by: better.txid }]);
    assert.deepEqual([pool.get(old.txid), pool.size], [undefined, 2]);
    assert.deepEqual(txids([...pool.select()]), [better.txid, next.txid]);
    assert.equal(pool.bytes, better.bytes.length + next.bytes.length);
    assert.equal(ruleOf(pool.add(old, rich, 0, 0)), "MEM-02", "nor back");
  });

  test("a longer one must pay more for each byte too", () => {
    const pool = make();
    const old = pay("alice", 0, { fee: 100_000 });
    pool.add(old, rich, 0, 0);
    const long = (fee: number) => pay("alice", 0, { memo: "m".repeat(64), fee });
    const least = Math.floor((100_000 / old.bytes.length) * long(0).bytes.length) + 1;
    assert.equal(ruleOf(pool.add(long(least - 1), rich, 0, 0)), "MEM-02");
    assert.equal(ruleOf(pool.add(long(least), rich, 0, 0)), "pending");
  });

  test("a replacement needs no room of its own, and the money of what it replaces is its own", () => {
    const pool = make({ maxTransactions: 1 });
    const poor = { nonce: 0, balance: 31_000 };
    const old = pay("alice", 0, { amount: 1_000, fee: 20_000 });
    assert.equal(ruleOf(pool.add(old, poor, 0, 0)), "pending");
    assert.equal(ruleOf(pool.add(pay("alice", 0, { amount: 1_001, fee: 30_000 }), poor, 0, 0)), "TX-09");
    assert.equal(ruleOf(pool.add(pay("alice", 0, { amount: 1_000, fee: 30_000 }), poor, 0, 0)), "pending");
    assert.equal(pool.size, 1);
  });

  test("what a replaced transfer would have paid for goes with it", () => {
    const pool = make();
    const funding = pay("alice", 0, { to: "dave", amount: 100_000 });
    const spending = pay("dave", 0, { amount: 50_000 });
    pool.add(funding, rich, 0, 0);
    assert.equal(ruleOf(pool.add(spending, { nonce: 0, balance: 0 }, 0, 0)), "pending");
    const elsewhere = pay("alice", 0, { amount: 100_000, fee: 100_000 });
    pool.add(elsewhere, rich, 0, 0);
    const [replaced, unpaid] = [...pool.takeEvicted(), ...pool.revalidate()];
    assert.equal(replaced?.transaction.txid, funding.txid);
    assert.deepEqual(
      [unpaid?.transaction.txid, unpaid?.fate === "dropped" && unpaid.rule],
      [spending.txid, "TX-09"],
    );
    assert.deepEqual(txids([...pool.select()]), [elsewhere.txid]);
  });

  test("a replacement cannot be paid for with what the replaced one brings back, and then the pending one stays", () => {
    const pool = make();
    const state = { nonce: 0, balance: 1_100_000 };
    const nobody = { nonce: 0, balance: 0 };
    const lent = pay("alice", 0, { to: "bob", amount: 1_000_000, fee: 20_000 });
    const back = pay("bob", 0, { to: "alice", amount: 900_000, fee: 20_000 });
    const before = pay("dave", 0);
    assert.equal(ruleOf(pool.add(before, rich, 0, 0)), "pending");
    assert.equal(ruleOf(pool.add(lent, state, 0, 0)), "pending");
    assert.equal(ruleOf(pool.add(back, nobody, 0, 0)), "pending");
    pool.removeMined([before]);
    const circular = pay("alice", 0, { to: "carol", amount: 1_500_000, fee: 200_000 });
    assert.equal(ruleOf(pool.add(circular, state, 0, 0)), "TX-09");
    assert.deepEqual(pool.takeEvicted(), []);
    assert.deepEqual(new Set(txids([...pool.select()])), new Set([lent.txid, back.txid]));
    assert.deepEqual(pool.revalidate(), []);
    const listed = pool.entriesAfter(-1, 10).map(({ transaction }) => transaction);
    assert.deepEqual(listed, [lent, back], "and its place in the list");
  });

  test("case 24: limits in number and in bytes hold", () => {
    const few = make({ maxTransactions: 2 });
    const answers = [0, 1, 2].map((nonce) => ruleOf(few.add(pay("alice", nonce), rich, 0, 0)));
    assert.deepEqual(answers, ["pending", "pending", "MEM-01"]);
    const { length } = pay("alice", 0).bytes;
    const small = make({ maxBytes: 2 * length });
    assert.deepEqual(
      [0, 1, 2].map((nonce) => ruleOf(small.add(pay("alice", nonce), rich, 0, 0))),
      ["pending", "pending", "MEM-01"],
    );
    assert.equal(small.bytes, 2 * length);
  });

  test("a transfer may spend what another pending one brings, and comes after it", () => {
    const pool = make();
    const funding = pay("alice", 0, { to: "dave", amount: 100_000 });
    const spending = pay("dave", 0, { amount: 50_000 });
    const nobody = { nonce: 0, balance: 0 };
    assert.equal(ruleOf(pool.add(spending, nobody, 0, 0)), "TX-09");
    pool.add(funding, rich, 0, 0);
    assert.equal(ruleOf(pool.add(spending, nobody, 0, 0)), "pending");
    assert.deepEqual(txids([...pool.select()]), [funding.txid, spending.txid]);
    // Once the funding is mined, the account itself has it.
    assert.deepEqual(pool.removeMined([funding]), []);
    pool.setAccounts(new Map([[spending.sender, { nonce: 0, balance: 100_000 }]]));
    assert.deepEqual(pool.revalidate(), []);
    pool.setAccounts(new Map([[spending.sender, nobody]]));
    const [gone] = pool.revalidate();
    assert.equal(gone?.transaction, spending);
    assert.equal(gone?.fate === "dropped" && gone.rule, "TX-09");
  });
});

test("blocks take the best fee per byte first, without breaking the order of one sender's nonces", () => {
  const pool = make();
  const cheapFirst = [pay("alice", 0, { fee: 15_000 }), pay("alice", 1, { fee: 90_000 })];
  const middle = pay("bob", 0, { fee: 40_000 });
  for (const each of [...cheapFirst, middle]) pool.add(each, rich, 0, 0);
  assert.deepEqual(txids([...pool.select()]), txids([middle, ...cheapFirst]));
});

// One model for everything: a plain list, searched from end to end.
interface Entry {
  readonly transaction: SealedTransaction;
}

const SENDERS = ["alice", "bob", "carol"];
const made = new Map<string, SealedTransaction>();
/** Signing is slow, so equal transfers are made once. */
function sample(from: string, nonce: number, fee: number, expiry: number): SealedTransaction {
  const key = `${from} ${nonce} ${fee} ${expiry}`;
  const known = made.get(key) ?? pay(from, nonce, { fee, expiry });
  made.set(key, known);
  return known;
}
const anyTransfer = fc
  .tuple(
    fc.constantFrom(...SENDERS),
    fc.integer({ min: 0, max: 6 }),
    fc.constantFrom(20_000, 30_000, 60_000),
    fc.integer({ min: 1, max: 9 }),
  )
  .map(([from, nonce, fee, expiry]) => sample(from, nonce, fee, expiry));
const anyStep = fc.oneof(
  { weight: 5, arbitrary: fc.record({ add: anyTransfer }) },
  { weight: 2, arbitrary: fc.record({ mine: anyTransfer }) },
  { weight: 1, arbitrary: fc.record({ expireAt: fc.integer({ min: 0, max: 9 }) }) },
);

test("whatever comes and goes, the pool holds what a plain list would, and its sums are right", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const pool = make({ maxPerSender: 5 });
      let model: Entry[] = [];
      const nonces = new Map<string, number>();
      const nonceOf = ({ transaction }: SealedTransaction) => transaction.body.nonce;
      for (const step of steps) {
        if ("add" in step) {
          const { add } = step;
          const nonce = nonces.get(add.sender) ?? 0;
          const rival = model.find(
            ({ transaction: other }) => other.sender === add.sender && nonceOf(other) === nonceOf(add),
          );
          // All have one length, and the steps between the fees are greater than the least fee for it.
          const replaces =
            rival === undefined || add.transaction.body.fee > rival.transaction.transaction.body.fee;
          const known = model.some(({ transaction }) => transaction === add);
          const fits = nonceOf(add) >= nonce && nonceOf(add) < nonce + 5;
          const expected = known ? "known" : fits && replaces ? "pending" : "refused";
          assert.equal(pool.add(add, { nonce, balance: 10_000_000 }, 0, 0).status, expected);
          const isReplaced = expected === "pending" && rival !== undefined;
          assert.deepEqual(
            pool.takeEvicted().map(({ transaction }) => transaction),
            isReplaced ? [rival.transaction] : [],
          );
          if (isReplaced) model = model.filter((entry) => entry !== rival);
          if (expected === "pending") model.push({ transaction: add });
        } else if ("mine" in step) {
          // Blocks take a sender's nonces in order.
          const { mine } = step;
          const nonce = nonces.get(mine.sender) ?? 0;
          if (nonceOf(mine) !== nonce) continue;
          nonces.set(mine.sender, nonce + 1);
          const gone = model.filter(
            ({ transaction }) => transaction.sender === mine.sender && nonceOf(transaction) === nonce,
          );
          model = model.filter((entry) => !gone.includes(entry));
          const rivals = gone.filter(({ transaction }) => transaction !== mine);
          assert.deepEqual(
            pool.removeMined([mine]).map((removal) => [removal.transaction, removal.fate]),
            rivals.map(({ transaction }) => [transaction, "conflicted"]),
          );
          pool.setAccounts(new Map([[mine.sender, { nonce: nonce + 1, balance: 10_000_000 }]]));
        } else {
          const gone = model.filter(
            ({ transaction }) => transaction.transaction.body.expiry <= step.expireAt,
          );
          model = model.filter((entry) => !gone.includes(entry));
          assert.deepEqual(
            pool.removeExpired(step.expireAt).map(({ transaction }) => transaction),
            gone.map(({ transaction }) => transaction),
          );
        }
        const all = model.map(({ transaction }) => transaction);
        assert.deepEqual(
          [...pool.entries()].map(({ transaction }) => transaction),
          all,
        );
        assert.equal(pool.size, all.length);
        assert.equal(
          pool.bytes,
          all.reduce((sum, { bytes }) => sum + bytes.length, 0),
        );
        for (const one of all) assert.equal(pool.getByLeaf(one.leaf), one);
        // Ready is what stands without a gap from the account's nonce on; exactly that is selected.
        const ready = all.filter((one) => {
          const own = all.filter(({ sender }) => sender === one.sender).map(nonceOf);
          for (let nonce = nonces.get(one.sender) ?? 0; nonce <= nonceOf(one); nonce++)
            if (!own.includes(nonce)) return false;
          return true;
        });
        const selected = [...pool.select()];
        assert.deepEqual(new Set(selected), new Set(ready));
        assert.equal(selected.length, ready.length);
        for (const [i, one] of selected.entries()) {
          const later = selected.slice(i + 1).filter(({ sender }) => sender === one.sender);
          assert.ok(later.every((other) => nonceOf(other) > nonceOf(one)));
        }
      }
    }),
    { numRuns: 300 },
  );
});
