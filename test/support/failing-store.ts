import {
  createMemoryStore,
  type KeyValueStore,
  type MemoryStoreData,
  StoreError,
} from "../../src/ports/index.ts";

export interface FailingStore extends KeyValueStore {
  /** Writes so far, the failed one included. */
  readonly writes: number;
}

/**
 * A store in memory that works for so many writes and then fails all of them, as a full disk does. A failed write
 * changes nothing, so `data` is what a crash at that moment leaves.
 */
export function createFailingStore(
  data: MemoryStoreData,
  goodWrites: number,
  failure = new StoreError("STORE_FULL", "no space left on device"),
): FailingStore {
  const store = createMemoryStore(data);
  let writes = 0;
  return {
    ...store,
    get writes() {
      return writes;
    },
    async write(batch, options) {
      writes += 1;
      if (writes > goodWrites) throw failure;
      await store.write(batch, options);
    },
  };
}
