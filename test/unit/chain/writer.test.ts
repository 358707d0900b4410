import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChainError, createSignatureVerifier, type Settlement } from "../../../src/chain/index.ts";
import { openLedgerState } from "../../../src/chain/ledger-state.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import { createInlineWorkerPool, createMemoryStore, type MemoryStoreData } from "../../../src/ports/index.ts";
import {
  assembleBlock,
  encodeBody,
  hexToBytes,
  type SealedTransaction,
  sealHeader,
} from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import {
  createCountingVerifier,
  fromPeer,
  importAll,
  importOne,
  openTestChain,
  outcome,
} from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";

const genesis = testGenesis();
const pay = (options: Partial<Parameters<typeof transfer>[1]> = {}): SealedTransaction =>
  transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce: 0, ...options });
const ids = (blocks: readonly { readonly header: { readonly id: string } }[]): string[] =>
  blocks.map(({ header }) => header.id);

test("case 10: a node with 3 own blocks meets a branch of 5: it reorgs, lists its 3, and hands their transactions over", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const own = [
    builder.build({ parent: root, proposer: "alice", transactions: [pay({ amount: 1 })] }),
    builder.build({
      proposer: "alice",
      transactions: [pay({ amount: 2, nonce: 1 }), pay({ from: "bob", to: "carol" })],
    }),
    builder.build({ proposer: "alice" }),
  ];
  const majority = [
    builder.build({ parent: root, transactions: [pay({ amount: 1 })] }),
    ...builder.extend(4),
  ];
  const settled: Settlement[] = [];
  const seen: SealedTransaction[] = [];
  const chain = await openTestChain(genesis, {
    async settle(settlement) {
      settled.push(settlement);
      for (const id of settlement.disconnected) seen.push(...(await settlement.load(id)).transactions);
      return seen.map(({ txid }) => ({ txid, fate: "returned" as const }));
    },
  });
  await importAll(chain, own);
  settled.length = 0;
  const results = await Promise.all(majority.map((block) => chain.import(block, fromPeer("majority"))));
  assert.ok(results.every(({ status }) => status === "connected"));
  const [record] = await chain.reorgs({ limit: 10 });
  assert.ok(record);
  const listed = (blocks: typeof own): unknown =>
    blocks.map(({ header, transactions }, i) => ({
      id: header.id,
      height: i + 1,
      transactions: transactions.length,
    }));
  assert.deepEqual(record.blocksOut, listed(own));
  assert.deepEqual(record.blocksIn, listed(majority));
  assert.equal(chain.lastReorg, 1);
  assert.deepEqual([record.depth, record.blocksInCount, record.forkPoint.height], [3, 5, 0]);
  assert.deepEqual([record.oldHead.id, record.newHead.id], [own[2]?.header.id, majority[4]?.header.id]);
  assert.deepEqual([record.oldHead.work, record.newHead.work], ["30", "50"]);
  assert.deepEqual(record.cause, { peer: "majority", message: "sync", block: majority[4]?.header.id ?? "" });
  assert.deepEqual(
    settled.map(({ disconnected, connected }) => [disconnected, connected]),
    [[ids(own), ids(majority)]],
  );
  assert.deepEqual(
    record.transactions.map(({ txid }) => txid),
    own.flatMap(({ transactions }) => transactions.map(({ txid }) => txid)),
  );
  assert.equal(record.transactionCount, 3);
  const tip = chain.tree.tips().find(({ id }) => id === own[2]?.header.id);
  assert.ok(tip?.status === "valid" && chain.branchOf(tip).length === 3);
  await chain.close();
});

test("a transaction is found where the best chain has it, and nowhere once a reorg has taken it out", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const [both, only] = [pay(), pay({ from: "bob", to: "carol" })];
  const own = builder.build({ parent: root, transactions: [both, only] });
  const rival = [builder.build({ parent: root, proposer: "bob" }), builder.build({ transactions: [both] })];
  const chain = await openTestChain(genesis);
  await importAll(chain, [own]);
  assert.deepEqual(await chain.blocks.place(only.txid), { block: own.header.id, index: 1 });
  await importAll(chain, rival);
  assert.deepEqual(await chain.blocks.place(both.txid), { block: rival[1]?.header.id, index: 0 });
  assert.equal(await chain.blocks.place(only.txid), undefined);
  await chain.close();
});

