import assert from "node:assert/strict";
import { before, test } from "node:test";
import { checkRestored } from "../../../src/chain/backup.ts";
import type { BackupHeader } from "../../../src/chain/backup-format.ts";
import { createBlockStore } from "../../../src/chain/block-store.ts";
import { checkChain, createSignatureVerifier } from "../../../src/chain/index.ts";
import { createJournal } from "../../../src/chain/journal.ts";
import { acquit } from "../../../src/chain/reset.ts";
import { judgeRestored } from "../../../src/chain/restored.ts";
import {
  encodeStoredBlock,
  keys,
  SCHEMA_VERSION,
  type StoredBlock,
  tableRange,
} from "../../../src/chain/schema.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import { encodeUndo } from "../../../src/ledger/index.ts";
import {
  createInlineWorkerPool,
  createMemoryStore,
  type KeyValueStore,
  type MemoryStoreData,
  type Write,
} from "../../../src/ports/index.ts";
import {
  type Block,
  bytesToHex,
  decodeTransaction,
  type SealedTransaction,
} from "../../../src/primitives/index.ts";
import {
  type BuildOptions,
  createBlockBuilder,
  keyOf,
  testGenesis,
  transfer,
} from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";

const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
const pay = (nonce: number) => transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce });
const best = Array.from({ length: 8 }, (_, i) => builder.build({ transactions: [pay(i)] }));
const root = best[3]?.header.id ?? "";
/** An honest branch, beside the best chain for want of work. */
const side = builder.extend(2, { parent: root, proposer: "another" });
const head = best[7];
assert.ok(head);
const ALICE = bytesToHex(keyOf("alice").publicKey);
const signatures = createSignatureVerifier(createInlineWorkerPool(tasks));

let honest: MemoryStoreData;
before(async () => {
  honest = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(honest) });
  await importAll(chain, [...best.slice(0, 4), ...side, ...best.slice(4)]);
  assert.equal(chain.head.id, head.header.id);
  await chain.close();
});

const copy = (): KeyValueStore => createMemoryStore(new Map(honest));
const header: BackupHeader = {
  chain: genesis.block.header.id,
  network: genesis.spec.name,
  schema: SCHEMA_VERSION,
  head: { id: head.header.id, height: 8 },
  firstHeight: 0,
  createdMs: 0,
};
const NOW_MS = head.header.header.core.timestampMs;
const judge = (store: KeyValueStore) => judgeRestored(store, genesis, header, { signatures, nowMs: NOW_MS });

async function plant(store: KeyValueStore, block: Block, row: Partial<StoredBlock> = {}): Promise<void> {
  const stored: StoredBlock = {
    header: block.header.bytes,
    arrival: 100 + block.header.header.core.height,
    status: "stored",
    transactions: block.transactions.length,
    bodyBytes: block.bodyBytes.length,
    receivedMs: 0,
    source: "peer",
    refusal: "",
    ...row,
  };
  const writes = [
    { key: keys.block(block.header.id), value: encodeStoredBlock(stored) },
    { key: keys.body(block.header.id), value: block.bodyBytes },
  ];
  await store.write(writes, { sync: true });
}

test("an honest database passes with its side branches, and is not changed", async () => {
  const data = new Map(honest);
  const left = await judge(createMemoryStore(data));
  assert.deepEqual(left, { reorgs: 1, marks: 0 });
  const report = await checkChain(createMemoryStore(data), genesis);
  assert.deepEqual([report.findings, report.sideBlocks, report.head], [[], 2, head.header.id]);
  const blocks = (of: MemoryStoreData) =>
    [...of].filter(([key]) => key.startsWith("h") || key.startsWith("b"));
  assert.deepEqual(blocks(data), blocks(honest));
});

/** The transfer with one bit of its signature turned. */
function forged({ bytes }: SealedTransaction): SealedTransaction {
  const transaction = decodeTransaction(bytes.with(10, (bytes[10] ?? 0) ^ 1));
  assert.ok(transaction);
  return transaction;
}

const branch = (options: BuildOptions): Block[] => {
  const forger = createBlockBuilder(genesis);
  for (const [i] of best.slice(0, 4).entries()) forger.build({ transactions: [pay(i)] });
  assert.equal(forger.tip, root);
  const first = forger.build({ proposer: "liar", ...options });
  return [first, ...forger.extend(6, { proposer: "liar" })];
};

/** Undo data of the first block after which alice is gone instead of the account that the block created. */
async function forgeUndo(store: KeyValueStore): Promise<void> {
  const id = best[0]?.header.id ?? "";
  const undo = await createBlockStore(store).undo(id);
  assert.ok(undo.created.length > 0);
  const value = encodeUndo({ ...undo, created: undo.created.with(0, ALICE) });
  await store.write([{ key: keys.undo(id), value }], { sync: true });
}

