import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReorgRecord } from "../../../../src/chain/index.ts";
import type { TransactionHappening } from "../../../../src/mempool/index.ts";
import { openTransactionLives } from "../../../../src/node/timeline/lives.ts";
import { presentLife } from "../../../../src/node/transaction-life.ts";
import {
  createManualClock,
  createManualTimers,
  type MemoryStoreData,
  silentLogger,
} from "../../../../src/ports/index.ts";
import { transfer } from "../../../support/block-builder.ts";
import { streamGenesis } from "../../../support/seeded-stream.ts";
import { openTestLog } from "../../../support/timeline-lab.ts";

const genesis = streamGenesis();
const idOf = (n: number): string => n.toString(16).padStart(64, "0");
const received = (timeMs: number, peer: string | null = null): TransactionHappening => ({
  what: "received",
  timeMs,
  peer,
});
const mined = (timeMs: number, block: string): TransactionHappening => ({
  what: "mined",
  timeMs,
  block,
  height: 1,
});

/** One start of a node over `data`. */
async function start(data: MemoryStoreData, options: { maxLives?: number; records?: ReorgRecord[] } = {}) {
  const clock = createManualClock();
  const { records = [], ...bounds } = options;
  const timers = createManualTimers(clock);
  const log = await openTestLog(data, { genesis });
  const lives = await openTransactionLives(
    {
      log,
      timers,
      logger: silentLogger,
      reorgs: async ({ limit }) => records.toReversed().slice(0, limit),
      lastReorg: () => records.length,
      receivedMs: async (block) => (block === idOf(8) ? 4 : undefined),
    },
    bounds,
  );
  const whats = async (txid: string) => (await lives.get(txid))?.happenings.map(({ what }) => what);
  return {
    ...{ log, lives, timers, whats },
    async end() {
      await lives.close();
      await log.close();
    },
  };
}

test("a life goes on over restarts; what the next start takes in again was not received anew", async () => {
  const data: MemoryStoreData = new Map();
  const first = await start(data);
  first.lives.note("a".repeat(64), received(1, "peer"));
  assert.deepEqual(await first.whats("a".repeat(64)), ["received"], "also before it is written");
  await first.end();
  const second = await start(data);
  second.lives.note("a".repeat(64), received(5));
  second.lives.note("a".repeat(64), mined(6, idOf(3)));
  await second.end();
  const third = await start(data);
  assert.deepEqual((await third.lives.get("a".repeat(64)))?.happenings, [
    received(1, "peer"),
    mined(6, idOf(3)),
  ]);
  assert.equal(await third.lives.get("b".repeat(64)), undefined);
});

test("what was dropped is kept whole, and what is pending or mined is not kept twice", async () => {
  const data: MemoryStoreData = new Map();
  const spend = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
  const first = await start(data);
  first.lives.note(spend.txid, received(1), spend);
  first.timers.advance(1_000);
  assert.equal((await first.lives.get(spend.txid))?.transaction, undefined);
  first.lives.note(spend.txid, { what: "conflicted", timeMs: 2, by: idOf(9) }, spend);
  await first.end();
  const second = await start(data);
  assert.deepEqual((await second.lives.get(spend.txid))?.transaction?.bytes, spend.bytes);
});

test("lives are bounded: the quietest are forgotten, and a long one keeps its end", async () => {
  const data: MemoryStoreData = new Map();
  const { lives, timers, end } = await start(data, { maxLives: 100 });
  for (let n = 0; n < 1_000; n++) {
    lives.note(idOf(n), received(n));
    // One that is heard of again and again.
    lives.note(idOf(5_000), n % 2 === 0 ? received(n) : mined(n, idOf(n)));
    timers.advance(1_000);
    await lives.get(idOf(n));
  }
  await end();
  const rows = [...data.keys()].filter((key) => key.startsWith("t")).length;
  assert.ok(rows <= 150 && rows >= 50, `${rows} rows`);
  const again = await start(data, { maxLives: 100 });
  assert.equal(await again.whats(idOf(1)), undefined);
  assert.deepEqual(await again.whats(idOf(999)), ["received"]);
  assert.equal((await again.lives.get(idOf(5_000)))?.happenings.length, 32);
});

test("fates of a reorg that a crash kept from being written are taken from its record, once", async () => {
  const data: MemoryStoreData = new Map();
  const first = await start(data);
  first.lives.note(idOf(1), received(1));
  await first.end();
  const record = {
    startedMs: 7,
    blocksIn: [],
    transactions: [
      { txid: idOf(1), fate: "conflicted", by: idOf(2) },
      { txid: idOf(3), fate: "returned" },
    ],
  } as unknown as ReorgRecord;
  for (let round = 0; round < 2; round++) {
    const again = await start(data, { records: [record] });
    assert.deepEqual(await again.whats(idOf(1)), ["received", "conflicted"]);
    assert.deepEqual(await again.whats(idOf(3)), ["returned"]);
    await again.end();
  }
});

test("a block that a transaction left was one that it was in, also where that was not written before a crash", async () => {
  const { lives } = await start(new Map());
  lives.note(idOf(1), received(1));
  lives.note(idOf(1), { what: "disconnected", timeMs: 9, block: idOf(8), height: 2 });
  assert.deepEqual((await lives.get(idOf(1)))?.happenings.slice(1), [
    { what: "mined", timeMs: 4, block: idOf(8), height: 2 },
    { what: "disconnected", timeMs: 9, block: idOf(8), height: 2 },
  ]);
});

test("damaged rows of lives are as good as none", async () => {
  const data: MemoryStoreData = new Map();
  const first = await start(data);
  first.lives.note(idOf(1), received(1));
  await first.end();
  for (const [key, row] of data)
    if (key.startsWith("t") || key === "mlives") data.set(key, { ...row, value: Uint8Array.of(1, 2, 3) });
  const again = await start(data);
  assert.equal(await again.whats(idOf(1)), undefined);
  again.lives.note(idOf(1), received(2));
  await again.end();
});

test("the end of a life is what the chain says: after a crash it is completed, and what never came to be is left out", () => {
  const [here, lost] = [idOf(1), idOf(2)];
  const options = { isConnected: (block: string) => block === here, startedMs: 100 };
  const whats = (
    happenings: TransactionHappening[],
    present: Partial<Parameters<typeof presentLife>[1]> = {},
  ) =>
    presentLife(happenings, { isPending: false, mined: undefined, ...present }, options).map((one) =>
      one.what === "dropped" ? one.rule : one.what,
    );
  const place = { mined: { block: here, height: 1, timeMs: 50 } };
  assert.deepEqual(whats([received(1)], place), ["received", "mined"]);
  assert.deepEqual(whats([received(1), mined(2, here)], place), ["received", "mined"]);
  assert.deepEqual(whats([received(1)]), ["received", "MEM-06"]);
  assert.deepEqual(whats([received(1)], { isPending: true }), ["received"]);
  assert.deepEqual(whats([received(1), mined(2, lost)]), ["received", "MEM-06"]);
  assert.deepEqual(whats([received(101)]), ["received"], "of this start all is known");
  assert.deepEqual(whats([received(1), { what: "conflicted", timeMs: 2, by: lost }]), [
    "received",
    "conflicted",
  ]);
  assert.deepEqual(whats([], place), [], "it was never pending here");
});
