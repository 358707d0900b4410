import { type Clock, eachOf, type KeyValueStore, type Metrics, SECONDS_BUCKETS } from "../../ports/index.ts";

/** A store whose reads and writes are timed, under a name that tells it from the node's other stores. */
export function createMeasuredStore(
  inner: KeyValueStore,
  deps: { readonly metrics: Metrics; readonly clock: Clock },
  store: "chain" | "history" | "timeline",
): KeyValueStore {
  const { metrics, clock } = deps;
  const seconds = eachOf(["read", "write"], (what) =>
    metrics.histogram({
      name: `cumulo_node_store_${what}_seconds`,
      help: what === "read" ? "Time to look keys up in a store" : "Time to write one batch to a store",
      labels: { store },
      buckets: SECONDS_BUCKETS,
    }),
  );
  const writes = metrics.counter({
    name: "cumulo_node_store_writes_total",
    help: "Keys written to a store or deleted from it",
    labels: { store },
  });
  async function timed<T>(what: "read" | "write", run: () => Promise<T>): Promise<T> {
    const startedMs = clock.monotonicMs();
    try {
      return await run();
    } finally {
      seconds[what].observe((clock.monotonicMs() - startedMs) / 1_000);
    }
  }
  return {
    ...inner,
    get: (key) => timed("read", () => inner.get(key)),
    getMany: (keys) => timed("read", () => inner.getMany(keys)),
    write(batch, options) {
      writes.increment(batch.length);
      return timed("write", () => inner.write(batch, options));
    },
  };
}
