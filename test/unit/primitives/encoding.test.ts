import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  BlockBodySsz,
  decodeBody,
  decodeHeader,
  decodeTransaction,
  encodeBody,
  HEADER_BYTES,
  HeaderSsz,
  MAX_MEMO_BYTES,
  sealHeader,
  sealTransaction,
  TransactionSsz,
  Uint64,
} from "../../../src/primitives/index.ts";
import * as arbitrary from "../../support/arbitraries.ts";
import {
  blockBodyBytes,
  headerBytes,
  isBlockBody,
  isHeader,
  isTransaction,
  littleEndian,
  transactionBytes,
} from "../../support/reference-codec.ts";

const SEED = 20_260_101;
const plainBody = ({ body }: Parameters<typeof sealTransaction>[0]) => ({ ...body, ...body.action.value });

test("a header's bytes are the fields in order, little-endian, and decode to the same header", () => {
  fc.assert(
    fc.property(arbitrary.header, (header) => {
      const sealed = sealHeader(header);
      assert.deepEqual(sealed.bytes, headerBytes(header));
      assert.deepEqual(decodeHeader(sealed.bytes), sealed);
    }),
    { seed: SEED, numRuns: 300 },
  );
  assert.equal(HEADER_BYTES, 268);
});

test("a transaction's bytes are as documented, and decode to the same transaction", () => {
  fc.assert(
    fc.property(arbitrary.transaction, (transaction) => {
      const sealed = sealTransaction(transaction);
      assert.deepEqual(sealed.bytes, transactionBytes(plainBody(transaction), transaction.signature));
      const decoded = decodeTransaction(sealed.bytes);
      assert.ok(decoded !== undefined);
      assert.deepEqual([decoded.txid, decoded.leaf], [sealed.txid, sealed.leaf]);
      assert.deepEqual(sealTransaction(decoded.transaction).bytes, sealed.bytes);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test("damaged headers decode exactly where they are still headers, and encode back to the same bytes", () => {
  fc.assert(
    fc.property(arbitrary.header, fc.array(arbitrary.damage, { maxLength: 3 }), (header, damages) => {
      const bytes = damages.reduce((current, damage) => damage(current), sealHeader(header).bytes);
      const decoded = decodeHeader(bytes);
      assert.equal(decoded !== undefined, isHeader(bytes));
      if (decoded !== undefined) assert.deepEqual(HeaderSsz.serialize(decoded.header), bytes);
    }),
    { seed: SEED, numRuns: 3_000 },
  );
});

test("damaged transactions decode exactly where they are still transactions, and encode back to the same bytes", () => {
  fc.assert(
    fc.property(
      arbitrary.transaction,
      fc.array(arbitrary.damage, { maxLength: 3 }),
      (transaction, damages) => {
        const bytes = damages.reduce(
          (current, damage) => damage(current),
          sealTransaction(transaction).bytes,
        );
        const decoded = decodeTransaction(bytes);
        assert.equal(decoded !== undefined, isTransaction(bytes));
        if (decoded !== undefined) assert.deepEqual(TransactionSsz.serialize(decoded.transaction), bytes);
      },
    ),
    { seed: SEED, numRuns: 5_000 },
  );
});

test("damaged bodies decode exactly where they are still bodies, and encode back to the same bytes", () => {
  fc.assert(
    fc.property(
      fc.array(arbitrary.transaction, { maxLength: 3 }),
      fc.uint8Array({ maxLength: 20 }),
      fc.array(arbitrary.damage, { maxLength: 3 }),
      (transactions, engineData, damages) => {
        const whole = encodeBody(transactions.map(sealTransaction), engineData);
        const parts = whole.transactions.map(({ bytes }) => bytes);
        assert.deepEqual(whole.bodyBytes, blockBodyBytes(parts, engineData));
        const bytes = damages.reduce((current, damage) => damage(current), whole.bodyBytes);
        const decoded = decodeBody(bytes);
        assert.equal(decoded !== undefined, isBlockBody(bytes));
        if (decoded === undefined) return;
        assert.deepEqual(encodeBody(decoded.transactions, decoded.engineData).bodyBytes, bytes);
      },
    ),
    { seed: SEED, numRuns: 5_000 },
  );
});

test("random bytes never make a decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const decode of [decodeHeader, decodeTransaction, decodeBody]) decode(bytes);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

test("a uint64 above 2^53 - 1 is refused, wherever it stands", () => {
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    assert.throws(() => Uint64.deserialize(littleEndian(value, 8)), RangeError);
  }
  assert.equal(Uint64.deserialize(littleEndian(2n ** 53n - 1n, 8)), Number.MAX_SAFE_INTEGER);
  const [header] = fc.sample(arbitrary.header, { seed: SEED, numRuns: 1 });
  const [transaction] = fc.sample(arbitrary.transaction, { seed: SEED, numRuns: 1 });
  assert.ok(header && transaction);
  for (const at of [36, 76, 260]) {
    const bytes = sealHeader(header).bytes.slice();
    bytes.set(littleEndian(2n ** 53n, 8), at);
    assert.equal(decodeHeader(bytes), undefined, `header field at ${at}`);
  }
  for (const at of [132, 140, 148, 193]) {
    const bytes = sealTransaction(transaction).bytes.slice();
    bytes.set(littleEndian(2n ** 53n, 8), at);
    assert.equal(decodeTransaction(bytes), undefined, `transaction field at ${at}`);
  }
});

test("offsets that leave a gap, overlap or point outside, trailing bytes, other selectors and long memos are refused", () => {
  const [sample] = fc.sample(arbitrary.transaction, { seed: SEED, numRuns: 1 });
  assert.ok(sample);
  const plain = { ...plainBody(sample), memo: new Uint8Array(MAX_MEMO_BYTES) };
  const bytes = transactionBytes(plain, sample.signature);
  assert.ok(decodeTransaction(bytes));
  const changed = (at: number, part: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    copy.set(part, at);
    return copy;
  };
  const wrong: Record<string, Uint8Array> = {
    "body offset too low": changed(0, littleEndian(67, 4)),
    "body offset too high": changed(0, littleEndian(69, 4)),
    "body offset outside": changed(0, littleEndian(0xffff_ffff, 4)),
    "action offset": changed(156, littleEndian(93, 4)),
    "memo offset": changed(201, littleEndian(45, 4)),
    "selector 1": changed(160, Uint8Array.of(1)),
    "selector 127": changed(160, Uint8Array.of(127)),
    "selector 255": changed(160, Uint8Array.of(255)),
    "memo one too long": transactionBytes(
      { ...plain, memo: new Uint8Array(MAX_MEMO_BYTES + 1) },
      sample.signature,
    ),
    empty: new Uint8Array(),
  };
  for (const [name, wrongBytes] of Object.entries(wrong)) {
    assert.equal(decodeTransaction(wrongBytes), undefined, name);
  }
  const body = blockBodyBytes([bytes, bytes], new Uint8Array());
  assert.ok(decodeBody(body));
  assert.equal(
    decodeBody(blockBodyBytes([bytes, new Uint8Array()], new Uint8Array())),
    undefined,
    "an empty element",
  );
  assert.equal(decodeBody(blockBodyBytes([], new Uint8Array(65_537))), undefined, "too much engine data");
  assert.equal(decodeBody(new Uint8Array()), undefined, "no body at all");
});

test("claimed lengths cost no memory: a first offset of 4 GiB is refused by its own bytes", () => {
  const bytes = blockBodyBytes([], new Uint8Array(8));
  bytes.set(littleEndian(16, 4), 4);
  bytes.set(littleEndian(0xffff_fffc, 4), 8);
  assert.equal(decodeBody(bytes), undefined);
});

test("more than 65,536 transactions are refused", () => {
  const transactions = Array.from({ length: 65_537 }, () => new Uint8Array());
  const bytes = blockBodyBytes(transactions, new Uint8Array());
  assert.throws(() => BlockBodySsz.deserialize(bytes));
  assert.equal(decodeBody(bytes), undefined);
});
