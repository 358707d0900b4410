import assert from "node:assert/strict";
import { test } from "node:test";
import { verifySignature } from "../../../src/keys/index.ts";
import { createManualClock } from "../../../src/ports/index.ts";
import {
  assembleBlock,
  type Block,
  bytesToHex,
  decodeBody,
  decodeTransaction,
  encodeBody,
  type SealedTransaction,
  sealTransaction,
  signingMessage,
  transactionsRoot,
} from "../../../src/primitives/index.ts";
import {
  createBlockBuilder,
  keyOf,
  mineHeader,
  referenceStateRoot,
  testGenesis,
  transfer,
} from "../../support/block-builder.ts";
import {
  createCountingVerifier,
  fromPeer,
  importAll,
  importOne,
  openTestChain,
  outcome,
} from "../../support/chain-lab.ts";
import { seedOf, signAgain } from "../../support/second-signature.ts";

const genesis = testGenesis();
const { spec } = genesis;
const none = new Uint8Array();
const pay = (options: Partial<Parameters<typeof transfer>[1]> = {}): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce: 0, ...options });
/** The header of a block with another body under it. */
const withBody = (block: Block, transactions: readonly SealedTransaction[], engineData = none): Block =>
  assembleBlock(block.header, encodeBody(transactions, engineData));
/** An empty first block whose state root grants the miner so many units. */
function granting(units: number): Block {
  const miner = {
    index: 3,
    key: Buffer.from(keyOf("miner").publicKey).toString("hex"),
    balance: units,
    nonce: 0,
  };
  const accounts = [...genesis.state.accounts, miner];
  const totals = { ...genesis.state.totals, accounts: 4, issued: genesis.state.totals.issued + units };
  const stateRoot = referenceStateRoot(accounts, totals);
  return createBlockBuilder(genesis).build({ tweak: (core) => ({ ...core, stateRoot }) });
}

test("case 12: one unit too much reward is refused for good, one too little too, exactly the reward is accepted", async () => {
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, granting(spec.reward + 1)), "STA-01 permanent");
  assert.equal(await importOne(chain, granting(spec.reward - 1)), "STA-01 permanent");
  assert.equal(chain.head.height, 0);
  assert.equal(await importOne(chain, granting(spec.reward)), "connected");
  await chain.close();
});

test("case 12: too much reward in the last block of a heavier branch leaves the best valid block as head", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const mine = builder.extend(2, { parent: root, proposer: "alice" });
  const rival = builder.extend(2, { parent: root, proposer: "bob" });
  // The honest state but for one unit: bob has two rewards, the miner one and the unit.
  const honest = genesis.state.accounts.map((account) =>
    account.key === bytesToHex(keyOf("bob").publicKey)
      ? { ...account, balance: account.balance + 2 * spec.reward }
      : account,
  );
  const miner = { index: honest.length, key: bytesToHex(keyOf("miner").publicKey), nonce: 0 };
  const { totals } = genesis.state;
  const rootWith = (extra: number) =>
    referenceStateRoot([...honest, { ...miner, balance: spec.reward + extra }], {
      ...totals,
      accounts: honest.length + 1,
      issued: totals.issued + 3 * spec.reward + extra,
    });
  const tip = builder.tip;
  const exact = builder.build({ parent: tip });
  assert.deepEqual(exact.header.header.core.stateRoot, rootWith(0));
  const greedy = builder.build({ parent: tip, tweak: (core) => ({ ...core, stateRoot: rootWith(1) }) });
  const chain = await openTestChain(genesis);
  await importAll(chain, [...mine, ...rival]);
  assert.equal(await importOne(chain, greedy), "STA-01 permanent");
  assert.equal(chain.head.id, mine[1]?.header.id);
  assert.equal(chain.tree.get(greedy.header.id)?.status, "invalid");
  assert.equal(chain.tree.get(rival[1]?.header.id ?? "")?.status, "valid");
  await chain.close();
});

test("case 12: reward and fees together are exact", async () => {
  const builder = createBlockBuilder(genesis);
  const block = builder.build({ transactions: [pay({ to: "dave", fee: 33_333 }), pay({ nonce: 1 })] });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, block), "connected");
  const [miner] = await chain.accounts([Buffer.from(keyOf("miner").publicKey).toString("hex")]);
  assert.equal(miner?.balance, spec.reward + 33_333 - spec.accountCreationFee + 20_000);
  await chain.close();
});

