import { eachOf, type Metrics } from "../ports/index.ts";
import type { PoolObserver } from "./adapters/thread-worker-pool.ts";

/** Numbers of the worker threads that do a room's work. */
export function createWorkerMetrics(metrics: Metrics, room: "keys" | "miner"): PoolObserver {
  const tasks = eachOf(["done", "failed"], (outcome) =>
    metrics.counter({
      name: `cumulo_${room}_worker_tasks_total`,
      help: "Tasks that worker threads ended",
      labels: { outcome },
    }),
  );
  const busySeconds = metrics.counter({
    name: `cumulo_${room}_worker_busy_seconds_total`,
    help: "Time that worker threads had a task, summed over them",
  });
  return {
    watch({ waiting, threads }) {
      const tell = (what: string, help: string, read: () => number) =>
        metrics.gaugeOf({ name: `cumulo_${room}_worker_${what}`, help }, read);
      tell("waiting_tasks", "Tasks that wait for a worker thread", waiting);
      tell("threads", "Worker threads that run", threads);
    },
    ended(hasFailed, busyMs) {
      tasks[hasFailed ? "failed" : "done"].increment();
      busySeconds.increment(busyMs / 1_000);
    },
  };
}
