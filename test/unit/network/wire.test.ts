import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteListType, ByteVectorType, ContainerType, ListCompositeType } from "@chainsafe/ssz";
import fc from "fast-check";
import * as wire from "../../../src/network/wire.ts";
import {
  bytesToHex,
  concatBytes,
  decodeHeader,
  equalBytes,
  HEADER_BYTES,
  MAX_BLOCK_BYTES,
  MAX_TRANSACTION_BYTES,
} from "../../../src/primitives/index.ts";
import { sampleBlock, sampleHeader, sampleTransaction } from "../../support/sample-chain.ts";

const id = (byte: number) => bytesToHex(new Uint8Array(32).fill(byte));
const status: wire.Status = {
  version: 1,
  chain: id(1),
  head: id(2),
  height: 77,
  work: 2n ** 200n,
  firstHeight: 5,
};
const blocks = [sampleBlock(1), sampleBlock(2, [sampleTransaction(0), sampleTransaction(1, 64)])];
const transactions = [sampleTransaction(0), sampleTransaction(1, 10), sampleTransaction(2, 64)];
const compact: wire.CompactBlock = {
  header: sampleHeader(),
  leaves: transactions.map(({ leafBytes }) => leafBytes),
  engineData: Uint8Array.of(1, 2, 3),
};
const rawBlocks = blocks.map(({ header, bodyBytes }) => ({ headerBytes: header.bytes, bodyBytes }));

interface Message {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: one table for messages of all types
  readonly encode: (value: any) => Uint8Array;
}

const messages: readonly Message[] = [
  { name: "status", bytes: wire.encodeStatus(status), decode: wire.decodeStatus, encode: wire.encodeStatus },
  {
    name: "headers request",
    bytes: wire.encodeHeadersRequest({ locator: [id(3), id(4)], stop: id(5), maxCount: 2_000 }),
    decode: wire.decodeHeadersRequest,
    encode: wire.encodeHeadersRequest,
  },
  {
    name: "headers",
    bytes: wire.encodeHeaders(blocks.map(({ header }) => header)),
    decode: (bytes) => wire.decodeHeaders(bytes, 2_000),
    encode: wire.encodeHeaders,
  },
  {
    name: "blocks request",
    bytes: wire.encodeBlocksRequest([id(1), id(2)]),
    decode: wire.decodeBlocksRequest,
    encode: wire.encodeBlocksRequest,
  },
  {
    name: "blocks",
    bytes: concatBytes(...wire.encodeBlocks(rawBlocks)),
    decode: wire.decodeBlocks,
    encode: (value: wire.RawBlock[]) =>
      concatBytes(
        ...wire.encodeBlocks(
          value.map(({ header, bodyBytes }) => ({ headerBytes: header.bytes, bodyBytes })),
        ),
      ),
  },
  {
    name: "mempool list request",
    bytes: wire.encodeTransactionsRequest({ kind: "list", after: id(0), limit: 8_192 }),
    decode: wire.decodeTransactionsRequest,
    encode: wire.encodeTransactionsRequest,
  },
  {
    name: "transactions request",
    bytes: wire.encodeTransactionsRequest({ kind: "get", leaves: [id(9), id(8)] }),
    decode: wire.decodeTransactionsRequest,
    encode: wire.encodeTransactionsRequest,
  },
  {
    name: "leaf list",
    bytes: wire.encodeLeafList([id(1), id(2), id(3)]),
    decode: wire.decodeLeafList,
    encode: wire.encodeLeafList,
  },
  {
    name: "transactions",
    bytes: wire.encodeTransactions(transactions),
    decode: wire.decodeTransactionsMessage,
    encode: wire.encodeTransactions,
  },
  {
    name: "compact block",
    bytes: wire.encodeCompactBlock(compact),
    decode: wire.decodeCompactBlock,
    encode: wire.encodeCompactBlock,
  },
];

