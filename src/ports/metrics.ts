/** Label names with their values, fixed when the metric is declared: never a peer, an id or anything else without a bound. */
export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricSpec {
  /** `cumulo_<room>_<what>_<unit>`, a counter's ends in `_total`: cumulo_chain_blocks_total. */
  readonly name: string;
  /** One sentence for whoever reads `/metrics`; the same wherever the name is declared. */
  readonly help: string;
  readonly labels?: MetricLabels;
}

export interface HistogramSpec extends MetricSpec {
  /** Upper bounds, ascending; one above all of them is added. */
  readonly buckets: readonly number[];
}

/** Only goes up; begins at 0. */
export interface Counter {
  /** By 1, or a number >= 0. */
  increment(by?: number): void;
}

/** Goes up and down; begins at 0. */
export interface Gauge {
  set(value: number): void;
}

/** Counts values by size. */
export interface Histogram {
  observe(value: number): void;
}

/**
 * Numbers about the running program. Each room declares its own, once, beside the code that they measure, and keeps what
 * it got: to count is then to add one number, without a look-up. Declared anew with the same labels it is the same metric;
 * declared as something else it is our bug, and throws.
 */
export interface Metrics {
  counter(spec: MetricSpec): Counter;
  /**
   * A counter that is asked for its value when the metrics are read: for what counts by itself, such as a room without
   * effects. `read` never goes down; declared anew, the later one counts.
   */
  counterOf(spec: MetricSpec, read: () => number): void;
  gauge(spec: MetricSpec): Gauge;
  /** As `counterOf`. */
  gaugeOf(spec: MetricSpec, read: () => number): void;
  histogram(spec: HistogramSpec): Histogram;
}

/** What `/metrics` answers. */
export interface MetricsPage {
  /** Media type of `text`, with its version. */
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
}

/** One metric for each value of a label, by value. */
export function eachOf<Value extends string, Metric>(
  values: readonly Value[],
  declare: (value: Value) => Metric,
): Readonly<Record<Value, Metric>> {
  return Object.fromEntries(values.map((value) => [value, declare(value)])) as Record<Value, Metric>;
}

/** From a hundredth of a millisecond, a look into memory, to ten seconds, a request's last deadline. */
export const SECONDS_BUCKETS: readonly number[] = [
  0.00001, 0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

const nothing = (): void => {};

/** Counts nothing. */
export const silentMetrics: Metrics = {
  counter: () => ({ increment: nothing }),
  counterOf: nothing,
  gauge: () => ({ set: nothing }),
  gaugeOf: nothing,
  histogram: () => ({ observe: nothing }),
};
