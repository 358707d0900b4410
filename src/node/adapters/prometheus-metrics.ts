import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import {
  type Counter as CounterPort,
  createMetricFamilies,
  type Gauge as GaugePort,
  type Histogram as HistogramPort,
  type MetricFamily,
  type MetricLabels,
  type Metrics,
  type MetricsPage,
} from "../../ports/index.ts";

interface Member extends CounterPort, GaugePort, HistogramPort {
  read: () => number;
}

const refuse = (): never => {
  throw new Error("another kind of metric");
};

/**
 * Metrics over prom-client, with those of the process itself. Numbers are kept here and handed over when somebody reads:
 * prom-client looks each label up on every count.
 */
export function createPrometheusMetrics(): Metrics & MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const histograms = new Map<string, Histogram>();

  function open({ kind, name, help, labelNames, buckets, members }: MetricFamily<Member>): void {
    const common = { name, help, labelNames: [...labelNames], registers: [registry] };
    if (kind === "histogram") {
      histograms.set(name, new Histogram({ ...common, buckets: [...buckets] }));
    } else if (kind === "counter") {
      const counter: Counter = new Counter({
        ...common,
        collect() {
          counter.reset();
          for (const { labels, member } of members.values()) counter.inc({ ...labels }, member.read());
        },
      });
    } else {
      const gauge: Gauge = new Gauge({
        ...common,
        collect() {
          for (const { labels, member } of members.values()) gauge.set({ ...labels }, member.read());
        },
      });
    }
  }

  function make({ kind, name }: MetricFamily<Member>, labels: MetricLabels): Member {
    const histogram = histograms.get(name);
    if (histogram !== undefined) {
      histogram.zero({ ...labels });
      const { observe } = histogram.labels({ ...labels });
      return { observe, set: refuse, increment: refuse, read: refuse };
    }
    let value = 0;
    return {
      read: () => value,
      observe: refuse,
      set(next) {
        value = next;
      },
      increment(by = 1) {
        if (kind === "counter" && !(by >= 0)) throw new RangeError(`a counter goes up, not by ${by}`);
        value += by;
      },
    };
  }

  const families = createMetricFamilies<Member>(open);
  return {
    contentType: registry.contentType,
    counter: (spec) => families.declare("counter", spec, make),
    counterOf(spec, read) {
      families.declare("counter", spec, make).read = read;
    },
    gauge: (spec) => families.declare("gauge", spec, make),
    gaugeOf(spec, read) {
      families.declare("gauge", spec, make).read = read;
    },
    histogram: (spec) => families.declare("histogram", spec, make),
    text: () => registry.metrics(),
  };
}
