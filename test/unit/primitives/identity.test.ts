import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  BlockBodySsz,
  bytesToHex,
  encodeBody,
  HeaderCoreSsz,
  HeaderSsz,
  hashPair,
  headerCoreRoot,
  LeavesSsz,
  leavesRoot,
  sealHeader,
  sealTransaction,
  signingMessage,
  type Transaction,
  transactionId,
  transactionsRoot,
  uint64Chunk,
} from "../../../src/primitives/index.ts";
import * as arbitrary from "../../support/arbitraries.ts";
import { headerId, listRoot, sha256, toHex, transactionBodyBytes } from "../../support/reference-codec.ts";

const SEED = 20_260_102;
const sampleTransaction = (): Transaction => {
  const [sample] = fc.sample(arbitrary.transaction, { seed: SEED, numRuns: 1 });
  if (sample === undefined) throw new Error("no sample");
  return sample;
};

test("a block id is hash_tree_root of the whole SSZ header, and one 64-byte hash over core root and nonce", () => {
  fc.assert(
    fc.property(arbitrary.header, (header) => {
      const sealed = sealHeader(header);
      assert.equal(sealed.id, bytesToHex(HeaderSsz.hashTreeRoot(header)));
      assert.equal(sealed.id, toHex(headerId(header)));
      assert.equal(sealed.id, bytesToHex(hashPair(headerCoreRoot(header.core), uint64Chunk(header.nonce))));
      assert.deepEqual(headerCoreRoot(header.core), HeaderCoreSsz.hashTreeRoot(header.core));
      assert.equal(sealed.parent, toHex(header.core.parent));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test("two signatures of one body share the txid and differ in the leaf", () => {
  const transaction = sampleTransaction();
  const other = { ...transaction, signature: transaction.signature.map((byte) => byte ^ 0x55) };
  const [a, b] = [sealTransaction(transaction), sealTransaction(other)];
  assert.equal(a.txid, b.txid);
  assert.notEqual(a.leaf, b.leaf);
  assert.notEqual(bytesToHex(transactionsRoot([a])), bytesToHex(transactionsRoot([b])));
});

test("the txid is the hash of the serialized body, the leaf that of the serialized transaction", () => {
  fc.assert(
    fc.property(arbitrary.transaction, (transaction) => {
      const sealed = sealTransaction(transaction);
      const { body } = transaction;
      assert.equal(sealed.txid, toHex(sha256(transactionBodyBytes({ ...body, ...body.action.value }))));
      assert.deepEqual(transactionId(body), sealed.txidBytes);
      assert.equal(sealed.leaf, toHex(sha256(sealed.bytes)));
      assert.equal(sealed.sender, toHex(body.sender));
      assert.equal(sealed.recipient, toHex(body.action.value.to));
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("a signature signs the tag cumulo/tx/1 and the txid", () => {
  const { txidBytes } = sealTransaction(sampleTransaction());
  assert.equal(
    toHex(signingMessage(txidBytes)),
    Buffer.from("cumulo/tx/1", "ascii").toString("hex") + toHex(txidBytes),
  );
});

test("the transactions root is that of List[Bytes32, 2^16] over the leaves", () => {
  for (const count of [0, 1, 2, 3, 5, 16, 33, 1_000, 65_536]) {
    const leaves = Array.from({ length: count }, (_, i) => sha256(Uint8Array.of(i)));
    const expected = toHex(listRoot(leaves, 16));
    assert.equal(toHex(leavesRoot(leaves)), expected);
    assert.equal(toHex(transactionsRoot(leaves.map((leafBytes) => ({ leafBytes })))), expected);
    assert.equal(toHex(LeavesSsz.hashTreeRoot(leaves)), expected);
  }
});

test("the root says how many leaves there are: a zero leaf, or the last one doubled, gives another root", () => {
  const leaves = [1, 2, 3].map((i) => sha256(Uint8Array.of(i)));
  const last = leaves[2] ?? new Uint8Array(32);
  const roots = [leaves, [...leaves, last], [...leaves, new Uint8Array(32)], leaves.slice(0, 2)].map((list) =>
    toHex(leavesRoot(list)),
  );
  assert.equal(new Set(roots).size, roots.length);
});

test("a body's bytes do not depend on typing transactions as opaque byte lists", () => {
  const transactions = [sealTransaction(sampleTransaction())];
  const { bodyBytes } = encodeBody(transactions, new Uint8Array());
  const size = transactions[0]?.bytes.length ?? 0;
  assert.equal(bodyBytes.length, 8 + 4 + size);
  assert.deepEqual(BlockBodySsz.deserialize(bodyBytes).transactions[0], transactions[0]?.bytes);
});
