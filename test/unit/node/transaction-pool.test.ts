import assert from "node:assert/strict";
import { test } from "node:test";
import { type Chain, createSignatureVerifier, type TransactionFate } from "../../../src/chain/index.ts";
import { tasks } from "../../../src/keys/verify-tasks.ts";
import { accountKeyOf } from "../../../src/ledger/index.ts";
import { createTransactionPool, type TransactionPool } from "../../../src/node/transaction-pool.ts";
import { createInlineWorkerPool, createManualClock } from "../../../src/ports/index.ts";
import {
  type Block,
  decodeBody,
  type SealedTransaction,
  sealTransaction,
} from "../../../src/primitives/index.ts";
import {
  createBlockBuilder,
  keyOf,
  type TransferOptions,
  testGenesis,
  transfer,
} from "../../support/block-builder.ts";

const genesis = testGenesis();
const names = ["alice", "bob", "carol", "dave", "erin", "miner", "rival"];
const nameOf = new Map(names.map((name) => [accountKeyOf(keyOf(name).publicKey), name]));
const pay = (from: string, to: string, nonce: number, more: Partial<TransferOptions> = {}) =>
  transfer(genesis, { from, to, nonce, amount: 1_000, ...more });

/** As it comes from a peer or the store: its transactions are views of its body. */
function reread(block: Block): Block {
  const body = decodeBody(block.bodyBytes);
  assert.ok(body);
  return { ...block, ...body };
}

interface Lab {
  readonly pool: TransactionPool;
  readonly changes: string[][];
  build(parent: Block | undefined, transactions: readonly SealedTransaction[], proposer?: string): Block;
  /** Moves the head as the chain would: what was connected goes out, down to the fork point. */
  move(disconnected: readonly Block[], connected: readonly Block[]): Promise<TransactionFate[]>;
  admit(...transactions: SealedTransaction[]): Promise<string[]>;
}

function createLab(syncing = false): Lab {
  const builder = createBlockBuilder(genesis);
  const blocks = new Map<string, Block>();
  const changes: string[][] = [];
  let head = genesis.block;
  const accounts = (keys: readonly string[]) =>
    keys.map((key) => builder.account(head.header.id, nameOf.get(key) ?? "nobody"));
  const chain = {
    withAccounts: async (keys: readonly string[], read: (found: unknown, at: unknown) => unknown) =>
      read(accounts(keys), { height: head.header.header.core.height }),
  };
  const pool = createTransactionPool({
    genesis,
    clock: createManualClock(0),
    signatures: createSignatureVerifier(createInlineWorkerPool(tasks)),
    chain: () => chain as unknown as Chain,
    isSyncing: () => syncing,
    onChange: (txids) => void changes.push([...txids]),
  });
  return {
    pool,
    changes,
    build(parent, transactions, proposer = "miner") {
      const block = builder.build({ parent: (parent ?? genesis.block).header.id, transactions, proposer });
      blocks.set(block.header.id, block);
      return block;
    },
    async move(disconnected, connected) {
      head = connected.at(-1) ?? head;
      return await pool.settle({
        disconnected: disconnected.map(({ header }) => header.id),
        connected: connected.map(({ header }) => header.id),
        height: head.header.header.core.height,
        load: async (id) => reread(blocks.get(id) as Block),
        accounts: async (keys) => accounts(keys),
      });
    },
    admit: async (...transactions) =>
      (await pool.admit(transactions)).map(({ admission }) =>
        admission.status === "refused" ? admission.rule : admission.status,
      ),
  };
}

test("what a block mines leaves the mempool; what uses the same nonce is ruled out by it", async () => {
  const { pool, admit, build, move, changes } = createLab();
  const [mined, lost, stays] = [pay("alice", "bob", 0), pay("bob", "alice", 0), pay("carol", "bob", 0)];
  const winner = pay("bob", "carol", 0, { amount: 7 });
  assert.deepEqual(await admit(mined, lost, stays), ["pending", "pending", "pending"]);
  assert.deepEqual(await admit(mined), ["known"]);
  const fates = await move([], [build(undefined, [mined, winner])]);
  assert.deepEqual(fates, [{ txid: lost.txid, fate: "conflicted", by: winner.txid }]);
  assert.deepEqual(
    [...pool.mempool.entries()].map(({ transaction }) => transaction.txid),
    [stays.txid],
  );
  pool.published();
  assert.deepEqual(changes.at(-1), [mined.txid, lost.txid]);
  assert.equal(pool.recentlyMined(winner.leaf)?.txid, winner.txid);
  assert.equal(pool.history.get(lost.txid)?.happenings.at(-1)?.what, "conflicted");
});

test("case 23: a reorg returns, finds mined again, or rules out each transaction of the blocks it takes out", async () => {
  const { pool, build, move } = createLab();
  const [both, back, spent] = [pay("alice", "bob", 0), pay("bob", "carol", 0), pay("carol", "bob", 0)];
  const spentAgain = pay("carol", "alice", 0);
  const old = build(undefined, [both, back, spent]);
  await move([], [old]);
  const first = build(undefined, [spentAgain], "rival");
  const second = build(first, [both], "rival");
  assert.deepEqual(await move([old], [first, second]), [
    { txid: both.txid, fate: "mined", block: second.header.id },
    { txid: back.txid, fate: "returned" },
    { txid: spent.txid, fate: "conflicted", by: spentAgain.txid },
  ]);
  assert.deepEqual(
    [...pool.mempool.select()].map(({ txid }) => txid),
    [back.txid],
  );
  const third = build(second, [back], "rival");
  assert.deepEqual(await move([], [third]), []);
  assert.equal(pool.mempool.size, 0);
});

