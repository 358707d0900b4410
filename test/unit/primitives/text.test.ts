import assert from "node:assert/strict";
import { test } from "node:test";
import { bech32, bech32m } from "@scure/base";
import fc from "fast-check";
import {
  addAmounts,
  bigintFromBytes,
  bigintToBytes,
  bytesToHex,
  compareBytes,
  decodeAddress,
  encodeAddress,
  formatCoins,
  hashNodes,
  hashNodesPortable,
  hashPair,
  hexToBytes,
  MAX_AMOUNT,
  parseCoins,
} from "../../../src/primitives/index.ts";
import * as arbitrary from "../../support/arbitraries.ts";
import { sha256 } from "../../support/reference-codec.ts";

const SEED = 20_260_103;
const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

test("an address decodes to the key it was made of, in either case", () => {
  fc.assert(
    fc.property(arbitrary.bytesOf(32), (key) => {
      const address = encodeAddress(key);
      assert.match(address, /^cum1[02-9ac-hj-np-z]{58}$/);
      assert.deepEqual(decodeAddress(address), key);
      assert.deepEqual(decodeAddress(address.toUpperCase()), key);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("any one mistyped character of an address is noticed, and so is any swap of neighbours", () => {
  const address = encodeAddress(new Uint8Array(32).fill(7));
  for (let at = 0; at < address.length; at++) {
    for (const letter of LETTERS) {
      if (letter === address[at]) continue;
      const wrong = address.slice(0, at) + letter + address.slice(at + 1);
      assert.equal(decodeAddress(wrong), undefined, wrong);
    }
    const swapped =
      address.slice(0, at) + (address[at + 1] ?? "") + (address[at] ?? "") + address.slice(at + 2);
    if (swapped !== address) assert.equal(decodeAddress(swapped), undefined, swapped);
  }
});

test("what BIP 350 forbids is no address: the old checksum, mixed case, other prefix, other length, loose padding", () => {
  const key = new Uint8Array(32).fill(7);
  const good = encodeAddress(key);
  const wrong: Record<string, string> = {
    "bech32 instead of bech32m": bech32.encode("cum", bech32.toWords(key)),
    "mixed case": `${good.slice(0, 10)}${good.slice(10).toUpperCase()}`,
    "another prefix": bech32m.encode("cun", bech32m.toWords(key)),
    "31 bytes": bech32m.encode("cum", bech32m.toWords(key.subarray(1))),
    "33 bytes": bech32m.encode("cum", bech32m.toWords(new Uint8Array(33))),
    "padding that is not zero": bech32m.encode("cum", [...bech32m.toWords(key).slice(0, -1), 31]),
    "a whole word too much": bech32m.encode("cum", [...bech32m.toWords(key), 0]),
    "no separator": good.replace("1", ""),
    "a space": ` ${good}`,
    "a line end": `${good}\n`,
    "the q that bech32 let in before a final p": good.replace(/(.)$/, "q$1"),
    empty: "",
    "only a prefix": "cum1",
  };
  for (const [name, text] of Object.entries(wrong)) assert.equal(decodeAddress(text), undefined, name);
  // BIP 350, "Test vectors for Bech32m": valid checksums, all of other prefixes.
  for (const text of ["A1LQFN3A", "a1lqfn3a", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", "?1v759aa"]) {
    assert.doesNotThrow(() => bech32m.decode(text as "a1b"));
    assert.equal(decodeAddress(text), undefined, text);
  }
});

test("coins are parsed exactly, with at most 8 decimals and below 2^53 units", () => {
  const good: [string, number][] = [
    ["0", 0],
    ["1", 100_000_000],
    ["12", 1_200_000_000],
    ["0.5", 50_000_000],
    ["0.00000001", 1],
    ["007", 700_000_000],
    ["1.10", 110_000_000],
    ["90071992.54740991", MAX_AMOUNT],
  ];
  for (const [text, units] of good) assert.equal(parseCoins(text), units, text);
  const bad = [
    "",
    ".",
    "1.",
    ".5",
    "-1",
    "+1",
    "1e3",
    "0x10",
    " 1",
    "1 ",
    "1,5",
    "1.123456789",
    "NaN",
    "Infinity",
  ];
  for (const text of [...bad, "90071992.54740992", "999999999", "9999999999", "1\n", "１"]) {
    assert.equal(parseCoins(text), undefined, JSON.stringify(text));
  }
});

test("every amount is written as coins that parse back to it", () => {
  fc.assert(
    fc.property(arbitrary.safeUint64, (units) => {
      const text = formatCoins(units);
      assert.equal(parseCoins(text), units);
      assert.doesNotMatch(text, /\.\d*0$|\.$/);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
  assert.equal(formatCoins(150_000_000), "1.5");
  assert.equal(formatCoins(MAX_AMOUNT), "90071992.54740991");
});

test("sums of amounts end at 2^53 - 1", () => {
  assert.equal(addAmounts(MAX_AMOUNT - 1, 1), MAX_AMOUNT);
  assert.equal(addAmounts(MAX_AMOUNT, 1), undefined);
  assert.equal(addAmounts(MAX_AMOUNT, MAX_AMOUNT), undefined);
});

test("bytes order and big integers agree", () => {
  fc.assert(
    fc.property(arbitrary.bytesOf(8), arbitrary.bytesOf(8), (a, b) => {
      const difference = bigintFromBytes(a) - bigintFromBytes(b);
      assert.equal(Math.sign(compareBytes(a, b)), difference > 0n ? 1 : difference < 0n ? -1 : 0);
      assert.deepEqual(bigintToBytes(bigintFromBytes(a), 8), a);
    }),
    { seed: SEED, numRuns: 500 },
  );
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0);
});

test("bytes read back from their hex, in either case; what is not hex is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      const hex = bytesToHex(bytes);
      assert.equal(hex, Buffer.from(bytes).toString("hex"));
      assert.deepEqual(hexToBytes(hex), bytes);
      assert.deepEqual(hexToBytes(hex.toUpperCase()), bytes);
    }),
    { seed: SEED, numRuns: 200 },
  );
  for (const text of ["0", "abc", "0g", "g0", "0x00", " 00", "00\n", "é0", "0\u{1f600}", "\u0130\u0130"])
    assert.throws(() => hexToBytes(text), RangeError, JSON.stringify(text));
});

test("the native and the portable hasher give the hashes of a third implementation for any number of nodes", (t) => {
  if (hashNodes === hashNodesPortable)
    t.diagnostic("no native hasher on this machine: only the portable one was tested");
  fc.assert(
    fc.property(fc.nat(40), fc.infiniteStream(fc.nat(255)), (count, stream) => {
      const input = Uint8Array.from({ length: count * 64 }, () => stream.next().value as number);
      const [fast, portable] = [new Uint8Array(count * 32), new Uint8Array(count * 32)];
      hashNodes(input, fast);
      hashNodesPortable(input, portable);
      const expected = Array.from({ length: count }, (_, i) => [
        ...sha256(input.subarray(i * 64, i * 64 + 64)),
      ]);
      assert.deepEqual(fast, Uint8Array.from(expected.flat()));
      assert.deepEqual(portable, fast);
      if (count > 0) assert.deepEqual(hashPair(input.slice(0, 32), input.slice(32, 64)), fast.slice(0, 32));
    }),
    { seed: SEED, numRuns: 100 },
  );
});
