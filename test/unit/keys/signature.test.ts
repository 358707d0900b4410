import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  generateKey,
  keyFromSeed,
  packSignatures,
  RECORD_BYTES,
  signTransaction,
  verifyPacked,
  verifySignature,
} from "../../../src/keys/index.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import { createInlineWorkerPool, createSeededRandom } from "../../../src/ports/index.ts";
import { hexToBytes, signingMessage, type TransactionBody, ZERO_32 } from "../../../src/primitives/index.ts";

const vectors = new URL("../../vectors/", import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, vectors), "utf8"));

interface Wycheproof {
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; msg: string; sig: string; result: string }[];
  }[];
}

const body = (sender: Uint8Array, nonce: number): TransactionBody => ({
  chain: ZERO_32,
  sender,
  nonce,
  fee: 300,
  expiry: 100,
  action: { selector: 0, value: { to: new Uint8Array(32).fill(7), amount: 1, memo: new Uint8Array() } },
});

describe("signatures", () => {
  it("all 151 Wycheproof cases come out as the file says", () => {
    const { testGroups } = read("wycheproof-ed25519_test.json") as Wycheproof;
    let count = 0;
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const valid = verifySignature(hexToBytes(sig), hexToBytes(msg), hexToBytes(publicKey.pk));
        assert.equal(valid, result === "valid", `case ${tcId}`);
        count++;
      }
    }
    assert.equal(count, 151);
  });

  it("of the ten speccheck cases only number 4 is valid", () => {
    const cases = read("ed25519-speccheck.json") as { message: string; pub_key: string; signature: string }[];
    const valid = cases.map(({ message, pub_key, signature }) =>
      verifySignature(hexToBytes(signature), hexToBytes(message), hexToBytes(pub_key)),
    );
    assert.deepEqual(valid, [false, false, false, true, false, false, false, false, false, false]);
  });

  it("wrong lengths are invalid and never throw", () => {
    const key = generateKey(createSeededRandom(1));
    const message = new Uint8Array([1, 2, 3]);
    const signature = key.sign(message);
    assert.equal(verifySignature(signature, message, key.publicKey), true);
    for (const length of [0, 1, 31, 33, 63, 65, 128]) {
      assert.equal(verifySignature(new Uint8Array(length), message, key.publicKey), false);
      assert.equal(verifySignature(signature, message, new Uint8Array(length)), false);
    }
    assert.equal(verifySignature(signature, new Uint8Array(), key.publicKey), false);
  });

  it("RFC 8032's first key signs the empty message as the RFC says", () => {
    const key = keyFromSeed(hexToBytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
    assert.deepEqual(
      key.publicKey,
      hexToBytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    );
    const expected =
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert.deepEqual(key.sign(new Uint8Array()), hexToBytes(expected));
    assert.throws(() => keyFromSeed(new Uint8Array(31)), RangeError);
  });

  it("a key that is serialized does not show its secret", () => {
    const key = generateKey(createSeededRandom(2));
    assert.ok(!JSON.stringify(key).includes(key.secretHex()));
  });

  it("a transaction is signed by its sender and nobody else", () => {
    const [alice, bob] = [generateKey(createSeededRandom(3)), generateKey(createSeededRandom(4))];
    const sealed = signTransaction(body(alice.publicKey, 0), alice);
    assert.equal(
      verifySignature(sealed.transaction.signature, signingMessage(sealed.txidBytes), alice.publicKey),
      true,
    );
    assert.throws(() => signTransaction(body(alice.publicKey, 0), bob), RangeError);
  });
});

describe("packed verification", () => {
  const key = generateKey(createSeededRandom(5));
  const packed = (): Uint8Array<ArrayBuffer> =>
    packSignatures(Array.from({ length: 5 }, (_, nonce) => signTransaction(body(key.publicKey, nonce), key)));

  it("answers one byte per record, in order", () => {
    const input = packed();
    assert.deepEqual(verifyPacked(input), new Uint8Array([1, 1, 1, 1, 1]));
    input[RECORD_BYTES + 40] = (input[RECORD_BYTES + 40] as number) ^ 1; // the second txid
    input[3 * RECORD_BYTES + 127] = 0xff; // the fourth signature's S
    assert.deepEqual(verifyPacked(input), new Uint8Array([1, 0, 1, 0, 1]));
  });

  it("an empty input has no answers, and a part of a record is invalid", () => {
    assert.deepEqual(verifyPacked(new Uint8Array()), new Uint8Array());
    assert.deepEqual(verifyPacked(packed().subarray(0, RECORD_BYTES + 5)), new Uint8Array([1, 0]));
  });

  it("runs as a worker task", async () => {
    const pool = createInlineWorkerPool(tasks);
    assert.deepEqual(await pool.run("verifySignatures", packed()), new Uint8Array([1, 1, 1, 1, 1]));
  });
});
