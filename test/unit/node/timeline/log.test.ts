import assert from "node:assert/strict";
import { test } from "node:test";
import { entryKey, type NewEntry } from "../../../../src/node/timeline/rows.ts";
import { createMemoryStore, type MemoryStoreData, StoreError } from "../../../../src/ports/index.ts";
import { testGenesis } from "../../../support/block-builder.ts";
import { streamGenesis } from "../../../support/seeded-stream.ts";
import { allEntries, openTestLog } from "../../../support/timeline-lab.ts";

const genesis = streamGenesis();
const peer = (n: number): NewEntry => ({
  type: "peer",
  timeMs: n,
  data: { peer: "peer", connected: true, reason: null },
});
const idOf = (n: number): string => n.toString(16).padStart(64, "0");
const header = (n: number): NewEntry => ({
  type: "header",
  timeMs: n,
  data: {
    id: idOf(n),
    height: n,
    parent: idOf(n - 1),
    work: "1",
    difficulty: "1",
    timestampMs: n,
    proposer: "cum1",
    peer: null,
    via: "mined",
  },
});
const arrivalOf = (n: number) => ({
  headerMs: n,
  headerPeer: null,
  bodyMs: null,
  bodyPeer: null,
  via: "mined" as const,
});

test("numbers go on without a gap over clean ends and kills", async () => {
  const data: MemoryStoreData = new Map();
  const first = await openTestLog(data, { genesis });
  assert.deepEqual([first.firstSequence, first.lastSequence], [0, 0]);
  assert.deepEqual(await Promise.all([1, 2, 3].map((n) => first.add(peer(n)))), [1, 2, 3]);
  await first.close();
  const second = await openTestLog(data, { genesis });
  assert.deepEqual([second.firstSequence, second.lastSequence], [1, 3]);
  assert.equal(await second.add(peer(4)), 4);
  // A kill: what was written is there, what was only handed over is not, and its number is given anew.
  const before = new Map(data);
  const lost = second.add(peer(5));
  const third = await openTestLog(before, { genesis });
  assert.equal(await lost, 5);
  assert.equal(await third.add(peer(50)), 5);
  assert.deepEqual(
    (await allEntries(third)).map(({ sequence, timeMs }) => [sequence, timeMs]),
    [1, 2, 3, 4, 50].map((timeMs, i) => [i + 1, timeMs]),
  );
});

test("pages go both ways from any number, and say where they end", async () => {
  const log = await openTestLog(new Map(), { genesis });
  for (let n = 1; n <= 10; n++) void log.add(peer(n));
  const numbers = async (options: Partial<Parameters<typeof log.page>[0]>) => {
    const { items, next } = await log.page({ limit: 4, order: "oldest", ...options });
    return [items.map(({ sequence }) => sequence), next];
  };
  assert.deepEqual(await numbers({}), [[1, 2, 3, 4], "4"]);
  assert.deepEqual(await numbers({ after: 4 }), [[5, 6, 7, 8], "8"]);
  assert.deepEqual(await numbers({ after: 8 }), [[9, 10], null]);
  assert.deepEqual(await numbers({ after: 10 }), [[], null]);
  assert.deepEqual(await numbers({ after: 99 }), [[], null]);
  assert.deepEqual(await numbers({ order: "newest" }), [[10, 9, 8, 7], "7"]);
  assert.deepEqual(await numbers({ order: "newest", after: 3 }), [[2, 1], null]);
  assert.deepEqual(await numbers({ order: "newest", after: 1 }), [[], null]);
  assert.deepEqual(await numbers({ order: "newest", after: 0 }), [[], null]);
});