test("a returned transfer has bytes of its own, and does not keep the body of its block in memory", async () => {
  const { pool, build, move } = createLab();
  const { txid } = pay("alice", "bob", 0);
  const block = build(undefined, [pay("alice", "bob", 0), pay("bob", "carol", 0)]);
  await move([], [block]);
  await move([block], [build(undefined, [], "rival")]);
  const bytes = pool.mempool.get(txid)?.transaction.bytes;
  assert.equal(bytes?.buffer.byteLength, bytes?.length);
});

test("case 21: dependent transfers of disconnected blocks return in order", async () => {
  const { pool, build, move } = createLab();
  const funding = pay("alice", "dave", 0, { amount: 1_000_000 });
  const [spends, spendsMore] = [pay("dave", "bob", 0), pay("dave", "carol", 1)];
  const one = build(undefined, [funding]);
  const two = build(one, [spends, spendsMore]);
  await move([], [one, two]);
  const rival: Block[] = [];
  while (rival.length < 3) rival.push(build(rival.at(-1), [], "rival"));
  const fates = await move([one, two], rival);
  assert.deepEqual(
    fates,
    [funding, spends, spendsMore].map(({ txid }) => ({ txid, fate: "returned" })),
  );
  assert.deepEqual([...pool.mempool.select()], [funding, spends, spendsMore]);
});

test("case 22: transfers whose funds came from a disconnected reward leave, with their dependants and a reason", async () => {
  const { pool, admit, build, move } = createLab();
  const reward = build(undefined, [], "dave");
  await move([], [reward]);
  // Dave spends the reward; Erin spends what Dave will have sent her; both only pending.
  const spends = pay("dave", "erin", 0, { amount: 1_000_000_000 });
  const dependant = pay("erin", "bob", 0, { amount: 5_000 });
  const innocent = pay("alice", "bob", 0);
  assert.deepEqual(await admit(spends, dependant, innocent), ["pending", "pending", "pending"]);
  const first = build(undefined, [], "rival");
  const fates = await move([reward], [first, build(first, [], "rival")]);
  assert.deepEqual(
    fates.map((fate) => [fate.txid, fate.fate, fate.fate === "dropped" && fate.rule]),
    [
      [spends.txid, "dropped", "TX-09"],
      [dependant.txid, "dropped", "TX-09"],
    ],
  );
  assert.deepEqual(
    [...pool.mempool.entries()].map(({ transaction }) => transaction.txid),
    [innocent.txid],
  );
});

test("what a conflict leaves unpaid goes too", async () => {
  const { pool, admit, build, move } = createLab();
  const funding = pay("alice", "dave", 0, { amount: 1_000_000 });
  const dependant = pay("dave", "bob", 0);
  assert.deepEqual(await admit(funding, dependant), ["pending", "pending"]);
  const rival = pay("alice", "carol", 0);
  assert.deepEqual(
    (await move([], [build(undefined, [rival])])).map(({ txid, fate }) => [txid, fate]),
    [
      [funding.txid, "conflicted"],
      [dependant.txid, "dropped"],
    ],
  );
  assert.equal(pool.mempool.size, 0);
});

test("a returned transfer that has expired meanwhile is dropped by its rule", async () => {
  const { build, move } = createLab();
  const brief = pay("alice", "bob", 0, { expiry: 1 });
  const old = build(undefined, [brief]);
  await move([], [old]);
  const first = build(undefined, [], "rival");
  const [fate] = await move([old], [first, build(first, [], "rival")]);
  assert.deepEqual(
    [fate?.txid, fate?.fate, fate?.fate === "dropped" && fate.rule],
    [brief.txid, "dropped", "TX-07"],
  );
});

test("bad signatures and other chains' transfers are their sender's fault; an empty purse is not", async () => {
  const { pool } = createLab();
  const good = pay("alice", "bob", 0);
  const forged = sealTransaction({ ...good.transaction, signature: new Uint8Array(64).fill(1) });
  const foreign = pay("alice", "bob", 0, { chain: new Uint8Array(32).fill(9) });
  const poor = pay("dave", "bob", 0);
  const judged = await pool.admit([forged, foreign, poor, good]);
  assert.deepEqual(
    judged.map(({ admission, senderAtFault }) => [
      admission.status === "refused" ? admission.rule : admission.status,
      senderAtFault,
    ]),
    [
      ["TX-03", true],
      ["TX-02", true],
      ["TX-09", false],
      ["pending", false],
    ],
  );
});

test("case 26: a node that is syncing takes no transactions in, and says so", async () => {
  const { pool } = createLab(true);
  const [judged] = await pool.admit([pay("alice", "bob", 0)]);
  assert.deepEqual(
    [judged?.admission.status === "refused" && judged.admission.rule, judged?.senderAtFault],
    ["MEM-04", false],
  );
  assert.equal(pool.mempool.size, 0);
});