test("a known-invalid block, and what is built on it, is refused without looking at signatures again", async () => {
  const builder = createBlockBuilder(genesis);
  const bad = builder.build({
    transactions: [pay()],
    tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32) }),
  });
  const signatures = createCountingVerifier();
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { signatures, store: createMemoryStore(data) });
  assert.equal(await importOne(chain, bad), "STA-01 permanent");
  const { asked } = signatures;
  for (let i = 0; i < 3; i++) assert.equal(await importOne(chain, bad), "STA-01 permanent");
  assert.equal(signatures.asked, asked);
  await chain.close();
  const again = await openTestChain(genesis, { signatures, store: createMemoryStore(data) });
  assert.match(await importOne(again, bad), /permanent$/);
  assert.equal(signatures.asked, asked, "not after a restart either");
  await again.close();
});

test("a gossiped block far behind the head in work is ignored; one that was asked for is stored", async () => {
  const builder = createBlockBuilder(testGenesis({ difficultyBits: 0 }));
  const root = builder.tip;
  const best = builder.extend(150, { parent: root });
  const rivalOn = (height: number) =>
    builder.build({ parent: best[height - 1]?.header.id ?? root, proposer: "bob" });
  const chain = await openTestChain(builder.genesis);
  await Promise.all(best.map((block) => chain.import(block, fromPeer())));
  const gossip = { ...fromPeer("gossip"), message: "gossip" as const };
  const low = rivalOn(4);
  assert.equal(await importOne(chain, low, gossip), "ignored", "work 5 is 145 blocks' work behind 150");
  assert.equal(chain.tree.get(low.header.id), undefined);
  assert.equal(chain.checks.knownInvalid(low.header.id), undefined);
  assert.equal(await importOne(chain, rivalOn(5), gossip), "side", "144 blocks behind is still kept");
  assert.equal(await importOne(chain, low, fromPeer()), "side");
  await chain.close();
});

test("the import queue is bounded: what does not fit is turned away as busy, and can be imported later", async () => {
  const on = testGenesis({ difficultyBits: 0 });
  const first = createBlockBuilder(on).build();
  const { core } = first.header.header;
  const rivals = Array.from({ length: 1_100 }, (_, nonce) =>
    assembleBlock(sealHeader({ core, nonce: nonce + 1 }), encodeBody([], new Uint8Array())),
  );
  const chain = await openTestChain(on);
  const results = await Promise.allSettled(rivals.map((block) => chain.import(block, fromPeer())));
  const busy = results.filter((result) => result.status === "rejected");
  assert.ok(busy.length > 0 && busy.length <= 76, `${busy.length} were turned away`);
  for (const { reason } of busy) assert.equal((reason as ChainError).code, "CHAIN_BUSY");
  const late = rivals[results.findIndex(({ status }) => status === "rejected")];
  assert.ok(late);
  assert.equal(await importOne(chain, late), "side");
  await chain.close();
});

test("case 35: a write that fails stops the chain, marks nothing invalid, and a restart goes on", async () => {
  const builder = createBlockBuilder(genesis);
  const [first, second, third] = builder.extend(3);
  assert.ok(first && second && third);
  const data: MemoryStoreData = new Map();
  const probe = createFailingStore(data, Number.POSITIVE_INFINITY);
  const opened = await openTestChain(genesis, { store: probe });
  await importAll(opened, [first]);
  await opened.close();
  const chain = await openTestChain(genesis, { store: createFailingStore(data, 0) });
  const fatal: Error[] = [];
  chain.on("fatal", (error) => fatal.push(error));
  const published: string[] = [];
  chain.on("head", ({ newHead }) => published.push(newHead.id));
  const stopped = (error: ChainError): boolean =>
    error.code === "CHAIN_STOPPED" && /no space left/.test(error.message);
  await assert.rejects(chain.import(second, fromPeer()), stopped);
  await assert.rejects(chain.import(third, fromPeer()), stopped, "and everything after it");
  await assert.rejects(chain.accounts([]), stopped);
  assert.equal(fatal.length, 1);
  assert.deepEqual(published, []);
  assert.equal(chain.head.id, first.header.id, "the head that is durable stays published");
  await chain.close();
  const again = await openTestChain(genesis, { store: createMemoryStore(data) });
  assert.equal(again.head.id, first.header.id);
  assert.deepEqual(
    (await importAll(again, [second, third])).map(({ status }) => status),
    ["connected", "connected"],
  );
  await again.close();
});

