import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { NodeService } from "./service.ts";

export interface ApiMetrics {
  readonly contentType: string;
  /** The text of one scrape; asks the node for its state. */
  text(): Promise<string>;
  observeRequest(method: string, route: string, status: number, seconds: number): void;
}

/** Numbers for Prometheus: the process (with event-loop delay), the node's state, and the requests served. */
export function createApiMetrics(node: NodeService): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `cumulo_${name}`, help, registers: [registry] });
  const height = gauge("head_height", "Height of the head");
  const peers = gauge("peers", "Connected peers");
  const transactions = gauge("mempool_transactions", "Pending transactions");
  const bytes = gauge("mempool_bytes", "Bytes of pending transactions");
  const hashRate = gauge("hash_rate", "Tries a second, measured");
  const reorgs = gauge("reorgs", "Reorgs since the chain's data was made");
  const synced = gauge("synced", "1 when the state is synced");
  const requests = new Histogram({
    name: "cumulo_http_request_seconds",
    help: "Time to answer a request",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    async text() {
      const status = await node.status();
      height.set(status.head.height);
      peers.set(status.peers);
      transactions.set(status.mempool.transactions);
      bytes.set(status.mempool.bytes);
      hashRate.set(status.mining.hashRate);
      reorgs.set(status.reorgs);
      synced.set(status.state === "synced" ? 1 : 0);
      return registry.metrics();
    },
    observeRequest(method, route, status, seconds) {
      requests.observe({ method, route, status: String(status) }, seconds);
    },
  };
}
