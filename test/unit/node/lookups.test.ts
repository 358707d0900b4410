import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceError } from "../../../src/api/index.ts";
import type { Chain } from "../../../src/chain/index.ts";
import { createLookups, findFate } from "../../../src/node/lookups.ts";
import { treePage } from "../../../src/node/tree-view.ts";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { importAll } from "../../support/chain-lab.ts";
import { openPool } from "../../support/pool-lab.ts";

const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
const pays = [0, 1].map((nonce) => transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce }));
const blocks = [
  ...builder.extend(4),
  builder.build({ transactions: [pays[0] as (typeof pays)[0]] }),
  ...builder.extend(30),
  builder.build({ transactions: [pays[1] as (typeof pays)[0]] }),
];
const [early, late] = pays.map(({ txid }) => txid) as [string, string];
const idOf = (height: number): string => blocks[height - 1]?.header.id ?? "";

/** With a round of pruning after each, so that none begins later than it may. */
async function importPruning(chain: Chain, more: readonly Block[]): Promise<void> {
  for (const block of more) {
    await importAll(chain, [block]);
    await chain.prune();
  }
}

/** 36 blocks, of which those from 26 on are kept. */
async function openPruned(t: { after(end: () => Promise<void>): void }) {
  const { chain, pool } = await openPool(genesis, { pruneDepth: 10 });
  t.after(() => chain.close());
  // It saw the first one pending, and knows what became of it.
  await pool.admit(pays.slice(0, 1));
  await importPruning(chain, blocks);
  assert.equal(chain.firstHeight, 26);
  return { chain, pool, lookups: createLookups({ chain, pool, timeline: noTimeline }) };
}

const gone = (code: string, told: Record<string, unknown>) => (error: unknown) => {
  const { code: actual, status, message, details } = error as ServiceError;
  assert.deepEqual([actual, status], [code, 410]);
  assert.match(message, /was pruned here: this node keeps blocks from height 26 on; ask a full node$/);
  for (const [key, value] of Object.entries(told)) assert.deepEqual(details[key], value, key);
  return true;
};

const noTimeline = { arrivals: async () => [], life: async () => undefined, startedMs: 0 };

test("a pruned block is told as gone, with its header and where to ask; what is kept is shown whole", async (t) => {
  const { chain, lookups } = await openPruned(t);
  await assert.rejects(
    lookups.block({ height: 5 }),
    gone("BLOCK_PRUNED", { block: idOf(5), height: 5, firstHeight: 26 }),
  );
  const error = (await lookups.block({ id: idOf(25) }).catch((thrown) => thrown)) as ServiceError;
  const header = error.details["header"] as Record<string, unknown>;
  assert.deepEqual(
    [header["id"], header["parent"], header["state"], header["depth"], header["transactions"]],
    [idOf(25), idOf(24), "best", 12, null],
  );
  assert.deepEqual((await lookups.block({ height: 26 }))?.transactions, []);
  assert.deepEqual(
    (await lookups.block({ height: 36 }))?.transactions?.map(({ id }) => id),
    [late],
  );
  assert.deepEqual((await lookups.block({ height: 0 }))?.transactions, []);
  assert.equal(await lookups.block({ height: 37 }), undefined);
  const { items } = await treePage(chain, { depth: 36, limit: 100 });
  assert.deepEqual(
    items.filter(({ hasBody }) => !hasBody).map(({ height }) => height),
    Array.from({ length: 25 }, (_, i) => i + 1),
    "lists go on, and say what is whole",
  );
});

test("a transaction whose block was pruned is told as gone while it is known; one that never was here is not", async (t) => {
  const { lookups } = await openPruned(t);
  await assert.rejects(lookups.transaction(early), gone("TRANSACTION_PRUNED", { id: early, height: 5 }));
  assert.equal((await lookups.transaction(late))?.fate.state, "mined");
  assert.equal(await lookups.transaction("e".repeat(64)), undefined);
});

test("a transaction's fate is told without reading its block, which an event of each of a full block's would do again", async (t) => {
  const { chain, pool } = await openPool(genesis);
  t.after(() => chain.close());
  await pool.admit(pays);
  assert.deepEqual(await findFate({ chain, pool }, late), { state: "pending" });
  await importAll(chain, blocks);
  const unread = Object.assign(Object.create(chain.blocks), {
    block: () => assert.fail("a block was read"),
  });
  const deps = { chain: Object.create(chain, { blocks: { value: unread } }) as Chain, pool };
  assert.deepEqual(await findFate(deps, late), { state: "mined", block: idOf(36), height: 36, depth: 1 });
  assert.deepEqual(await findFate(deps, early), { state: "mined", block: idOf(5), height: 5, depth: 32 });
  assert.equal(await findFate(deps, "e".repeat(64)), undefined);
});

test("a block that is pruned while it is being read is told as gone, not as damaged", async (t) => {
  const { chain, pool } = await openPool(genesis, { pruneDepth: 10 });
  t.after(() => chain.close());
  await importAll(chain, blocks.slice(0, 14));
  const read = chain.blocks.block.bind(chain.blocks);
  const blocksBeingPruned = Object.assign(Object.create(chain.blocks), {
    async block(id: string) {
      await importPruning(chain, blocks.slice(14));
      return await read(id);
    },
  });
  const chainBeingPruned = Object.create(chain, { blocks: { value: blocksBeingPruned } });
  const lookups = createLookups({ chain: chainBeingPruned, pool, timeline: noTimeline });
  await assert.rejects(lookups.block({ height: 5 }), gone("BLOCK_PRUNED", { height: 5 }));
});