/** The same chain of batches, as far on as numbers go; the checked window is full, so none before it is missed. */
async function renumberBatches(store: KeyValueStore): Promise<void> {
  for await (const [key] of store.scan(tableRange("batches")))
    await store.write([{ key, value: undefined }], { sync: true });
  const link = { link: new Uint8Array(32), head: head?.header.idBytes ?? new Uint8Array(32), sizeBytes: 0 };
  const last = { sequence: 2 ** 50, link };
  const journal = createJournal({ ...store, writeBufferBytes: 2 ** 40 }, { last, stranded: [], links: [] });
  const large = { key: keys.mark("ab".repeat(32)), value: new Uint8Array(store.writeBufferBytes) };
  for (let i = 0; i < 6; i++) await journal.commit([large], head?.header.id ?? "");
}

const lies: readonly (readonly [
  what: string,
  plant: (store: KeyValueStore) => Promise<void>,
  says: RegExp,
])[] = [
  [
    "a heavier branch with a transfer that nobody signed",
    async (store) => {
      for (const block of branch({ transactions: [forged(pay(4))] })) await plant(store, block);
    },
    /TX-03/,
  ],
  [
    "a heavier branch without proof of work",
    async (store) => {
      for (const block of branch({ unmined: true })) await plant(store, block);
    },
    /HDR-/,
  ],
  [
    "a block of a difficulty that it gave itself",
    async (store) => {
      const [first] = branch({ tweak: (core) => ({ ...core, difficulty: core.difficulty * 2n }) });
      if (first) await plant(store, first);
    },
    /HDR-/,
  ],
  [
    "a block of another time",
    async (store) => {
      const [first] = branch({ timestampMs: NOW_MS + 3_600_000 });
      if (first) await plant(store, first);
    },
    /ahead of this clock/,
  ],
  [
    "a body that is not the header's",
    async (store) => {
      const [first] = branch({});
      if (first) await plant(store, { ...first, bodyBytes: best[0]?.bodyBytes ?? new Uint8Array() });
    },
    /BLOCK_INVALID/,
  ],
  [
    "a header in the row of another block",
    async (store) => {
      const [first, second] = branch({});
      if (first && second) await plant(store, first, { header: second.header.bytes });
    },
    /do not fit together/,
  ],
  [
    "a row that says less of a block than there is",
    async (store) => {
      const [first] = branch({ transactions: [pay(4)] });
      if (first) await plant(store, first, { bodyBytes: 1 });
    },
    /does not fit its data/,
  ],
  [
    "a row that says more transactions of a block than there are",
    (store) => plant(store, head, { transactions: 2, status: "valid" }),
    /does not fit its data/,
  ],
  [
    "an arrival after which there is no number left",
    async (store) => {
      const [first] = branch({});
      if (first) await plant(store, first, { arrival: Number.MAX_SAFE_INTEGER });
    },
    /no count of blocks/,
  ],
  [
    "a block whose parent is not there",
    async (store) => {
      const [, second] = branch({});
      if (second) await plant(store, second);
    },
    /do not fit together/,
  ],
  ["undo data that takes another's account away", (store) => forgeUndo(store), /UNDO_DAMAGED/],
  [
    "a genesis block with another body",
    (store) =>
      store.write([{ key: keys.body(genesis.block.header.id), value: best[0]?.bodyBytes }], { sync: true }),
    /genesis block/,
  ],
  ["a batch after which there is no number left", renumberBatches, /no count of batches/],
];
for (const [what, lie, says] of lies) {
  test(`${what} is refused`, async () => {
    const store = copy();
    await lie(store);
    await assert.rejects(judge(store), { code: "BACKUP_DAMAGED", message: says });
  });
}

test("a heavier branch that nobody signed would be followed if it were believed", async () => {
  const store = copy();
  for (const block of branch({ transactions: [forged(pay(4))] })) await plant(store, block);
  const chain = await openTestChain(genesis, { store });
  assert.equal(chain.head.height, 11);
  await chain.close();
});