test("all that wait in the queue learn that the chain stopped", async () => {
  const blocks = createBlockBuilder(genesis).extend(5);
  const data: MemoryStoreData = new Map();
  await (await openTestChain(genesis, { store: createMemoryStore(data) })).close();
  const chain = await openTestChain(genesis, { store: createFailingStore(data, 0) });
  const results = await Promise.allSettled(blocks.map((block) => chain.import(block, fromPeer())));
  for (const result of results) {
    assert.equal(result.status === "rejected" && (result.reason as ChainError).code, "CHAIN_STOPPED");
  }
  await chain.close();
});

test("case 37: a database of another network is refused and left as it is", async () => {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, createBlockBuilder(genesis).extend(2));
  await chain.close();
  const before = new Map(data);
  const other = testGenesis({ salt: "01".repeat(16) });
  await assert.rejects(openTestChain(other, { store: createMemoryStore(data) }), (error: ChainError) => {
    assert.equal(error.code, "CHAIN_OTHER_NETWORK");
    assert.ok(
      error.message.includes(genesis.block.header.id) && error.message.includes(other.block.header.id),
    );
    assert.match(error.message, /genesis file|--data/);
    return true;
  });
  assert.deepEqual(data, before);
});

test("case 37: a database of a newer schema is refused with what to do about it, and left as it is", async () => {
  const data: MemoryStoreData = new Map();
  const store = createMemoryStore(data);
  await (await openTestChain(genesis, { store })).close();
  const key = new TextEncoder().encode("mschema");
  await createMemoryStore(data).write([{ key, value: new TextEncoder().encode("4") }], { sync: true });
  const before = new Map(data);
  await assert.rejects(openTestChain(genesis, { store: createMemoryStore(data) }), {
    code: "CHAIN_SCHEMA_NEWER",
    message: /schema 4.*knows 3.*newer cumulo/,
  });
  assert.deepEqual(data, before);
});

test("nothing is published in the middle of a reorg, and everything is durable when it is", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const own = builder.extend(3, { parent: root, proposer: "alice" });
  const rival = builder.extend(5, { parent: root, proposer: "bob" });
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  await importAll(chain, own);
  const events: string[] = [];
  chain.on("head", ({ newHead, oldHead, disconnected, connected }) => {
    events.push(`head ${newHead.height}`);
    assert.equal(oldHead.id, own[2]?.header.id);
    assert.deepEqual([disconnected.length, connected.length], [3, 5]);
    assert.equal(chain.head.id, newHead.id);
    const stored = [...data].find(([key]) => key === "mhead")?.[1].value;
    assert.deepEqual(stored, hexToBytes(newHead.id), "durable before it is told");
  });
  chain.on("reorg", ({ depth }) => events.push(`reorg ${depth}`));
  chain.on("block", ({ status }) => events.push(status));
  await Promise.all(rival.map((block) => chain.import(block, fromPeer())));
  assert.deepEqual(events, [...rival.map(() => "connected"), "head 5", "reorg 3"]);
  await chain.close();
});

test("a listener that throws is logged and stops neither the chain nor the other listeners", async () => {
  const logger = createRecordingLogger();
  const chain = await openTestChain(genesis, { logger });
  let told = 0;
  chain.on("head", () => {
    throw new Error("a listener's mistake");
  });
  chain.on("head", () => {
    told += 1;
  });
  assert.equal(await importOne(chain, createBlockBuilder(genesis).build()), "connected");
  assert.equal(told, 1);
  assert.ok(logger.lines.some(({ level }) => level === "error"));
  await chain.close();
});

test("'known' is answered only when the block is durable, like every other outcome", async () => {
  const block = createBlockBuilder(genesis).build();
  const memory = createMemoryStore();
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let holding = false;
  let reached = (): void => {};
  const writing = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const store = {
    ...memory,
    async write(...args: Parameters<typeof memory.write>) {
      if (holding) {
        reached();
        await held;
      }
      await memory.write(...args);
    },
  };
  const chain = await openTestChain(genesis, { store });
  holding = true;
  const first = chain.import(block, fromPeer("a"));
  await writing;
  let answered = false;
  const second = chain.import(block, fromPeer("b")).then((result) => {
    answered = true;
    return result;
  });
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assert.equal(answered, false, "the batch is not on the disk yet");
  release();
  assert.deepEqual([(await first).status, (await second).status], ["connected", "connected"]);
  assert.deepEqual(await chain.import(block, fromPeer("c")), { status: "known" });
  await chain.close();
});