test("case 13: an id above the target and a wrong difficulty are refused from the header, before any signature is looked at", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const signatures = createCountingVerifier();
  const chain = await openTestChain(genesis, { signatures });
  const unmined = builder.build({ parent: root, unmined: true, transactions: [pay()] });
  assert.equal(await importOne(chain, unmined), "HDR-03 permanent");
  const easy = builder.build({
    parent: root,
    tweak: (core) => ({ ...core, difficulty: 1n }),
    transactions: [pay()],
  });
  assert.equal(await importOne(chain, easy), "HDR-05 permanent");
  assert.equal(signatures.asked, 0);
  const hard = builder.build({ parent: root, tweak: (core) => ({ ...core, difficulty: 17n }) });
  assert.equal(await importOne(chain, hard), "HDR-10 permanent");
  assert.equal(chain.tree.size, 1, "none of them is stored");
  await chain.close();
});

test("case 14: a timestamp too far ahead is refused now, for nobody's fault, and accepted when its time has come", async () => {
  const clock = createManualClock(spec.genesisTimestampMs + 1_000);
  const timestampMs = clock.nowMs() + spec.driftMs + 500;
  const block = createBlockBuilder(genesis).build({ timestampMs });
  const chain = await openTestChain(genesis, { clock });
  assert.equal(await importOne(chain, block), "HDR-09 transient");
  assert.equal(chain.checks.knownInvalid(block.header.id), undefined);
  clock.advance(499);
  assert.equal(await importOne(chain, block), "HDR-09 transient");
  clock.advance(1);
  assert.equal(await importOne(chain, block), "connected");
  await chain.close();
});

test("case 14: a timestamp that is not after its parent's is refused for good", async () => {
  const builder = createBlockBuilder(genesis);
  const block = builder.build({ timestampMs: spec.genesisTimestampMs });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, block), "HDR-08 permanent");
  assert.equal(chain.checks.knownInvalid(block.header.id)?.code, "HDR-08");
  await chain.close();
});

test("case 15: a body that is not the header's blames its sender and leaves the id usable", async () => {
  const block = createBlockBuilder(genesis).build({ transactions: [pay()] });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, withBody(block, [])), "BLK-02 mutated");
  assert.equal(
    await importOne(chain, withBody(block, block.transactions, Uint8Array.of(1))),
    "BLK-05 mutated",
  );
  assert.equal(chain.checks.knownInvalid(block.header.id), undefined);
  assert.equal(await importOne(chain, block), "connected");
  await chain.close();
});

test("case 15: a mutated body is refused also while the honest one is being imported, and after", async () => {
  const block = createBlockBuilder(genesis).build({ transactions: [pay()] });
  const chain = await openTestChain(genesis);
  const honest = chain.import(block, fromPeer("honest"));
  const mutated = chain.import(withBody(block, []), fromPeer("liar"));
  assert.deepEqual([outcome(await honest), outcome(await mutated)], ["connected", "BLK-02 mutated"]);
  await chain.close();
});

test("case 15: a wrong state root under a matching body is invalid for good", async () => {
  const builder = createBlockBuilder(genesis);
  const bad = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32) }) });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, bad), "STA-01 permanent");
  assert.equal(await importOne(chain, bad), "STA-01 permanent");
  assert.equal(await importOne(chain, builder.build()), "HDR-12 permanent");
  await chain.close();
});

test("case 16: an altered signature, a transaction dropped, doubled or reordered: refused, the honest body accepted after", async () => {
  const [a, b] = [pay(), pay({ from: "bob", to: "carol" })];
  const block = createBlockBuilder(genesis).build({ transactions: [a, b] });
  const { transaction } = a;
  // A signature of somebody's own making over the same body: another leaf, the same txid.
  const other = sealTransaction({ ...transaction, signature: b.transaction.signature });
  const alsoValid = signAgain(a, seedOf("alice"));
  assert.deepEqual([other.txid, alsoValid.txid], [a.txid, a.txid]);
  const { signatureBytes, txidBytes, senderBytes } = alsoValid;
  assert.ok(verifySignature(signatureBytes, signingMessage(txidBytes), senderBytes));
  assert.notEqual(alsoValid.leaf, a.leaf);
  const chain = await openTestChain(genesis);
  for (const body of [
    [other, b],
    [alsoValid, b],
    [a],
    [b],
    [a, a, b],
    [a, b, b],
    [b, a],
    [],
    [a, b, pay({ nonce: 1 })],
  ]) {
    assert.equal(await importOne(chain, withBody(block, body)), "BLK-02 mutated");
  }
  assert.equal(await importOne(chain, block), "connected");
  await chain.close();
});

