import {
  createMemoryStore,
  type KeyValueStore,
  type MemoryStoreData,
  type Write,
} from "../../src/ports/index.ts";

export interface HoleStore extends KeyValueStore {
  /** Writes so far. */
  readonly writes: number;
  /** How many of the first `writes` no unclean stop can damage any more: those before the last compaction that was over by then. */
  safeAt(writes: number): number;
  /** What is there when the machine stops after `writes` writes, and those from `from` to before `until` are lost. */
  withHole(writes: number, from: number, until: number): Promise<MemoryStoreData>;
}

/** A store in memory that remembers its writes, to say what a power cut with a hole in the log could leave of them. */
export function createHoleStore(): HoleStore {
  const store = createMemoryStore();
  const log: (readonly Write[])[] = [];
  const barriers: number[] = [0];
  return {
    ...store,
    get writes() {
      return log.length;
    },
    safeAt: (writes) => barriers.findLast((barrier) => barrier < writes) ?? 0,
    async write(batch, options) {
      log.push(batch.map(({ key, value }) => ({ key: key.slice(), value: value?.slice() })));
      await store.write(batch, options);
    },
    async compact(ranges) {
      await store.compact(ranges);
      barriers.push(log.length);
    },
    async withHole(writes, from, until) {
      const data: MemoryStoreData = new Map();
      const left = createMemoryStore(data);
      for (const [i, batch] of log.slice(0, writes).entries())
        if (i < from || i >= until) await left.write(batch, { sync: true });
      return data;
    },
  };
}
