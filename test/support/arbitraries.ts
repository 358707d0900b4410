import fc from "fast-check";
import type { Header, Transaction } from "../../src/primitives/index.ts";

/** Objects like those in the code: with Object's prototype, so that deepEqual compares only what counts. */
const plain = { noNullPrototype: true } as const;

/** Bytes that are often zero or all ones, where encodings go wrong. */
export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ minLength: length, maxLength: length }) },
    fc.constant(new Uint8Array(length)),
    fc.constant(new Uint8Array(length).fill(0xff)),
  );

/** Any uint64 that the formats allow, its edges often. */
export const safeUint64: fc.Arbitrary<number> = fc.oneof(
  fc.nat(1_000),
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

export const header: fc.Arbitrary<Header> = fc.record(
  {
    core: fc.record(
      {
        rulesVersion: fc.nat(0xffff_ffff),
        chain: bytesOf(32),
        height: safeUint64,
        parent: bytesOf(32),
        timestampMs: safeUint64,
        transactionsRoot: bytesOf(32),
        stateRoot: bytesOf(32),
        proposer: bytesOf(32),
        difficulty: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
        engineRoot: bytesOf(32),
        extra: bytesOf(32),
      },
      plain,
    ),
    nonce: safeUint64,
  },
  plain,
);

export const transaction: fc.Arbitrary<Transaction> = fc.record(
  {
    body: fc.record(
      {
        chain: bytesOf(32),
        sender: bytesOf(32),
        nonce: safeUint64,
        fee: safeUint64,
        expiry: safeUint64,
        action: fc.record(
          {
            selector: fc.constant(0 as const),
            value: fc.record(
              { to: bytesOf(32), amount: safeUint64, memo: fc.uint8Array({ maxLength: 64 }) },
              plain,
            ),
          },
          plain,
        ),
      },
      plain,
    ),
    signature: bytesOf(64),
  },
  plain,
);

/** One way of damaging a byte string, aimed at offsets, lengths and integers. */
export const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .record({
    kind: fc.constantFrom("none", "set", "word", "cut", "append", "insert", "remove"),
    at: fc.nat(0xffff),
    byte: fc.nat(255),
    word: fc.oneof(fc.nat(300), fc.nat(0xffff_ffff)),
    extra: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  })
  .map(({ kind, at, byte, word, extra }) => (bytes: Uint8Array) => {
    const place = bytes.length === 0 ? 0 : at % bytes.length;
    const copy = bytes.slice();
    switch (kind) {
      case "set":
        if (copy.length > 0) copy[place] = byte;
        return copy;
      case "word":
        for (let i = 0; i < 4 && place + i < copy.length; i++) copy[place + i] = (word >>> (8 * i)) & 0xff;
        return copy;
      case "cut":
        return copy.slice(0, place);
      case "append":
        return Uint8Array.of(...copy, ...extra);
      case "insert":
        return Uint8Array.of(...copy.slice(0, place), ...extra, ...copy.slice(place));
      case "remove":
        return Uint8Array.of(...copy.slice(0, place), ...copy.slice(place + extra.length));
      default:
        return copy;
    }
  });
