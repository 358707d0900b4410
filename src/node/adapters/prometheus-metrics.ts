import { collectDefaultMetrics, Registry } from "prom-client";
import { createMemoryMetrics, type Metrics, type MetricsPage } from "../../ports/index.ts";

/**
 * Our metrics, followed on the page by those that prom-client has of the process itself. Ours do without it: it looks up all
 * labels on each count and each observation, some fifty times the work of adding a number.
 */
export function createPrometheusMetrics(): Metrics & MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const ours = createMemoryMetrics();
  return {
    ...ours,
    contentType: registry.contentType,
    text: async () => `${await ours.text()}${await registry.metrics()}`,
  };
}
