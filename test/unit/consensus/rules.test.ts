import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkBodySanity,
  checkHeaderContext,
  checkHeaderSanity,
  RULES,
  refuse,
  refuseForNow,
  refuseMutated,
  type Verdict,
} from "../../../src/consensus/index.ts";
import {
  assembleBlock,
  type Block,
  encodeBody,
  type HeaderCore,
  type SealedTransaction,
  sealHeader,
  sealTransaction,
  transactionsRoot,
} from "../../../src/primitives/index.ts";
import { createBlockBuilder, mineHeader, testGenesis, transfer } from "../../support/block-builder.ts";

const genesis = testGenesis({ activations: [{ rulesVersion: 2, height: 5 }], maxBlockBytes: 1_024 });
const { spec, chainId } = genesis;
const rules = { spec, chainId };
const builder = createBlockBuilder(genesis);
const root = builder.tip;
const honest = builder.build();
const child = builder.build();
const nowMs = spec.genesisTimestampMs + 10 * spec.intervalMs;

const coreOf = (block: Block): HeaderCore => block.header.header.core;
const short = (verdict: Verdict): string =>
  verdict.ok ? "ok" : `${verdict.code} ${verdict.mutated === true ? "mutated" : verdict.permanence}`;
const sanity = (change: Partial<HeaderCore>): string =>
  short(checkHeaderSanity(rules, mineHeader({ ...coreOf(honest), ...change })));
const context = (change: Partial<HeaderCore>, clockMs = nowMs): string =>
  short(
    checkHeaderContext(
      spec,
      sealHeader({ core: { ...coreOf(child), ...change }, nonce: 0 }),
      coreOf(honest),
      coreOf(genesis.block),
      clockMs,
    ),
  );
const bytes32 = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

test("an honest header passes sanity and context", () => {
  assert.equal(sanity({}), "ok");
  assert.equal(context({}), "ok");
});

test("HDR-02: another rules version than the height's is refused, before and after an activation", () => {
  assert.equal(sanity({ rulesVersion: 2 }), "HDR-02 permanent");
  assert.equal(sanity({ rulesVersion: 0 }), "HDR-02 permanent");
  assert.equal(sanity({ height: 4, rulesVersion: 1 }), "ok");
  assert.equal(sanity({ height: 5, rulesVersion: 1 }), "HDR-02 permanent");
  assert.equal(sanity({ height: 5, rulesVersion: 2 }), "ok");
});

test("HDR-03: an id that is not below the target is refused", () => {
  assert.equal(short(checkHeaderSanity(rules, mineHeader(coreOf(honest), false))), "HDR-03 permanent");
  const boast = sealHeader({ core: { ...coreOf(honest), difficulty: 2n ** 100n }, nonce: 0 });
  assert.equal(short(checkHeaderSanity(rules, boast)), "HDR-03 permanent");
});

test("HDR-04: another chain id is refused, genesis' own zero too", () => {
  assert.equal(sanity({ chain: bytes32(0) }), "HDR-04 permanent");
  assert.equal(sanity({ chain: bytes32(9) }), "HDR-04 permanent");
});

test("HDR-05: a difficulty below genesis' is refused, 0 and 1 included, however good the id", () => {
  for (const difficulty of [1n, 15n]) assert.equal(sanity({ difficulty }), "HDR-05 permanent");
  const zero = sealHeader({ core: { ...coreOf(honest), difficulty: 0n }, nonce: 0 });
  assert.equal(short(checkHeaderSanity(rules, zero)), "HDR-05 permanent");
});

test("HDR-06: an engine root under proof of work is refused", () => {
  assert.equal(sanity({ engineRoot: bytes32(1) }), "HDR-06 permanent");
});

test("HDR-07: a height other than the parent's plus one is refused, 0 from the header alone", () => {
  assert.equal(sanity({ height: 0 }), "HDR-07 permanent");
  assert.equal(context({ height: 3 }), "HDR-07 permanent");
  assert.equal(context({ height: 1 }), "HDR-07 permanent");
});

test("HDR-08: a timestamp that is not after the parent's is refused for good", () => {
  const { timestampMs } = coreOf(honest);
  assert.equal(context({ timestampMs }), "HDR-08 permanent");
  assert.equal(context({ timestampMs: timestampMs - 1 }), "HDR-08 permanent");
  assert.equal(context({ timestampMs: timestampMs + 1 }), "ok");
});

