import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, encodeLength } from "../../../src/network/frames.ts";

const frame = (payload: Uint8Array) => Uint8Array.from([...encodeLength(payload.length), ...payload]);

test("a frame cut into any chunks comes out whole", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.array(fc.nat(5_000)), (payload, cuts) => {
      const bytes = frame(payload);
      const reader = createFrameReader(20_000);
      let result: Uint8Array | string | undefined;
      let offset = 0;
      for (const cut of [...cuts, bytes.length]) {
        if (result !== undefined) break;
        result = reader.push(bytes.subarray(offset, offset + cut + 1));
        offset += cut + 1;
      }
      assert.deepEqual(result, payload);
    }),
  );
});

test("lengths of one to four bytes are encoded and read", () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 2 ** 28 - 1]) {
    const reader = createFrameReader(2 ** 28);
    const bytes = encodeLength(length);
    const result = reader.push(bytes);
    assert.deepEqual(result, length === 0 ? new Uint8Array(0) : undefined);
    assert.equal(reader.receivedBytes, bytes.length);
  }
  assert.throws(() => encodeLength(2 ** 28), RangeError);
  assert.throws(() => encodeLength(-1), RangeError);
});

test("a length above the limit is oversize before anything is allocated", () => {
  const reader = createFrameReader(100);
  const before = process.memoryUsage().arrayBuffers;
  assert.equal(reader.push(encodeLength(200_000_000)), "oversize");
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
});

test("a claimed length within the limit takes no more memory than what arrived", () => {
  const readers = Array.from({ length: 64 }, () => createFrameReader(8_000_000));
  const before = process.memoryUsage().arrayBuffers;
  for (const reader of readers) {
    reader.push(encodeLength(8_000_000));
    reader.push(new Uint8Array(10));
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 8_000_000);
});

test("single bytes cost time in proportion, not memory for each", () => {
  const reader = createFrameReader(1_000_000);
  reader.push(encodeLength(1_000_000));
  const before = process.memoryUsage().heapUsed;
  const byte = Uint8Array.of(1);
  let result: unknown;
  for (let count = 0; count < 1_000_000; count++) result = reader.push(byte);
  assert.ok(result instanceof Uint8Array && result.length === 1_000_000);
  assert.ok(process.memoryUsage().heapUsed - before < 50_000_000);
});

test("lengths that are too long, not the shortest, or followed by surplus bytes are malformed", () => {
  for (const bytes of [
    [0x80, 0x80, 0x80, 0x80, 1],
    [0x80, 0x00],
    [1, 2, 3],
    [0, 0],
  ]) {
    assert.equal(createFrameReader(1_000).push(Uint8Array.from(bytes)), "malformed");
  }
});