test("the oldest entries go, and with a header its arrival", async () => {
  const data: MemoryStoreData = new Map();
  const log = await openTestLog(data, { genesis, maxEntries: 100 });
  for (let n = 1; n <= 1_000; n++) await log.add(header(n), { id: idOf(n), arrival: arrivalOf(n) });
  assert.deepEqual([log.firstSequence, log.lastSequence], [901, 1_000]);
  assert.equal(data.size, 2 + 100 + 100);
  assert.deepEqual(await log.arrivals([idOf(900), idOf(901)]), [undefined, arrivalOf(901)]);
  await log.close();
  const again = await openTestLog(data, { genesis, maxEntries: 10 });
  assert.deepEqual([again.firstSequence, again.lastSequence], [901, 1_000]);
  await again.add(peer(1));
  assert.equal(again.firstSequence, 992);
});

test("damaged rows are left out, and a store of another chain or version is begun anew", async () => {
  const data: MemoryStoreData = new Map();
  const log = await openTestLog(data, { genesis });
  for (let n = 1; n <= 3; n++) await log.add(peer(n));
  const store = createMemoryStore(data);
  await store.write(
    [
      { key: entryKey(2), value: new TextEncoder().encode("not JSON") },
      { key: new TextEncoder().encode("e"), value: new Uint8Array() },
      { key: new TextEncoder().encode("eeee"), value: new Uint8Array() },
    ],
    { sync: false },
  );
  const again = await openTestLog(data, { genesis });
  assert.equal(await again.add(peer(4)), 4);
  assert.deepEqual(
    (await allEntries(again)).map(({ sequence }) => sequence),
    [1, 3, 4],
  );
  const other = await openTestLog(data, { genesis: testGenesis({ name: "other" }) });
  assert.equal(await other.add(peer(1)), 1);
});

test("a disk that is full switches the timeline off, says so, and fails nobody who notes something", async () => {
  let isFull = false;
  const log = await openTestLog(new Map(), {
    genesis,
    wrap: (store) => ({
      ...store,
      write: async (...args) => {
        if (isFull) throw new StoreError("STORE_FULL", "no space left on device");
        await store.write(...args);
      },
    }),
  });
  assert.equal(await log.add(peer(1)), 1);
  isFull = true;
  assert.deepEqual(await Promise.all([log.add(peer(2)), log.add(peer(3))]), [undefined, undefined]);
  isFull = false;
  assert.equal(await log.add(peer(4)), undefined, "also when there is room again: numbers would be missing");
  assert.deepEqual([log.isOn, log.problem, log.lastSequence], [false, "no space left on device", 1]);
  await log.close();
});

test("while a disk is slow no more waits than is bounded; what is above has no number", async () => {
  const held = Promise.withResolvers<void>();
  let isSlow = false;
  const log = await openTestLog(new Map(), {
    genesis,
    wrap: (store) => ({
      ...store,
      write: async (...args) => {
        if (isSlow) await held.promise;
        await store.write(...args);
      },
    }),
  });
  isSlow = true;
  const numbers = Array.from({ length: 30_000 }, (_, n) => log.add(peer(n)));
  held.resolve();
  const taken = (await Promise.all(numbers)).filter((number) => number !== undefined);
  assert.equal(taken.length, 20_000);
  assert.deepEqual(
    taken,
    taken.map((_, i) => i + 1),
  );
  assert.equal(await log.add(peer(1)), 20_001);
});

test("whoever reads after rows were handed over finds them, also while a batch before them is being written", async () => {
  const gate = Promise.withResolvers<void>();
  let batches = 0;
  const log = await openTestLog(new Map(), {
    genesis,
    wrap: (store) => ({
      ...store,
      async write(writes, options) {
        // The first is what a new timeline says of itself.
        if (++batches === 2) await gate.promise;
        // No disk takes a batch within one step.
        await new Promise((resolve) => setImmediate(resolve));
        await store.write(writes, options);
      },
    }),
  });
  const key = Uint8Array.of(0x7a, 1);
  void log.add(peer(1));
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(batches, 2);
  log.addWrites([{ key, value: Uint8Array.of(9) }]);
  const reading = log.read([key]);
  gate.resolve();
  assert.deepEqual(await reading, [Uint8Array.of(9)]);
  await log.close();
});