test("HDR-09: a timestamp too far ahead is refused for now; exactly the drift is accepted", () => {
  const timestampMs = nowMs + spec.driftMs;
  assert.equal(context({ timestampMs }), "ok");
  assert.equal(context({ timestampMs: timestampMs + 1 }), "HDR-09 transient");
  assert.equal(context({ timestampMs: timestampMs + 1 }, nowMs + 1), "ok");
  assert.equal(context({ timestampMs: Number.MAX_SAFE_INTEGER }), "HDR-09 transient");
});

test("HDR-10: a difficulty other than the ancestors demand is refused, higher ones too, and for good even ahead of time", () => {
  assert.equal(context({ difficulty: 17n }), "HDR-10 permanent");
  assert.equal(context({ difficulty: 2n ** 127n }), "HDR-10 permanent");
  assert.equal(context({ difficulty: 17n, timestampMs: Number.MAX_SAFE_INTEGER }), "HDR-10 permanent");
});

const pay = (nonce: number, memo = ""): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce, memo });
function blockOf(transactions: readonly SealedTransaction[], engineData = new Uint8Array()): Block {
  const core = { ...coreOf(honest), transactionsRoot: transactionsRoot(transactions) };
  return assembleBlock(sealHeader({ core, nonce: 0 }), encodeBody(transactions, engineData));
}
const body = (block: Block): string => short(checkBodySanity(spec, block));

test("an honest body passes", () => {
  assert.equal(body(blockOf([])), "ok");
  assert.equal(body(blockOf([pay(0), pay(1)])), "ok");
});

test("BLK-02: transactions dropped, doubled, reordered, replaced or with another signature: mutated", () => {
  const [a, b] = [pay(0), pay(1)];
  const { header } = blockOf([a, b]);
  const { transaction } = a;
  const resigned = sealTransaction({
    ...transaction,
    signature: transaction.signature.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
  });
  const others = [[], [a], [b], [b, a], [a, a], [a, b, b], [a, b, a], [a, pay(2)], [resigned, b]];
  for (const transactions of others) {
    const block = assembleBlock(header, encodeBody(transactions, new Uint8Array()));
    assert.equal(body(block), "BLK-02 mutated");
  }
});

test("BLK-03: a body at the size limit passes, one byte more is refused", () => {
  const sizeOf = (transactions: readonly SealedTransaction[]): number =>
    encodeBody(transactions, new Uint8Array()).bodyBytes.length;
  const base = [pay(0), pay(1), pay(2), pay(3)];
  const missing = 1_024 - sizeOf(base);
  const filled = base.map((transaction, i) => {
    const before = Math.min(64 * i, missing);
    const memo = "m".repeat(Math.min(64, missing - before));
    return memo === "" ? transaction : pay(i, memo);
  });
  assert.equal(sizeOf(filled), 1_024);
  assert.equal(body(blockOf(filled)), "ok");
  const over = [...filled.slice(0, 3), pay(3, "x")];
  assert.equal(sizeOf(over), 1_025);
  assert.equal(body(blockOf(over)), "BLK-03 permanent");
  const tight = { ...spec, maxBlockBytes: 1_023 };
  assert.equal(short(checkBodySanity(tight, blockOf(filled))), "BLK-03 permanent");
});

test("BLK-04: one transaction twice is refused for good where the header commits to it", () => {
  const once = pay(0);
  assert.equal(body(blockOf([once, once])), "BLK-04 permanent");
  const { transaction } = once;
  const resigned = sealTransaction({ ...transaction, signature: new Uint8Array(64).fill(1) });
  assert.equal(body(blockOf([once, resigned])), "BLK-04 permanent", "also with another signature");
});

test("BLK-05: engine data under proof of work, which no header commits to, is the sender's doing", () => {
  assert.equal(body(blockOf([], Uint8Array.of(1))), "BLK-05 mutated");
  assert.equal(body(blockOf([], new Uint8Array(2_000))), "BLK-05 mutated", "also beyond the size limit");
});

test("verdicts say what they are", () => {
  assert.deepEqual(refuse("TX-04", "d"), { ok: false, code: "TX-04", permanence: "permanent", detail: "d" });
  assert.equal(refuseForNow("HDR-09", "d").permanence, "transient");
  assert.equal(refuseMutated("BLK-02", "d").mutated, true);
  for (const [code, sentence] of Object.entries(RULES)) {
    assert.match(code, /^(HDR|BLK|TX|STA)-\d\d$/);
    assert.match(sentence, /^[a-zA-Z].*[a-z0-9]$/);
  }
  assert.equal(root, genesis.block.header.id);
});
