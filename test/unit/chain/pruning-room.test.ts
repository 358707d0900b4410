import assert from "node:assert/strict";
import { test } from "node:test";
import { PART_ROWS } from "../../../src/chain/base-copy.ts";
import { keys, tableRange } from "../../../src/chain/schema.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryStore,
  type KeyRange,
  type KeyValueStore,
  type ManualClock,
  type MemoryStoreData,
} from "../../../src/ports/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";
import { until } from "../../support/until.ts";

const genesis = testGenesis();
const DEPTH = 4;

/** A store that notes which ranges were compacted. */
function createNotingStore(data: MemoryStoreData) {
  const store = createMemoryStore(data);
  const compacted: KeyRange[] = [];
  const noting: KeyValueStore = {
    ...store,
    async compact(ranges) {
      compacted.push(...ranges);
      await store.compact(ranges);
    },
  };
  return { store: noting, compacted };
}

const bodiesIn = (ranges: readonly KeyRange[]): KeyRange[] =>
  ranges.filter(({ gte }) => gte[0] === keys.body("")[0]);

test("room is given back when as many blocks were deleted as are kept", async () => {
  const { store, compacted } = createNotingStore(new Map());
  const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH });
  const given: number[] = [];
  for (const block of createBlockBuilder(genesis).extend(20)) {
    await importAll(chain, [block]);
    await chain.prune();
    if (bodiesIn(compacted.splice(0)).length > 0) given.push(block.header.header.core.height);
  }
  // Rounds are at 6, 8, 10, ...; each deletes two, and four are kept.
  assert.deepEqual(given, [8, 12, 16, 20]);
  await chain.close();
});

/** A store in which a copy of the state takes seconds: as long as its way out of the log. */
function createSlowStore(clock: ManualClock): KeyValueStore {
  const store = createMemoryStore();
  return {
    ...store,
    async compact(ranges) {
      if (ranges.length === 0) clock.advance(1_000);
      await store.compact(ranges);
    },
  };
}

test("rounds take a tenth of the time at most, however fast the blocks come", async () => {
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 86_400_000);
  const slow = createSlowStore(clock);
  const chain = await openTestChain(genesis, { store: slow, clock, pruneDepth: DEPTH });
  const rounds: number[] = [];
  for (const block of createBlockBuilder(genesis).extend(40)) {
    await importAll(chain, [block]);
    clock.advance(500);
    const before = chain.firstHeight;
    await chain.prune();
    if (chain.firstHeight > before) rounds.push(clock.monotonicMs());
  }
  assert.ok(rounds.length >= 2);
  for (const [i, atMs] of rounds.slice(1).entries()) assert.ok(atMs - (rounds[i] ?? 0) >= 9_000, `${rounds}`);
  await chain.close();
});

test("after a deletion that was interrupted it is given back in parts with as many blocks each, and none is left out", async () => {
  const data: MemoryStoreData = new Map();
  const chain = await openTestChain(genesis, { store: createMemoryStore(data), pruneDepth: DEPTH });
  const blocks = createBlockBuilder(genesis).extend(600);
  await importAll(chain, blocks);
  await chain.prune();
  await chain.close();
  const unfinished = { key: keys.meta("pruned"), value: new TextEncoder().encode("3") };
  await createMemoryStore(data).write([unfinished], { sync: true });
  const { store, compacted } = createNotingStore(data);
  const again = await openTestChain(genesis, { store });
  await again.prune();
  await again.close();
  const parts = bodiesIn(compacted);
  assert.equal(parts.length, 3);
  const { gte, lt } = tableRange("bodies");
  assert.deepEqual([parts[0]?.gte, parts.at(-1)?.lt], [gte, lt]);
  for (const [i, part] of parts.slice(1).entries()) assert.deepEqual(part.gte, parts[i]?.lt);
  const bodies = blocks.map(({ header }) => keys.body(header.id));
  for (const { gte: from, lt: to } of parts) {
    const count = bodies.filter(
      (key) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0,
    ).length;
    assert.ok(Math.abs(count - 200) <= 5, `${count} of 600`);
  }
});

test("the room of copies of a large state is given back in parts that a stop need not wait for", async () => {
  const data: MemoryStoreData = new Map();
  // What a crash has left of a copy.
  const left = Array.from({ length: 2.5 * PART_ROWS }, (_, i) => keys.baseAccount(1_000, i));
  const value = new Uint8Array(1);
  await createMemoryStore(data).write(
    left.map((key) => ({ key, value })),
    { sync: true },
  );
  const { store, compacted } = createNotingStore(data);
  const chain = await openTestChain(genesis, { store, pruneDepth: DEPTH });
  await importAll(chain, createBlockBuilder(genesis).extend(20));
  await chain.prune();
  await chain.close();
  const { gte, lt } = tableRange("baseAccounts");
  const parts = compacted.filter((part) => part.gte[0] === gte[0]);
  assert.deepEqual([parts.length, parts[0]?.gte, parts.at(-1)?.lt], [3, gte, lt]);
  for (const [i, part] of parts.slice(1).entries()) assert.deepEqual(part.gte, parts[i]?.lt);
  assert.deepEqual([parts[1]?.gte, parts[2]?.gte], [left[PART_ROWS - 1], left[2 * PART_ROWS - 1]]);
});

test("a round that is due in the rest after the last one comes by itself, though no block does", async () => {
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 86_400_000);
  const timers = createManualTimers(clock);
  let usedUpTo = 0;
  const options = {
    store: createSlowStore(clock),
    clock,
    timers,
    pruneDepth: DEPTH,
    usedUpTo: () => usedUpTo,
  };
  const chain = await openTestChain(genesis, options);
  await importAll(chain, createBlockBuilder(genesis).extend(20));
  usedUpTo = 6;
  await chain.prune();
  assert.deepEqual([chain.firstHeight, timers.pending], [7, 0]);
  usedUpTo = 20;
  await chain.prune();
  await chain.prune();
  assert.deepEqual([chain.firstHeight, timers.pending], [7, 1]);
  timers.advance(9_000);
  await until("the round is over", () => chain.firstHeight === 17);
  assert.equal(timers.pending, 0);
  const more = createBlockBuilder(genesis).extend(22).slice(20);
  await importAll(chain, more);
  await chain.prune();
  assert.equal(timers.pending, 1);
  await chain.close();
  assert.equal(timers.pending, 0, "none keeps a closed chain's process");
});