/** Flips, cuts, inserts and overwrites, where length fields tend to be and anywhere. */
interface Mutation {
  readonly kind: "flip" | "cut" | "insert" | "word";
  readonly at: number;
  readonly byte: number;
  readonly word: number;
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom("flip", "cut", "insert", "word"),
  at: fc.nat(2_000),
  byte: fc.integer({ min: 0, max: 255 }),
  word: fc.constantFrom(0, 1, 3, 4, 5, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
});

function mutate(bytes: Uint8Array, { kind, at, byte, word }: Mutation) {
  const position = at % (bytes.length + 1);
  if (kind === "cut") return bytes.slice(0, position);
  if (kind === "insert")
    return Uint8Array.from([...bytes.slice(0, position), byte, ...bytes.slice(position)]);
  const copy = bytes.slice();
  if (kind === "flip" && position < copy.length) copy[position] = byte;
  if (kind === "word" && position + 4 <= copy.length)
    new DataView(copy.buffer).setUint32(position, word, true);
  return copy;
}

for (const { name, bytes, decode, encode } of messages) {
  describe(`wire: ${name}`, () => {
    test("what is encoded decodes to itself", () => {
      const value = decode(bytes);
      assert.ok(value !== undefined);
      assert.ok(equalBytes(encode(value), bytes));
    });

    test("mutated bytes never throw, and whatever is accepted has these very bytes", () => {
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
          const mutated = mutations.reduce(mutate, bytes);
          const value = decode(mutated);
          if (value !== undefined) assert.ok(equalBytes(encode(value), mutated));
        }),
        { numRuns: 1_500 },
      );
    });

    test("random bytes never throw", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (random) => {
          const value = decode(random);
          if (value !== undefined) assert.ok(equalBytes(encode(value), random));
        }),
        { numRuns: 500 },
      );
    });
  });
}

// The codec of blocks is by hand; the library says what SSZ is.
const BlocksSsz = new ListCompositeType(
  new ContainerType({ header: new ByteVectorType(HEADER_BYTES), body: new ByteListType(MAX_BLOCK_BYTES) }),
  wire.MAX_BLOCKS_PER_REQUEST,
);
const ssz = BlocksSsz.serialize(
  rawBlocks.map(({ headerBytes, bodyBytes }) => ({ header: headerBytes, body: bodyBytes })),
);

test("blocks are an SSZ list, and none of them as well", () => {
  assert.deepEqual(concatBytes(...wire.encodeBlocks(rawBlocks)), ssz);
  assert.deepEqual(concatBytes(...wire.encodeBlocks([])), BlocksSsz.serialize([]));
  assert.deepEqual(wire.decodeBlocks(new Uint8Array(0)), []);
});

