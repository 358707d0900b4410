import assert from "node:assert/strict";
import { test } from "node:test";
import { createTransactionBatcher } from "../../../src/network/gossip-transactions.ts";
import { decodeTransactionsMessage } from "../../../src/network/wire.ts";
import { createManualClock, createManualTimers } from "../../../src/ports/index.ts";
import { sampleTransaction } from "../../support/sample-chain.ts";

function create(maxBatchBytes?: number) {
  const timers = createManualTimers(createManualClock());
  const messages: Uint8Array[] = [];
  const batcher = createTransactionBatcher(
    { timers, publish: (message) => messages.push(message) },
    maxBatchBytes === undefined ? {} : { maxBatchBytes },
  );
  const published = () =>
    messages.map((message) => decodeTransactionsMessage(message)?.map((one) => one.transaction.body.nonce));
  return { timers, batcher, messages, published };
}

test("when idle a transaction is published at once", () => {
  const { batcher, published } = create();
  batcher.add([sampleTransaction(0)]);
  assert.deepEqual(published(), [[0]]);
});

test("under load transactions are collected for 20 ms, in order", () => {
  const { timers, batcher, published } = create();
  for (let nonce = 0; nonce < 4; nonce++) batcher.add([sampleTransaction(nonce)]);
  assert.deepEqual(published(), [[0]]);
  timers.advance(19);
  assert.deepEqual(published(), [[0]]);
  timers.advance(1);
  assert.deepEqual(published(), [[0], [1, 2, 3]]);
  batcher.add([sampleTransaction(4)]);
  assert.equal(published().length, 2);
  timers.advance(20);
  assert.deepEqual(published(), [[0], [1, 2, 3], [4]]);
});

test("after a quiet window it is idle again and no timer waits", () => {
  const { timers, batcher, published } = create();
  batcher.add([sampleTransaction(0)]);
  timers.advance(20);
  assert.equal(timers.pending, 0);
  batcher.add([sampleTransaction(1)]);
  assert.deepEqual(published(), [[0], [1]]);
});

test("a full batch does not wait, and no batch passes the limit", () => {
  const { batcher, messages, published } = create(1_000);
  batcher.add(Array.from({ length: 20 }, (_, nonce) => sampleTransaction(nonce)));
  assert.deepEqual(
    published().flat(),
    Array.from({ length: 20 }, (_, nonce) => nonce),
  );
  for (const message of messages) assert.ok(message.length <= 1_000);
});

test("one transaction longer than the limit goes alone", () => {
  const { batcher, published } = create(100);
  batcher.add([sampleTransaction(0), sampleTransaction(1)]);
  assert.deepEqual(published(), [[0], [1]]);
});

test("nothing added publishes nothing; stop publishes what waits and leaves no timer", () => {
  const { timers, batcher, published } = create();
  batcher.add([]);
  batcher.add([sampleTransaction(0)]);
  batcher.stop();
  assert.deepEqual(published(), [[0]]);
  assert.equal(timers.pending, 0);
  batcher.add([sampleTransaction(1)]);
  assert.equal(timers.pending, 0);
});
