import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verdict } from "../../../src/consensus/index.ts";
import {
  applyBlock,
  checkTransactionSanity,
  createTransition,
  minimumFee,
  type StateChange,
} from "../../../src/ledger/index.ts";
import {
  assembleBlock,
  encodeBody,
  type GenesisJson,
  MAX_AMOUNT,
  rewardAt,
  type SealedTransaction,
  sealTransaction,
  transactionsRoot,
} from "../../../src/primitives/index.ts";
import { createBlockBuilder, keyOf, mineHeader, testGenesis, transfer } from "../../support/block-builder.ts";
import { applyChange, genesisState, type PlainState } from "../../support/random-ledger.ts";

const COIN = 100_000_000;
const genesis = testGenesis();
const { spec, chainId } = genesis;
const hex = (name: string): string => Buffer.from(keyOf(name).publicKey).toString("hex");
const short = (verdict: Verdict): string => (verdict.ok ? "ok" : `${verdict.code} ${verdict.permanence}`);
type Pay = Partial<Parameters<typeof transfer>[1]>;
const pay = (options: Pay = {}): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce: 0, ...options });

interface Run {
  readonly state: PlainState;
  readonly change: StateChange;
  readonly verdicts: string[];
}
function run(transactions: readonly SealedTransaction[], proposer = "miner", height = 1, on = genesis): Run {
  const state = genesisState(on);
  const transition = createTransition(on.spec, state.accounts, state.totals, height);
  const verdicts = transactions.map((transaction) => short(transition.apply(transaction)));
  const change = transition.finish(keyOf(proposer).publicKey);
  applyChange(state, change);
  return { state, change, verdicts };
}
const sanity = (transaction: SealedTransaction, on = genesis): string =>
  short(checkTransactionSanity(on.spec, on.chainId, transaction));

test("TX-02: a transaction of another chain is refused", () => {
  assert.equal(sanity(pay()), "ok");
  assert.equal(sanity(pay({ chain: new Uint8Array(32) })), "TX-02 permanent");
});

test("TX-04: an amount of zero is refused, of one accepted", () => {
  assert.equal(sanity(pay({ amount: 0 })), "TX-04 permanent");
  assert.equal(sanity(pay({ amount: 1 })), "ok");
});

test("TX-05: amount and fee together reach 2^53 - 1 and not further", () => {
  assert.equal(sanity(pay({ amount: MAX_AMOUNT - 1_000, fee: 1_000 })), "ok");
  assert.equal(sanity(pay({ amount: MAX_AMOUNT - 999, fee: 1_000 })), "TX-05 permanent");
  assert.equal(sanity(pay({ amount: MAX_AMOUNT, fee: MAX_AMOUNT })), "TX-05 permanent");
});

test("TX-06: the minimum fee counts every byte of the serialized transaction, signature and memo included", () => {
  assert.equal(pay().bytes.length, 205);
  assert.equal(sanity(pay({ fee: 205 })), "ok");
  assert.equal(sanity(pay({ fee: 204 })), "TX-06 permanent");
  assert.equal(sanity(pay({ fee: 214, memo: "ten bytes!" })), "TX-06 permanent");
  assert.equal(sanity(pay({ fee: 215, memo: "ten bytes!" })), "ok");
  const dear = testGenesis({ minFeePerByte: 3 });
  assert.equal(minimumFee(dear.spec, 205), 615);
});

test("TX-07: a transaction stands in blocks up to its expiry height, inclusive", () => {
  assert.deepEqual(run([pay({ expiry: 7 })], "miner", 7).verdicts, ["ok"]);
  assert.deepEqual(run([pay({ expiry: 6 })], "miner", 7).verdicts, ["TX-07 permanent"]);
});

test("TX-08: the nonce is the sender's next; a used one is refused for good, a later one for now", () => {
  const verdicts = run([pay({ nonce: 1 }), pay(), pay(), pay({ nonce: 1 }), pay({ nonce: 3 })]).verdicts;
  assert.deepEqual(verdicts, ["TX-08 transient", "ok", "TX-08 permanent", "ok", "TX-08 transient"]);
});

test("TX-09: the balance must cover amount and fee, to the unit", () => {
  const all = 1_000 * COIN;
  assert.deepEqual(run([pay({ amount: all - 20_000 })]).verdicts, ["ok"]);
  assert.deepEqual(run([pay({ amount: all - 19_999 })]).verdicts, ["TX-09 transient"]);
  assert.deepEqual(
    run([pay({ from: "nobody" })]).verdicts,
    ["TX-09 transient"],
    "an account that does not exist",
  );
});

test("TX-10: the creation fee comes on top of the minimum, and only where the account is created", () => {
  const least = 205 + 10_000;
  assert.deepEqual(run([pay({ to: "dave", fee: least - 1 })]).verdicts, ["TX-10 transient"]);
  assert.deepEqual(run([pay({ to: "dave", fee: least }), pay({ to: "dave", nonce: 1, fee: 205 })]).verdicts, [
    "ok",
    "ok",
  ]);
});

test("a refused transaction leaves everything as it was", () => {
  const refused = [
    pay({ nonce: 4 }),
    pay({ amount: 2_000 * COIN }),
    pay({ to: "dave", fee: 300 }),
    pay({ from: "nobody" }),
    pay({ expiry: 0 }),
  ];
  const { change, verdicts } = run(refused);
  assert.ok(verdicts.every((verdict) => verdict !== "ok"));
  assert.deepEqual(
    change.accounts.map(({ key }) => key),
    [hex("miner")],
  );
  assert.equal(change.totals.burned, 0);
});

