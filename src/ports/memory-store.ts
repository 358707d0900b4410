import { type KeyValueStore, StoreError } from "./key-value-store.ts";

/** Bytes as a string whose order is the bytes' order, so that a plain sort gives the store's order. */
function orderedText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** What survives when a memory store is "closed" and opened again: pass it to the next `createMemoryStore`. */
export type MemoryStoreData = Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>;

/** A key-value store in memory. Reads and writes settle in a microtask; `data` outlives `close`. */
export function createMemoryStore(data: MemoryStoreData = new Map()): KeyValueStore {
  let open = true;
  const assertOpen = (): void => {
    if (!open) throw new StoreError("STORE_CLOSED", "the store is closed");
  };
  const read = (key: Uint8Array) => data.get(orderedText(key))?.value.slice();

  return {
    writeBufferBytes: 4 * 1024 * 1024,
    async get(key) {
      assertOpen();
      return read(key);
    },
    async getMany(keys) {
      assertOpen();
      return keys.map(read);
    },
    async write(writes) {
      assertOpen();
      for (const { key, value } of writes) {
        if (value === undefined) data.delete(orderedText(key));
        else data.set(orderedText(key), { key: key.slice(), value: value.slice() });
      }
    },
    async compact() {
      assertOpen();
    },
    async *scan({ gte, lt, reverse = false, limit = Number.POSITIVE_INFINITY }) {
      assertOpen();
      const from = orderedText(gte);
      const to = orderedText(lt);
      const inRange = [...data].filter(([text]) => text >= from && text < to);
      inRange.sort(([a], [b]) => (a < b ? -1 : 1));
      if (reverse) inRange.reverse();
      for (const [, entry] of inRange.slice(0, limit)) {
        assertOpen();
        yield [entry.key.slice(), entry.value.slice()] as const;
      }
    },
    async close() {
      open = false;
    },
  };
}
