import { createPrometheusMetrics } from "../../src/node/adapters/prometheus-metrics.ts";
import { createMemoryMetrics } from "../../src/ports/index.ts";
import { describeMetrics } from "./metrics.ts";

describeMetrics("memory", createMemoryMetrics);
describeMetrics("Prometheus", createPrometheusMetrics);
