import { type Counter, eachOf, type Metrics } from "../ports/index.ts";

export interface MinerMetrics {
  readonly tries: Counter;
  readonly templates: Counter;
  readonly blocks: Readonly<Record<"connected" | "other", Counter>>;
}

export function createMinerMetrics(
  metrics: Metrics,
  rate: { readonly perSecond: () => number; readonly wanted: () => number },
): MinerMetrics {
  const perSecond = { name: "cumulo_miner_tries_per_second", help: "Tries a second, measured" };
  metrics.gaugeOf(perSecond, rate.perSecond);
  const wanted = {
    name: "cumulo_miner_wanted_tries_per_second",
    help: "Tries a second that mining is throttled to; 0 while it is off",
  };
  metrics.gaugeOf(wanted, rate.wanted);
  return {
    tries: metrics.counter({ name: "cumulo_miner_tries_total", help: "Nonces that were tried" }),
    templates: metrics.counter({
      name: "cumulo_miner_templates_total",
      help: "Block templates that were built",
    }),
    blocks: eachOf(["connected", "other"], (result) =>
      metrics.counter({
        name: "cumulo_miner_blocks_total",
        help: "Blocks that were found: those that became the head, and those that came too late or were refused",
        labels: { result },
      }),
    ),
  };
}