test("a block template leaves out what cannot be executed or does not fit, and its child is accepted", async () => {
  const on = testGenesis({ maxBlockBytes: 1_024, difficultyBits: 0 });
  const on_pay = (options: Partial<Parameters<typeof transfer>[1]>): SealedTransaction =>
    transfer(on, { from: "alice", to: "bob", amount: 5, nonce: 0, ...options });
  const chain = await openTestChain(on);
  const proposer = new Uint8Array(32).fill(9);
  const candidates = [
    on_pay({ nonce: 1 }),
    on_pay({}),
    on_pay({ from: "bob", amount: 10 ** 12 }),
    on_pay({ nonce: 1 }),
  ];
  candidates.push(
    on_pay({ from: "carol", memo: "m".repeat(64) }),
    ...[1, 2].map((nonce) => on_pay({ from: "carol", nonce })),
  );
  const { core, body } = await chain.buildTemplate({ proposer, candidates: () => candidates });
  assert.deepEqual(
    body.transactions.map(({ txid }) => txid),
    [1, 3, 4, 5].map((i) => candidates[i]?.txid),
  );
  assert.ok(body.bodyBytes.length <= 1_024);
  const block = assembleBlock(sealHeader({ core, nonce: 0 }), body);
  assert.equal(await importOne(chain, block), "connected");
  await chain.close();
});

test("state may be asked for more accounts at once than the cache keeps", async () => {
  const store = createMemoryStore();
  const state = await openLedgerState(store, { accounts: 0, issued: 0, burned: 0 });
  const many = Array.from({ length: 130_000 }, (_, i) => i.toString(16).padStart(64, "0"));
  await state.prefetch(new Set(many));
  for (const key of many) assert.equal(state.get(key), undefined);
});

test("signatures that were found good once are not verified again, by leaf", async () => {
  let verified = 0;
  const pool = createInlineWorkerPool({
    verifySignatures: (input: Uint8Array) => {
      verified += input.length / 128;
      return tasks.verifySignatures(input);
    },
  });
  const verifier = createSignatureVerifier(pool);
  const list = [pay(), pay({ nonce: 1 })];
  assert.deepEqual(await verifier.findInvalid(list), []);
  assert.deepEqual(await verifier.findInvalid([...list, pay({ nonce: 2 })]), []);
  assert.equal(verified, 3);
  const synced = [pay({ nonce: 3 })];
  for (let i = 0; i < 2; i++) assert.deepEqual(await verifier.findInvalid(synced, { remember: false }), []);
  assert.equal(verified, 5, "what is not to be remembered is not");
});

test("workers that fail cost the block another try, and neither its name nor the chain", async () => {
  const real = createCountingVerifier();
  let failures = 1;
  const chain = await openTestChain(genesis, {
    signatures: {
      async findInvalid(transactions) {
        if (failures-- > 0) throw new Error("a thread died");
        return await real.findInvalid(transactions);
      },
    },
  });
  const [block, next] = createBlockBuilder(genesis).extend(2);
  assert.ok(block && next);
  const results = await Promise.allSettled([block, next].map((one) => chain.import(one, fromPeer())));
  assert.equal(results[0]?.status === "rejected" && results[0].reason.code, "CHAIN_BUSY");
  assert.equal(results[1]?.status === "fulfilled" && outcome(results[1].value), "HDR-11 transient");
  const again = await importAll(chain, [block, next]);
  assert.deepEqual(again.map(outcome), ["connected", "connected"]);
  await chain.close();
});

test("the name of a block's source is cut to what the row holds, whatever it is written in", async () => {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data) });
  const block = createBlockBuilder(genesis).build();
  assert.equal(await importOne(chain, block, fromPeer("ж".repeat(100))), "connected");
  assert.equal((await chain.blocks.stored(block.header.id))?.source, "ж".repeat(64));
  await chain.close();
});
