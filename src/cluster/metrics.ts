import type { FastifyInstance } from "fastify";
import { NoQuery } from "../api/index.ts";
import { createMemoryMetrics } from "../ports/index.ts";

export interface SupervisorMetricsDeps {
  /** Nodes of the cluster, running or not. */
  readonly nodes: () => number;
  /** Entries recorded since the start. */
  readonly recorded: () => number;
  /** Open event streams. */
  readonly streams: () => number;
}

/** `GET /metrics` of the supervisor itself; each node has its own at /nodes/{n}/metrics. */
export function addSupervisorMetrics(app: FastifyInstance, deps: SupervisorMetricsDeps): void {
  // Without a library: it would take the supervisor, which has little to tell, as much memory as a small node.
  const metrics = createMemoryMetrics();
  const name = (what: string): string => `cumulo_cluster_${what}`;
  metrics.gaugeOf({ name: name("nodes"), help: "Nodes of the cluster, running or not" }, deps.nodes);
  metrics.gaugeOf(
    { name: name("event_streams"), help: "Open event streams of the supervisor" },
    deps.streams,
  );
  metrics.counterOf(
    { name: name("recorded_entries_total"), help: "Timeline entries that the supervisor recorded" },
    deps.recorded,
  );
  metrics.gaugeOf({ name: name("resident_memory_bytes"), help: "Memory of the supervisor's process" }, () =>
    process.memoryUsage.rss(),
  );
  metrics.counterOf(
    { name: name("cpu_seconds_total"), help: "Processor time of the supervisor's process" },
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
  );
  app.get(
    "/metrics",
    { schema: { summary: "Prometheus metrics of the supervisor", querystring: NoQuery } },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
  );
}