test("case 16: either of two valid signatures makes a valid block, and both in one block are one transaction too many", async () => {
  const first = pay();
  const second = signAgain(first, seedOf("alice"));
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const chain = await openTestChain(genesis);
  const withBoth = builder.build({
    parent: root,
    transactions: [first],
    tweak: (core) => ({ ...core, transactionsRoot: transactionsRoot([first, second]) }),
  });
  assert.equal(await importOne(chain, withBody(withBoth, [first, second])), "BLK-04 permanent");
  for (const [i, transaction] of [first, second].entries()) {
    const block = builder.build({ parent: root, transactions: [transaction], proposer: `miner ${i}` });
    assert.match(await importOne(chain, block), /^(connected|side)$/);
  }
  await chain.close();
});

test("case 16: a forged signature does not pass on the good name of a valid one for the same body", async () => {
  const honest = pay();
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const good = builder.build({ parent: root, transactions: [honest] });
  const forged = sealTransaction({ ...honest.transaction, signature: new Uint8Array(64).fill(3) });
  const bad = builder.build({ parent: root, transactions: [forged], proposer: "bob" });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, good), "connected");
  assert.equal(await importOne(chain, bad), "TX-03 permanent");
  assert.equal(await importOne(chain, bad), "TX-03 permanent");
  await chain.close();
});

test("case 17: a non-canonical encoding is no block, whatever came first; the canonical one is accepted after", async () => {
  const transaction = pay({ memo: "hello" });
  const block = createBlockBuilder(genesis).build({ transactions: [transaction] });
  const gap = Uint8Array.of(...transaction.bytes.subarray(0, 68), 0, ...transaction.bytes.subarray(68));
  gap[0] = 69;
  assert.equal(decodeTransaction(gap), undefined);
  const { bodyBytes } = block;
  assert.equal(
    decodeBody(Uint8Array.of(...bodyBytes, 0))?.engineData.length,
    1,
    "trailing bytes are engine data",
  );
  const loose = Uint8Array.of(9, 0, 0, 0, ...bodyBytes.subarray(4, 8), 0, ...bodyBytes.subarray(8));
  assert.equal(decodeBody(loose), undefined);
  const chain = await openTestChain(genesis);
  const trailing = decodeBody(Uint8Array.of(...bodyBytes, 0));
  assert.ok(trailing);
  assert.equal(await importOne(chain, assembleBlock(block.header, trailing)), "BLK-05 mutated");
  const decoded = decodeBody(bodyBytes);
  assert.ok(decoded);
  assert.equal(await importOne(chain, assembleBlock(block.header, decoded)), "connected");
  await chain.close();
});

test("case 18: a body at the size limit is accepted, one byte more is refused for good", async () => {
  const on = testGenesis({ maxBlockBytes: 1_024 });
  const filled = (lastMemo: number): SealedTransaction[] =>
    [64, 64, 52, 0].map((length, nonce) =>
      transfer(on, {
        from: "alice",
        to: "bob",
        amount: 5,
        nonce,
        memo: "m".repeat(nonce === 3 ? lastMemo : length),
      }),
    );
  const builder = createBlockBuilder(on);
  const root = builder.tip;
  const [fits, over] = [0, 1].map((memo) => builder.build({ parent: root, transactions: filled(memo) }));
  assert.ok(fits && over);
  assert.deepEqual([fits.bodyBytes.length, over.bodyBytes.length], [1_024, 1_025]);
  const chain = await openTestChain(on);
  assert.equal(await importOne(chain, over), "BLK-03 permanent");
  assert.equal(await importOne(chain, fits), "connected");
  await chain.close();
});

