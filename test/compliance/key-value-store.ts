import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type KeyRange, type KeyValueStore, StoreError, type StoreErrorCode } from "../../src/ports/index.ts";

/** A place where a store's data outlives the store. */
export interface StorePlace {
  open(): Promise<KeyValueStore>;
  remove(): Promise<void>;
}

const key = (...bytes: number[]) => Uint8Array.from(bytes);
const hasCode = (code: StoreErrorCode) => (error: unknown) =>
  error instanceof StoreError && error.code === code;
const everything: KeyRange = { gte: key(), lt: key(255, 255, 255) };

async function list(store: KeyValueStore, range: KeyRange): Promise<number[][]> {
  const found: number[][] = [];
  for await (const [k] of store.scan(range)) found.push([...k]);
  return found;
}

/** The promises of the key-value store port, for any implementation. */
export function describeKeyValueStore(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`key-value store port: ${name}`, () => {
    let place: StorePlace;
    let store: KeyValueStore;
    beforeEach(async () => {
      place = await createPlace();
      store = await place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });
    const put = (...keys: Uint8Array[]) =>
      store.write(
        keys.map((k) => ({ key: k, value: key(...k, 99) })),
        { sync: false },
      );

    test("what was written is read, by one or by many, in the order asked, with gaps undefined", async () => {
      await put(key(1), key(2));
      assert.deepEqual(await store.get(key(1)), key(1, 99));
      assert.equal(await store.get(key(3)), undefined);
      assert.deepEqual(await store.getMany([key(2), key(3), key(1)]), [key(2, 99), undefined, key(1, 99)]);
      assert.deepEqual(await store.getMany([]), []);
    });

    test("values may be empty and hold any byte", async () => {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const writes = [
        { key: key(0), value: new Uint8Array(0) },
        { key: all, value: all },
      ];
      await store.write(writes, { sync: true });
      assert.deepEqual(await store.get(key(0)), new Uint8Array(0));
      assert.deepEqual(await store.get(all), all);
    });

    test("a batch is applied in order: the last word on a key counts", async () => {
      const writes = [
        { key: key(1), value: key(1) },
        { key: key(1), value: undefined },
        { key: key(2), value: undefined },
        { key: key(2), value: key(2) },
      ];
      await store.write(writes, { sync: false });
      assert.deepEqual(await store.getMany([key(1), key(2)]), [undefined, key(2)]);
      await store.write([], { sync: true });
    });

    test("a scan gives the range in bytewise order, from gte to before lt", async () => {
      await put(key(200), key(1), key(1, 0), key(127), key(128), key(2));
      assert.deepEqual(await list(store, everything), [[1], [1, 0], [2], [127], [128], [200]]);
      assert.deepEqual(await list(store, { gte: key(1, 0), lt: key(128) }), [[1, 0], [2], [127]]);
      assert.deepEqual(await list(store, { ...everything, reverse: true, limit: 2 }), [[200], [128]]);
      assert.deepEqual(await list(store, { ...everything, limit: 0 }), []);
      assert.deepEqual(await list(store, { gte: key(9), lt: key(9) }), []);
    });

    test("a scan of many pages sees a snapshot, whatever is written meanwhile", async () => {
      const keys = Array.from({ length: 3_000 }, (_, index) => key(7, index >> 8, index & 255));
      await put(...keys);
      let count = 0;
      for await (const [k, value] of store.scan({ gte: key(7), lt: key(8) })) {
        if (count === 0) {
          await store.write(
            keys.map((each) => ({ key: each, value: undefined })),
            { sync: false },
          );
          await put(key(7, 255, 255));
        }
        assert.deepEqual(k, keys[count]);
        assert.deepEqual(value, key(...k, 99));
        count++;
      }
      assert.equal(count, 3_000);
      assert.deepEqual(await list(store, { gte: key(7), lt: key(8) }), [[7, 255, 255]]);
    });

    test("a scan may be left early", async () => {
      await put(key(1), key(2));
      for await (const _entry of store.scan(everything)) break;
      assert.deepEqual(await list(store, everything), [[1], [2]]);
    });

    test("values handed out belong to the caller, and are plain Uint8Arrays", async () => {
      await put(key(1));
      const value = await store.get(key(1));
      assert.ok(value);
      assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype);
      value.fill(0);
      assert.deepEqual(await store.get(key(1)), key(1, 99));
    });

    test("data outlives the store", async () => {
      await put(key(1));
      await store.close();
      store = await place.open();
      assert.deepEqual(await store.get(key(1)), key(1, 99));
    });

    test("compacting changes nothing that is there, also while the store is read and written", async () => {
      await put(key(1), key(2), key(3));
      await store.write([{ key: key(2), value: undefined }], { sync: false });
      const compacted = Promise.all([store.compact([]), store.compact([{ gte: key(1), lt: key(4) }])]);
      await put(key(4));
      assert.deepEqual(await list(store, everything), [[1], [3], [4]]);
      await compacted;
      assert.deepEqual(await list(store, everything), [[1], [3], [4]]);
      assert.deepEqual(await store.get(key(4)), key(4, 99));
    });

    test("a closed store says so, and may be closed again", async () => {
      await put(key(1), key(2));
      const scan = store.scan(everything)[Symbol.asyncIterator]();
      await store.close();
      await assert.rejects(store.get(key(1)), hasCode("STORE_CLOSED"));
      await assert.rejects(store.getMany([key(1)]), hasCode("STORE_CLOSED"));
      await assert.rejects(put(key(1)), hasCode("STORE_CLOSED"));
      await assert.rejects(scan.next(), hasCode("STORE_CLOSED"));
      await assert.rejects(store.compact([]), hasCode("STORE_CLOSED"));
      await store.close();
    });

    test("it knows how many bytes an unclean stop can damage", () => {
      assert.ok(Number.isSafeInteger(store.writeBufferBytes) && store.writeBufferBytes > 0);
    });
  });
}