test("what somebody said of blocks is left out: that one is invalid, set aside, or was part of a reorg", async () => {
  const store = copy();
  const [liked] = branch({});
  const [spurned] = side;
  assert.ok(liked && spurned);
  await plant(store, liked, { status: "invalid", refusal: "STA-01" });
  await store.write([{ key: keys.mark(spurned.header.id), value: Uint8Array.of(1) }], { sync: true });
  await store.write([{ key: keys.meta("reindex"), value: Uint8Array.of(1) }], { sync: true });
  await store.write([{ key: keys.meta("pruned"), value: Buffer.from("everything") }], { sync: true });
  await store.write([{ key: keys.meta("published"), value: spurned.header.idBytes }], { sync: true });
  assert.deepEqual(await judge(store), { reorgs: 1, marks: 1 });
  for (const table of ["marks", "reorgs"] as const)
    for await (const [key] of store.scan(tableRange(table))) assert.fail(`a row is left: ${key}`);
  assert.deepEqual(await store.getMany((["reindex", "pruned", "published"] as const).map(keys.meta)), [
    undefined,
    undefined,
    undefined,
  ]);
  const chain = await openTestChain(genesis, { store });
  assert.deepEqual([chain.head.id, chain.rebuilt], [head.header.id, false]);
  assert.notEqual(chain.tree.get(liked.header.id)?.status, "invalid");
  await chain.close();
});

test("forged undo data would take an account away in the next reorg if it were believed", async () => {
  const store = copy();
  await forgeUndo(store);
  const chain = await openTestChain(genesis, { store });
  await importAll(chain, createBlockBuilder(genesis).extend(12, { proposer: "another" }));
  assert.deepEqual([chain.head.height, await chain.accounts([ALICE])], [12, [undefined]]);
  await chain.close();
});

test("a backup whose rows cannot be read, or that is silent about its schema, is refused as damaged", async () => {
  const changes: (readonly [Uint8Array, Uint8Array | undefined])[] = [
    [keys.batch(3), Uint8Array.of(1)],
    [keys.meta("schema"), undefined],
    [keys.meta("schema"), Buffer.from("3 or so")],
  ];
  for (const [key, value] of changes) {
    const store = copy();
    await store.write([{ key, value }], { sync: true });
    const message = /lost writes|its schema is not|schema version is damaged/;
    await assert.rejects(checkRestored(store, genesis, header), { code: "BACKUP_DAMAGED", message });
  }
  const store = copy();
  await store.write([{ key: keys.meta("chain"), value: undefined }], { sync: true });
  await assert.rejects(judge(store), { code: "BACKUP_DAMAGED", message: /no chain in this directory/ });
});

test("a rule that the head is said to have broken is left out", async () => {
  const store = copy();
  const row = await createBlockStore(store).stored(head.header.id);
  assert.ok(row);
  await plant(store, head, { ...row, refusal: "\u001b[2JTX-03" });
  await judge(store);
  const { status, refusal } = (await createBlockStore(store).stored(head.header.id)) ?? {};
  assert.deepEqual([status, refusal], ["valid", ""]);
});

test("verdicts are taken back in batches, however many there are", async () => {
  const data: MemoryStoreData = new Map();
  const row = await createBlockStore(copy()).stored(head.header.id);
  assert.ok(row);
  const value = encodeStoredBlock({ ...row, status: "invalid" });
  const rows = Array.from({ length: 12_000 }, (_, i) => ({
    key: keys.block(i.toString(16).padStart(64, "0")),
    value,
  }));
  await createMemoryStore(data).write(rows, { sync: true });
  const sizes: number[] = [];
  const journal = {
    commit: async (writes: readonly Write[]) => {
      sizes.push(writes.length);
      await createMemoryStore(data).write(writes, { sync: true });
      return 0;
    },
  };
  await acquit(createMemoryStore(data), journal, head.header.id);
  assert.deepEqual(sizes, [10_000, 2_000]);
  await acquit(createMemoryStore(data), journal, head.header.id);
  assert.equal(sizes.length, 2, "nothing is left to be taken back");
});

test("what belongs to no whole block, and tables that nobody knows, are left out", async () => {
  const store = copy();
  const nowhere = "ab".repeat(32);
  // The tree has no other block of this height than genesis, so it is never judged.
  const [another] = branch({ tweak: (core) => ({ ...core, height: 0 }), unmined: true });
  assert.ok(another);
  await plant(store, another);
  const strays = [
    keys.block(another.header.id),
    keys.meta("firstHeight"),
    Buffer.from("mfuture"),
    keys.body(nowhere),
    keys.undo(nowhere),
    keys.transaction(nowhere),
    keys.baseAccount(5, 0),
    Buffer.from("zebra"),
    Buffer.from("a"),
    Uint8Array.of(0x90, 1),
  ];
  await store.write(
    strays.slice(1).map((key) => ({ key, value: Uint8Array.of(1) })),
    { sync: true },
  );
  await judge(store);
  assert.deepEqual(
    await store.getMany(strays),
    strays.map(() => undefined),
  );
});
