/**
 * Ports: every way in which the daemon touches the outside (time, chance, disk, network, threads, logs, metrics), as narrow
 * interfaces, each with an in-memory form. The real forms live with whoever owns them: `node/` (clock, timers, random,
 * LevelDB, threads, Prometheus) and `network/` (libp2p). One compliance suite per port, in `test/compliance/`, holds both forms to
 * the same promises.
 */
export * from "./clock.ts";
export * from "./held-bytes.ts";
export * from "./key-value-store.ts";
export * from "./line.ts";
export * from "./link-shapes.ts";
export * from "./logger.ts";
export * from "./memory-metrics.ts";
export * from "./memory-network.ts";
export * from "./memory-store.ts";
export * from "./metrics.ts";
export * from "./network.ts";
export * from "./random.ts";
export * from "./timers.ts";
export * from "./worker-pool.ts";