test("blocks are accepted where they are the library's one encoding of a list, and only there", () => {
  const offsets = fc.record({
    kind: fc.constant("word" as const),
    at: fc.constantFrom(0, 4, 4 * rawBlocks.length + HEADER_BYTES),
    byte: fc.constant(0),
    word: fc.oneof(
      mutation.map(({ word }) => word),
      fc.nat(ssz.length + 8),
    ),
  });
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(fc.oneof(mutation, offsets), { minLength: 1, maxLength: 3 }), (mutations) => {
      const mutated = mutations.reduce(mutate, ssz);
      const list = wire.strict(BlocksSsz, mutated);
      const ours = wire.decodeBlocks(mutated);
      // A header has rules of its own.
      const expected = list?.every(({ header }) => decodeHeader(header) !== undefined) ? list : undefined;
      assert.deepEqual(
        ours?.map(({ header, bodyBytes }) => ({ header: header.bytes, body: bodyBytes })),
        expected,
      );
      if (ours !== undefined) accepted++;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(accepted > 100, `${accepted} of 3,000 were accepted`);
});

test("each block of a response owns its bytes, and does not keep the others in memory", () => {
  for (const { header, bodyBytes } of wire.decodeBlocks(ssz) ?? assert.fail())
    assert.deepEqual(
      [header.bytes.buffer.byteLength, bodyBytes.buffer.byteLength],
      [HEADER_BYTES, bodyBytes.length],
    );
});

test("more blocks than may be asked for, and a body above the greatest, are refused", () => {
  const list = (count: number, bodyBytes: number) =>
    wire.decodeBlocks(
      concatBytes(
        ...wire.encodeBlocks(
          Array.from({ length: count }, () => ({
            headerBytes: sampleHeader().bytes,
            bodyBytes: new Uint8Array(bodyBytes),
          })),
        ),
      ),
    );
  assert.equal(list(128, 0)?.length, 128);
  assert.equal(list(129, 0), undefined);
  assert.equal(list(1, MAX_BLOCK_BYTES)?.length, 1);
  assert.equal(list(1, MAX_BLOCK_BYTES + 1), undefined);
});

test("status carries every field", () => {
  assert.deepEqual(wire.decodeStatus(wire.encodeStatus(status)), status);
});

test("a status may say that no block is there, and not that they begin above that", () => {
  const pruned = (firstHeight: number) => wire.decodeStatus(wire.encodeStatus({ ...status, firstHeight }));
  assert.equal(pruned(78)?.firstHeight, 78);
  assert.equal(pruned(79), undefined);
  assert.equal(pruned(Number.MAX_SAFE_INTEGER), undefined);
});

test("a headers request without a stop, or with an empty locator, is one", () => {
  const request = { locator: [], stop: undefined, maxCount: 1 };
  assert.deepEqual(wire.decodeHeadersRequest(wire.encodeHeadersRequest(request)), request);
});

test("counts outside their range are refused", () => {
  const headers = (maxCount: number) => wire.encodeHeadersRequest({ locator: [], stop: undefined, maxCount });
  assert.equal(wire.decodeHeadersRequest(headers(0)), undefined);
  assert.equal(wire.decodeHeadersRequest(headers(2_001)), undefined);
  const list = (limit: number) => wire.encodeTransactionsRequest({ kind: "list", after: id(0), limit });
  assert.equal(wire.decodeTransactionsRequest(list(0)), undefined);
  assert.equal(wire.decodeTransactionsRequest(list(8_193)), undefined);
  assert.equal(wire.decodeBlocksRequest(new Uint8Array(0)), undefined);
  assert.equal(wire.decodeBlocksRequest(new Uint8Array(32 * 129)), undefined);
  assert.equal(wire.decodeTransactionsMessage(new Uint8Array(0)), undefined);
  assert.equal(wire.decodeTransactionsRequest(Uint8Array.of(1)), undefined);
});

test("the same id, leaf or transaction twice is refused", () => {
  assert.equal(wire.decodeBlocksRequest(wire.encodeBlocksRequest([id(1), id(1)])), undefined);
  assert.equal(
    wire.decodeTransactionsRequest(wire.encodeTransactionsRequest({ kind: "get", leaves: [id(1), id(1)] })),
    undefined,
  );
  const twice = [sampleTransaction(0), sampleTransaction(0)];
  assert.equal(wire.decodeTransactionsMessage(wire.encodeTransactions(twice)), undefined);
});

test("a leaf list that does not ascend is refused", () => {
  assert.equal(wire.decodeLeafList(wire.encodeLeafList([id(2), id(1)])), undefined);
  assert.equal(wire.decodeLeafList(wire.encodeLeafList([id(2), id(2)])), undefined);
});

test("more headers than asked for are refused, and each header owns its bytes", () => {
  const bytes = wire.encodeHeaders(blocks.map(({ header }) => header));
  assert.equal(wire.decodeHeaders(bytes, 1), undefined);
  const [first] = wire.decodeHeaders(bytes, 2) ?? [];
  assert.equal(first?.bytes.buffer.byteLength, HEADER_BYTES);
  assert.equal(first?.id, blocks[0]?.header.id);
});

test("a list of very many tiny pieces is refused by its first offset", () => {
  const bytes = new Uint8Array(60_000);
  new DataView(bytes.buffer).setUint32(0, 60_000, true);
  assert.equal(wire.decodeTransactionsMessage(bytes), undefined);
});

test("the greatest transaction fits a gossip message", () => {
  assert.ok(MAX_TRANSACTION_BYTES + 4 <= wire.MAX_TRANSACTIONS_MESSAGE_BYTES);
});