test("fees go to the proposer and the creation fee is burned", () => {
  const { state, change } = run([pay({ to: "dave", amount: 7, fee: 30_000 }), pay({ nonce: 1, fee: 500 })]);
  const reward = rewardAt(spec, 1);
  assert.equal(state.accounts.get(hex("miner"))?.balance, reward + 20_000 + 500);
  assert.equal(state.accounts.get(hex("dave"))?.balance, 7);
  assert.equal(state.accounts.get(hex("alice"))?.balance, 1_000 * COIN - 7 - 30_000 - 5 - 500);
  assert.deepEqual(change.totals, { accounts: 5, issued: 3_000 * COIN + reward, burned: 10_000 });
});

test("indices are given at first touch in transaction order, the proposer's last, and kept", () => {
  const { state } = run([pay({ to: "zoe" }), pay({ to: "dave", nonce: 1 }), pay({ to: "zoe", nonce: 2 })]);
  assert.deepEqual(
    ["zoe", "dave", "miner"].map((name) => state.accounts.get(hex(name))?.index),
    [3, 4, 5],
  );
  const paidFirst = run([pay({ to: "miner" }), pay({ to: "dave", nonce: 1 })]).state;
  assert.deepEqual(
    ["miner", "dave"].map((name) => paidFirst.accounts.get(hex(name))?.index),
    [3, 4],
    "a proposer that a transaction touched before has its place from there",
  );
});

test("allocations have indices in key order", () => {
  const sorted = genesis.state.accounts.map(({ key }) => key);
  assert.deepEqual(sorted, [...sorted].sort());
  assert.deepEqual(
    genesis.state.accounts.map(({ index }) => index),
    [0, 1, 2],
  );
});

test("a transfer to oneself costs the fee, counts the nonce and needs the whole amount", () => {
  const { state, verdicts } = run([pay({ to: "alice", amount: 9, fee: 300 })]);
  assert.deepEqual(verdicts, ["ok"]);
  const alice = state.accounts.get(hex("alice"));
  assert.ok(alice?.balance === 1_000 * COIN - 300 && alice.nonce === 1);
  assert.deepEqual(run([pay({ to: "alice", amount: 1_000 * COIN })]).verdicts, ["TX-09 transient"]);
});

test("a proposer may send and receive in its own block", () => {
  const { state } = run([pay({ to: "carol", amount: 3, fee: 400 })], "alice");
  assert.equal(state.accounts.get(hex("alice"))?.balance, 1_000 * COIN - 3 + rewardAt(spec, 1));
  assert.equal(state.totals.accounts, 3);
});

test("funds received earlier in the block can be spent, later ones cannot", () => {
  const fund = pay({ to: "dave", amount: 50_000 });
  const spend = pay({ from: "dave", amount: 20_000, fee: 30_000 });
  assert.deepEqual(run([fund, spend]).verdicts, ["ok", "ok"]);
  assert.deepEqual(run([spend, fund]).verdicts, ["TX-09 transient", "ok"]);
});

test("the reward is created free of charge and paid at the end, so that the block itself cannot spend it", () => {
  const spend = pay({ from: "miner", amount: 1, fee: 300 });
  const { verdicts, state } = run([spend]);
  assert.deepEqual(verdicts, ["TX-09 transient"]);
  assert.equal(state.accounts.get(hex("miner"))?.balance, rewardAt(spec, 1));
  assert.equal(state.totals.burned, 0);
});

test("without reward and fees the proposer gets no account", () => {
  const free: Partial<GenesisJson> = { reward: 0, minFeePerByte: 0, accountCreationFee: 0 };
  const on = testGenesis(free);
  assert.equal(run([], "miner", 1, on).state.totals.accounts, 3);
  const { verdicts, state } = run(
    [transfer(on, { from: "alice", to: "dave", amount: 1, nonce: 0, fee: 0 })],
    "miner",
    1,
    on,
  );
  assert.deepEqual(verdicts, ["ok"], "a spec may ask for no fees at all");
  assert.equal(state.totals.accounts, 4);
});

test("rewards follow the halvings block by block", () => {
  const on = testGenesis({ reward: 1_001, halvingInterval: 2 });
  const builder = createBlockBuilder(on);
  const balances = builder.extend(7).map(({ header }) => builder.account(header.id, "miner")?.balance);
  assert.deepEqual(balances, [1_001, 2_002, 2_502, 3_002, 3_252, 3_502, 3_627]);
});

test("any refused transaction refuses the whole block for good, also where a single one might wait", () => {
  const transactions = [pay(), pay({ nonce: 2 })];
  const core = { ...genesis.block.header.header.core, height: 1, chain: chainId };
  const header = mineHeader({ ...core, transactionsRoot: transactionsRoot(transactions) });
  const block = assembleBlock(header, encodeBody(transactions, new Uint8Array()));
  const state = genesisState(genesis);
  const execution = applyBlock(spec, state.accounts, state.totals, block);
  assert.ok(!execution.ok && execution.code === "TX-08" && execution.permanence === "permanent");
});

test("two transactions of one body with different signatures count as one: the second meets a used nonce", () => {
  const first = pay();
  const second = sealTransaction({ ...first.transaction, signature: new Uint8Array(64).fill(1) });
  assert.deepEqual(run([first, second]).verdicts, ["ok", "TX-08 permanent"]);
});
