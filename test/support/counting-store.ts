import { createMemoryStore, type KeyValueStore, type MemoryStoreData } from "../../src/ports/index.ts";

export interface CountingStore extends KeyValueStore {
  /** Keys read and written, and batches, since the last call. */
  taken(): { readonly keys: number; readonly batches: number };
}

/** A store in memory that counts what is asked of it: work that does not depend on the machine, as a time would. */
export function createCountingStore(data?: MemoryStoreData): CountingStore {
  const store = createMemoryStore(data);
  let count = { keys: 0, batches: 0 };
  return {
    ...store,
    taken() {
      const counted = count;
      count = { keys: 0, batches: 0 };
      return counted;
    },
    async get(key) {
      count.keys += 1;
      return await store.get(key);
    },
    async getMany(keys) {
      count.keys += keys.length;
      return await store.getMany(keys);
    },
    async write(writes, options) {
      count.keys += writes.length;
      count.batches += 1;
      await store.write(writes, options);
    },
  };
}
