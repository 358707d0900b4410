import { type Counter, eachOf, type Histogram, type Metrics } from "../ports/index.ts";

export interface ApiMetrics {
  observeRequest(method: string, route: string, status: number, seconds: number): void;
  readonly cutStreams: Readonly<Record<"too-slow" | "stalled" | "missed", Counter>>;
  watchStreams(size: () => number): void;
}

const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];
const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE"]);

/** The requests and streams of the API. `route`: as declared, so that addresses and ids are no labels. */
export function createApiMetrics(metrics: Metrics): ApiMetrics {
  const known = new Map<string, Histogram>();

  function histogram(method: string, route: string, status: number): Histogram {
    const labels = { method, route, status: String(status) };
    const help = "Time to answer a request";
    return metrics.histogram({ name: "cumulo_api_request_seconds", help, labels, buckets: BUCKETS });
  }

  return {
    observeRequest(givenMethod, route, status, seconds) {
      const method = KNOWN_METHODS.has(givenMethod) ? givenMethod : "other";
      const key = `${method} ${route} ${status}`;
      const one = known.get(key) ?? histogram(method, route, status);
      known.set(key, one);
      one.observe(seconds);
    },
    cutStreams: eachOf(["too-slow", "stalled", "missed"], (reason) =>
      metrics.counter({
        name: "cumulo_api_cut_streams_total",
        help: "Event streams that were ended because their reader was too slow, or events were missed",
        labels: { reason },
      }),
    ),
    watchStreams(size) {
      metrics.gaugeOf({ name: "cumulo_api_streams", help: "Open event streams" }, size);
    },
  };
}
