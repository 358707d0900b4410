import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createPoolFile } from "../../../src/node/pool-file.ts";
import { createManualTimers } from "../../../src/ports/index.ts";
import { testGenesis, transfer } from "../../support/block-builder.ts";
import { openPool } from "../../support/pool-lab.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";

const genesis = testGenesis();
const pay = (from: string, nonce: number, to = "zoe") =>
  transfer(genesis, { from, to, nonce, amount: 200_000 });

async function setUp(path: string, rules = genesis) {
  const { pool, clock, chain } = await openPool(rules);
  const timers = createManualTimers(clock);
  const logger = createRecordingLogger();
  const file = createPoolFile(
    { mempool: pool.mempool, admit: pool.admit, timers, logger },
    { path, chainId: rules.chainId },
  );
  return { pool, chain, clock, timers, logger, file };
}

test("case 25: what is pending waits on after a restart, gaps and borrowed money included", async (t) => {
  const path = join(await temporaryDirectory(t), "mempool.bin");
  const first = await setUp(path);
  // Zoe has nothing but what alice's pending transfer brings; bob's nonce 1 is missing.
  const all = [
    pay("alice", 0),
    transfer(genesis, { from: "zoe", to: "bob", nonce: 0, amount: 5_000 }),
    pay("bob", 0),
    pay("bob", 2),
    pay("bob", 3),
  ];
  await first.pool.admit(all);
  assert.equal(first.pool.mempool.size, 5);
  await first.file.stop();
  assert.equal((await stat(path)).mode & 0o777, 0o600);

  const second = await setUp(path);
  await second.file.restore();
  assert.deepEqual(
    new Set([...second.pool.mempool.entries()].map(({ transaction }) => transaction.txid)),
    new Set(all.map(({ txid }) => txid)),
  );
  await second.file.stop();
});

test("case 25: one that pays more than the pending one it lives on comes back too", async (t) => {
  const path = join(await temporaryDirectory(t), "mempool.bin");
  const first = await setUp(path);
  const spending = transfer(genesis, { from: "zoe", to: "bob", nonce: 0, amount: 5_000, fee: 50_000 });
  await first.pool.admit([pay("alice", 0), spending]);
  assert.equal(first.pool.mempool.size, 2);
  await first.file.stop();
  const second = await setUp(path);
  await second.file.restore();
  assert.equal(second.pool.mempool.size, 2);
  await second.file.stop();
});

test("case 25: what a node that begins to sync cannot judge is taken back when it has synced, and saved if it stops before", async (t) => {
  const path = join(await temporaryDirectory(t), "mempool.bin");
  const first = await setUp(path);
  await first.pool.admit([pay("alice", 0), pay("alice", 1), pay("bob", 0)]);
  await first.file.stop();

  const second = await setUp(path);
  let isSyncing = true;
  const admit: typeof second.pool.admit = async (transactions) => {
    if (!isSyncing) return await second.pool.admit(transactions);
    const admission = { status: "refused", rule: "MEM-04", detail: "the node is syncing" } as const;
    return transactions.map((transaction) => ({ transaction, admission, senderAtFault: false }));
  };
  const open = () =>
    createPoolFile({ ...second, mempool: second.pool.mempool, admit }, { path, chainId: genesis.chainId });
  const interrupted = open();
  let goesOn = false;
  void interrupted.restore().then(() => {
    goesOn = true;
  });
  // A start has other things to do than to wait for the end of a sync.
  await until("the start goes on", () => {
    second.timers.advance(1_000);
    return goesOn;
  });
  await second.pool.admit([pay("carol", 0)]);
  await interrupted.stop();
  second.pool.mempool.removeMined([pay("carol", 0)]);

  const last = open();
  const restored = last.restore();
  isSyncing = false;
  await until("all are back", () => {
    second.timers.advance(1_000);
    return second.pool.mempool.size === 4;
  });
  await restored;
  await last.stop();
});

test("it is saved as time passes, and only when something has changed", async (t) => {
  const path = join(await temporaryDirectory(t), "mempool.bin");
  const { pool, timers, file } = await setUp(path);
  file.start();
  const isThere = () =>
    readFile(path).then(
      () => true,
      () => false,
    );
  timers.advance(30_000);
  assert.equal(await isThere(), false);
  await pool.admit([pay("alice", 0)]);
  await until("it is saved", async () => {
    timers.advance(30_000);
    return await isThere();
  });
  await file.stop();
});

test("case 25: a file that is damaged, cut off, empty or of another chain costs what was in it, and not the start", async (t) => {
  const path = join(await temporaryDirectory(t), "mempool.bin");
  const { pool, file } = await setUp(path);
  await pool.admit([pay("alice", 0)]);
  await file.stop();
  const good = await readFile(path);
  const damages: readonly (readonly [Uint8Array, RegExp])[] = [
    [good.with(60, (good[60] ?? 0) ^ 1), /damaged/],
    [good.subarray(0, good.length - 1), /damaged/],
    [new Uint8Array(), /no mempool of this version/],
    [new Uint8Array(100_000), /no mempool of this version/],
  ];
  for (const [bytes, problem] of damages) {
    await writeFile(path, bytes);
    const again = await setUp(path);
    await again.file.restore();
    assert.equal(again.pool.mempool.size, 0);
    assert.match(String(again.logger.lines[0]?.["problem"]), problem);
  }
  await writeFile(path, good);
  const other = await setUp(path, testGenesis({ salt: "01".repeat(16) }));
  await other.file.restore();
  assert.match(String(other.logger.lines[0]?.["problem"]), /another chain's/);
});
