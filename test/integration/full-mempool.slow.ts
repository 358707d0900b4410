import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type TestContext, test } from "node:test";
import type { Chain } from "../../src/chain/index.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createPoolFile } from "../../src/node/pool-file.ts";
import { createTransactionPool, type TransactionPool } from "../../src/node/transaction-pool.ts";
import { createManualClock, createManualTimers, silentLogger } from "../../src/ports/index.ts";
import { assembleBlock, encodeAddress, sealHeader } from "../../src/primitives/index.ts";
import { testGenesis } from "../support/block-builder.ts";
import { fromPeer, openTestChain } from "../support/chain-lab.ts";
import { createCrowd } from "../support/pending-crowd.ts";
import { proposer } from "../support/pool-lab.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const PENDING = 200_000;
const SENDERS = 2_000;
const BLOCKS = 20;
const BATCH = 1_000;
/** Far from the factor of a hundred that work on everything pending would make of it. */
const MOST_TIMES = 3;

const crowdKey = (sender: number) => createCrowd(testGenesis())({ sender, nonce: 0 }).senderBytes;
const genesis = testGenesis({
  difficultyBits: 0,
  maxBlockBytes: 256 * 1_024,
  allocations: Array.from({ length: SENDERS }, (_, sender) => ({
    address: encodeAddress(crowdKey(sender)),
    amount: 10_000_000_000,
  })),
});
const crowd = createCrowd(genesis);
/** The crowd has no signatures, and verifying them would hide what the mempool costs. */
const signatures = { findInvalid: async () => [] };

async function openNode(t: TestContext): Promise<{ chain: Chain; pool: TransactionPool }> {
  let opened: Chain | undefined;
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const pool = createTransactionPool({
    genesis,
    clock,
    signatures,
    chain: () => opened as Chain,
    isSyncing: () => false,
    onChange: () => {},
  });
  const store = await createLevelStore({ directory: join(await temporaryDirectory(t), "chain") });
  const chain = await openTestChain(genesis, { store, settle: pool.settle, clock, signatures });
  opened = chain;
  t.after(() => chain.close());
  return { chain, pool };
}

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const beganMs = performance.now();
  const result = await work();
  return { ms: performance.now() - beganMs, result };
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

test(`case 26: with ${PENDING} pending a block is imported about as fast as with none, and nothing holds up the event loop`, {
  timeout: 900_000,
}, async (t) => {
  const [empty, full] = [await openNode(t), await openNode(t)];
  const filled = await timed(async () => {
    for (let from = 0; from < PENDING; from += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, i) => {
        const [sender, nonce] = [(from + i) % SENDERS, Math.floor((from + i) / SENDERS)];
        return crowd({ sender, nonce, to: (sender * 7 + 1) % SENDERS, fee: 20_000 + ((from + i) % 997) });
      });
      await full.pool.admit(batch);
    }
  });
  assert.equal(full.pool.mempool.size, PENDING);
  t.diagnostic(`filling: ${(filled.ms / (PENDING / BATCH)).toFixed(1)} ms for each ${BATCH}`);

  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  const times: Record<"empty" | "full" | "template", number[]> = { empty: [], full: [], template: [] };
  let mined = 0;
  for (let i = 0; i < BLOCKS; i++) {
    const template = await timed(() =>
      full.chain.buildTemplate({ proposer, candidates: () => full.pool.mempool.select() }),
    );
    const { core, body } = template.result;
    const block = assembleBlock(sealHeader({ core, nonce: 0 }), body);
    mined += body.transactions.length;
    // In turns, so that whatever else the machine does meets both.
    const order = [["empty", empty] as const, ["full", full] as const];
    for (const [name, node] of i % 2 === 0 ? order : order.toReversed()) {
      const { ms, result } = await timed(() => node.chain.import(block, fromPeer()));
      assert.equal(result.status, "connected");
      times[name].push(ms);
    }
    times.template.push(template.ms);
  }
  assert.equal(full.pool.mempool.size, PENDING - mined);
  const [without, withAll, template] = [
    medianOf(times.empty),
    medianOf(times.full),
    medianOf(times.template),
  ];
  t.diagnostic(
    `${(mined / BLOCKS).toFixed(0)} transfers a block: import ${without.toFixed(1)} ms with 0 pending, ${withAll.toFixed(1)} ms with ${PENDING}: ${(withAll / without).toFixed(2)} times; template ${template.toFixed(1)} ms`,
  );
  t.diagnostic(
    `event loop: longest delay ${(delays.max / 1e6).toFixed(0)} ms, median ${(delays.percentile(50) / 1e6).toFixed(0)} ms`,
  );
  assert.ok(withAll < MOST_TIMES * without, `${withAll} ms is more than ${MOST_TIMES} times ${without} ms`);

  const path = join(await temporaryDirectory(t), "mempool.bin");
  const timers = createManualTimers(createManualClock());
  const file = createPoolFile(
    { mempool: full.pool.mempool, admit: full.pool.admit, timers, logger: silentLogger },
    { path, chainId: genesis.chainId },
  );
  // Only what has changed is saved.
  const [last] = full.pool.mempool.entriesAfter(PENDING - 2, 1);
  full.pool.mempool.removeUnexecutable([
    { txid: last?.transaction.txid ?? "", rule: "TX-09", detail: "in this test" },
  ]);
  delays.reset();
  const saved = await timed(() => file.stop());
  const { size } = await stat(path);
  t.diagnostic(
    `mempool.bin: ${(size / 1e6).toFixed(0)} MB in ${saved.ms.toFixed(0)} ms, longest delay meanwhile ${(delays.max / 1e6).toFixed(0)} ms`,
  );
  const again = await openNode(t);
  const reader = createPoolFile(
    { mempool: again.pool.mempool, admit: again.pool.admit, timers, logger: silentLogger },
    { path, chainId: genesis.chainId },
  );
  // On a node that has not the blocks: what follows those that were mined waits for them in vain, up to a bound.
  delays.reset();
  const restored = await timed(() => reader.restore());
  t.diagnostic(
    `restored ${again.pool.mempool.size} in ${restored.ms.toFixed(0)} ms, longest delay ${(delays.max / 1e6).toFixed(0)} ms`,
  );
  await reader.stop();
  delays.disable();
});