test("case 19: overspending, a nonce twice, spending before the funds arrive: refused; in the right order: accepted", async () => {
  const fund = pay({ to: "dave", amount: 100_000 });
  const spend = pay({ from: "dave", amount: 50_000, fee: 30_000 });
  const cases: [string, SealedTransaction[], string][] = [
    ["overspend", [pay({ amount: 1_000 * 100_000_000 })], "TX-09 permanent"],
    ["overspend by two", [pay({ amount: 6e10 }), pay({ amount: 6e10, nonce: 1 })], "TX-09 permanent"],
    ["nonce twice", [pay(), pay({ to: "carol" })], "TX-08 permanent"],
    ["nonce left out", [pay({ nonce: 1 })], "TX-08 permanent"],
    ["before the funds", [spend, fund], "TX-09 permanent"],
    ["creation not paid", [pay({ to: "dave", fee: 205 })], "TX-10 permanent"],
    ["expired", [pay({ expiry: 0 })], "TX-07 permanent"],
  ];
  for (const [name, transactions, expected] of cases) {
    const chain = await openTestChain(genesis);
    const block = createBlockBuilder(genesis).build({ transactions, skipExecution: true });
    assert.equal(await importOne(chain, block), expected, name);
    assert.equal(chain.tree.get(block.header.id)?.status, "invalid");
    await chain.close();
  }
  const chain = await openTestChain(genesis);
  const block = createBlockBuilder(genesis).build({ transactions: [fund, spend] });
  assert.equal(await importOne(chain, block), "connected");
  await chain.close();
});

test("case 20: what is valid only on the other branch is refused on this one", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const left = builder.build({ parent: root, transactions: [pay({ to: "dave", amount: 100_000 })] });
  const spend = pay({ from: "dave", amount: 1, fee: 30_000 });
  const right = builder.build({ parent: root, proposer: "bob" });
  const wrong = builder.build({ parent: right.header.id, transactions: [spend], skipExecution: true });
  const good = builder.build({ parent: left.header.id, transactions: [spend] });
  const chain = await openTestChain(genesis);
  await importAll(chain, [left, right]);
  assert.equal(await importOne(chain, wrong), "TX-09 permanent");
  assert.equal(await importOne(chain, good), "connected");
  await chain.close();
});

test("case 20: an old transfer cannot be played again, not even after its sender sent everything and came back", async () => {
  const builder = createBlockBuilder(genesis);
  const once = pay({ from: "bob", to: "dave", amount: 100_000 });
  const balance = builder.account(builder.tip, "bob")?.balance ?? 0;
  const everything = pay({
    from: "bob",
    to: "alice",
    amount: balance - 100_000 - 2 * once.transaction.body.fee,
    nonce: 1,
    fee: once.transaction.body.fee,
  });
  const back = pay({ from: "alice", to: "bob", amount: 1_000_000 });
  const blocks = [builder.build({ transactions: [once, everything] })];
  assert.equal(builder.account(builder.tip, "bob")?.balance, 0);
  blocks.push(builder.build({ transactions: [back] }));
  const replay = builder.build({ transactions: [once], skipExecution: true });
  const chain = await openTestChain(genesis);
  await importAll(chain, blocks);
  assert.equal(await importOne(chain, replay), "TX-08 permanent");
  await chain.close();
});

test("case 20: a transfer of another network is refused from its body alone", async () => {
  const other = testGenesis({ salt: "00".repeat(15).concat("01") });
  const foreign = transfer(other, { from: "alice", to: "bob", amount: 5, nonce: 0 });
  const block = createBlockBuilder(genesis).build({ transactions: [foreign], skipExecution: true });
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, block), "TX-02 permanent");
  await chain.close();
});

test("a block that names our chain but another network's parent is an orphan, not an offence", async () => {
  const stranger = createBlockBuilder(testGenesis({ salt: "00".repeat(15).concat("02") })).build();
  const core = {
    ...stranger.header.header.core,
    chain: genesis.chainId,
    transactionsRoot: transactionsRoot([]),
  };
  const block = assembleBlock(mineHeader(core), encodeBody([], none));
  const chain = await openTestChain(genesis);
  assert.equal(await importOne(chain, block), "HDR-11 transient");
  assert.equal(await importOne(chain, stranger), "HDR-04 permanent");
  await chain.close();
});
