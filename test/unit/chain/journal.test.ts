import assert from "node:assert/strict";
import { test } from "node:test";
import { checkJournal, createJournal } from "../../../src/chain/journal.ts";
import { createMemoryStore, type KeyValueStore, type MemoryStoreData } from "../../../src/ports/index.ts";

const BUFFER = 1_000;
const HEAD = "ab".repeat(32);
const storeOf = (data: MemoryStoreData): KeyValueStore => ({
  ...createMemoryStore(data),
  writeBufferBytes: BUFFER,
});
const linkKeys = (data: MemoryStoreData): string[] =>
  [...data.keys()].filter((key) => key.startsWith("s")).sort();

/** Commits batches of so many bytes each. */
async function commitAll(data: MemoryStoreData, sizes: readonly number[]): Promise<void> {
  const store = storeOf(data);
  const journal = createJournal(store, await checkJournal(store));
  for (const [i, size] of sizes.entries()) {
    const key = new TextEncoder().encode(`x${i}`);
    await journal.commit([{ key, value: new Uint8Array(size - key.length) }], HEAD);
  }
}

test("a chain of batches is whole as it was written, over restarts, and its links stay bounded", async () => {
  const data: MemoryStoreData = new Map();
  for (let restart = 0; restart < 20; restart++) {
    await commitAll(data, [100, 300, 50, 2_000, 10]);
    const check = await checkJournal(storeOf(data));
    assert.deepEqual(check.stranded, []);
    assert.equal(check.last?.sequence, (restart + 1) * 5);
  }
  assert.ok(linkKeys(data).length < 30, `${linkKeys(data).length} links are kept`);
});

test("any one link missing from what two logs may hold is noticed, however large the batches after it", async () => {
  for (const sizes of [
    [10, 900, 10, 10, 900, 10],
    // A small batch, then a huge one that closes the log, then the next log.
    [10, 20_000, 10],
    [10, 20_000, 10, 20_000],
    [500, 499, 50_000, 999, 50_000],
  ]) {
    const whole: MemoryStoreData = new Map();
    await commitAll(whole, [...Array.from({ length: 30 }, () => 400), ...sizes]);
    const suspects = linkKeys(whole).slice(-sizes.length, -1);
    for (const lost of suspects) {
      const data = new Map(whole);
      data.delete(lost);
      const check = await checkJournal(storeOf(data));
      assert.ok(check.stranded.length > 0, `sizes ${sizes}, lost link ${linkKeys(whole).indexOf(lost)}`);
    }
  }
});

test("a link that does not follow from the one before it is a gap, and so is everything after it", async () => {
  const data: MemoryStoreData = new Map();
  await commitAll(data, [10, 10, 10, 10]);
  const key = linkKeys(data)[2] ?? "";
  const entry = data.get(key);
  assert.ok(entry);
  const value = entry.value.slice();
  value[0] = (value[0] ?? 0) ^ 1;
  data.set(key, { ...entry, value });
  const check = await checkJournal(storeOf(data));
  assert.deepEqual([check.last?.sequence, check.stranded], [2, [3, 4]]);
});

test("a link that cannot be read is a gap too, be it the first or the last", async () => {
  for (const [lost, whole] of [
    [0, 0],
    [2, 2],
    [3, 3],
  ] as const) {
    const data: MemoryStoreData = new Map();
    await commitAll(data, [10, 10, 10, 10]);
    const key = linkKeys(data)[lost] ?? "";
    const entry = data.get(key);
    assert.ok(entry);
    data.set(key, { ...entry, value: entry.value.subarray(1) });
    const check = await checkJournal(storeOf(data));
    assert.deepEqual([check.last?.sequence ?? 0, check.stranded.length], [whole, 4 - whole]);
  }
});

test("a chain that does not reach back to its first batch, nor far enough, is not whole", async () => {
  const data: MemoryStoreData = new Map();
  await commitAll(data, [10, 10, 10]);
  data.delete(linkKeys(data)[0] ?? "");
  const check = await checkJournal(storeOf(data));
  assert.deepEqual([check.last, check.stranded], [undefined, [2, 3]]);
});

test("an empty store has an empty journal", async () => {
  assert.deepEqual(await checkJournal(storeOf(new Map())), { last: undefined, stranded: [], links: [] });
});
