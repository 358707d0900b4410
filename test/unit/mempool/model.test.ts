import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createMempool, type Mempool } from "../../../src/mempool/index.ts";
import type { SealedTransaction } from "../../../src/primitives/index.ts";
import { keyOf, testGenesis, transfer } from "../../support/block-builder.ts";

const FEE = 20_000;
const NAMES = ["alice", "bob", "carol"] as const;
const genesis = testGenesis();
const keyHex = (name: string): string => Buffer.from(keyOf(name).publicKey).toString("hex");

interface Account {
  nonce: number;
  balance: number;
}

const name = fc.constantFrom(...NAMES);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ from: name, to: name, nonce: fc.nat(4), coins: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ setOf: name, nonce: fc.nat(3), coins: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.constant("mine" as const) },
);

/** Runs what is pending on the accounts, over and over, until nothing more can run. */
function execute(pool: Mempool, accounts: ReadonlyMap<string, Account>): SealedTransaction[] {
  const state = new Map([...accounts].map(([key, account]) => [key, { ...account }]));
  const done: SealedTransaction[] = [];
  for (let progress = true; progress; ) {
    progress = false;
    for (const { transaction } of pool.entries()) {
      const { nonce, fee, action } = transaction.transaction.body;
      const sender = state.get(transaction.sender);
      if (sender === undefined || sender.nonce !== nonce || sender.balance < fee + action.value.amount)
        continue;
      sender.nonce++;
      sender.balance -= fee + action.value.amount;
      const recipient = state.get(transaction.recipient);
      if (recipient !== undefined) recipient.balance += action.value.amount;
      done.push(transaction);
      progress = true;
    }
  }
  return done;
}

const total = (pool: Mempool): number =>
  [...pool.entries()].reduce((sum, { transaction }) => sum + transaction.bytes.length, 0);

test("whatever happens, counts fit, senders' nonces are selected in order, and all that can run one by one is selected", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const pool = createMempool(genesis.spec, { maxTransactions: 8, maxGappedPerSender: 2 });
      const accounts = new Map<string, Account>(NAMES.map((one) => [keyHex(one), { nonce: 0, balance: 0 }]));
      accounts.set(keyHex("alice"), { nonce: 0, balance: 10 * FEE });
      for (const one of steps) {
        if (one === "mine") {
          const mined = [...pool.select()]
            .slice(0, 1)
            .filter((first) => execute(pool, accounts).includes(first));
          for (const { sender, recipient, transaction } of mined) {
            const { fee, action } = transaction.body;
            const payer = accounts.get(sender);
            const payee = accounts.get(recipient);
            if (payer === undefined || payee === undefined) continue;
            if (payer.balance < fee + action.value.amount) continue;
            payer.nonce++;
            payer.balance -= fee + action.value.amount;
            payee.balance += action.value.amount;
            pool.removeMined(mined);
          }
          pool.setAccounts(accounts);
        } else if ("setOf" in one) {
          accounts.set(keyHex(one.setOf), { nonce: one.nonce, balance: one.coins * FEE });
          pool.setAccounts(accounts);
        } else {
          const { from, to, nonce, coins } = one;
          const transaction = transfer(genesis, { from, to, nonce, amount: coins * FEE, fee: FEE + coins });
          pool.add(transaction, accounts.get(keyHex(from)) ?? { nonce: 0, balance: 0 }, 0, 0);
          pool.takeEvicted();
        }
        pool.revalidate();
        assert.ok(pool.size <= 8);
        assert.equal(pool.bytes, total(pool));
        const inOrder = [...pool.entries()].sort((a, b) => a.order - b.order);
        assert.deepEqual(pool.entriesAfter(-1, 100), inOrder);
        const leaves = inOrder.map(({ transaction }) => transaction.leaf).sort();
        assert.deepEqual(pool.leavesAfter("0".repeat(64), 100), leaves);
        const selected = [...pool.select()];
        const next = new Map([...accounts].map(([key, account]) => [key, account.nonce]));
        for (const { sender, transaction } of selected) {
          assert.equal(transaction.body.nonce, next.get(sender));
          next.set(sender, transaction.body.nonce + 1);
        }
        for (const { transaction } of pool.entries()) {
          assert.ok(transaction.transaction.body.nonce >= (accounts.get(transaction.sender)?.nonce ?? 0));
        }
        for (const runnable of execute(pool, accounts)) {
          // A transfer to oneself brings nothing in the pool's eyes, so what rests on one is not looked for here.
          const own = [...pool.entries()].some(({ transaction: t }) => t.sender === t.recipient);
          assert.ok(own || selected.includes(runnable), "an executable transaction is not selected");
        }
      }
      // With no money anywhere nothing can be paid, not even by transfers that pay for each other.
      const broke = NAMES.map(
        (one) => [keyHex(one), { nonce: accounts.get(keyHex(one))?.nonce ?? 0, balance: 0 }] as const,
      );
      pool.setAccounts(new Map(broke));
      pool.revalidate();
      assert.equal(pool.size, 0);
    }),
    { seed: 20_260_101, numRuns: 300 },
  );
});
