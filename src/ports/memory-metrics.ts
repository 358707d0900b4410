import { createMetricFamilies, type MetricFamily } from "./metric-families.ts";
import type { Counter, Gauge, Histogram, MetricLabels, Metrics, MetricsPage } from "./metrics.ts";

interface Member extends Counter, Gauge, Histogram {
  read: () => number;
  readonly counts: number[];
  sum: number;
}

function createMember(isCounter: boolean, buckets: readonly number[]): Member {
  let value = 0;
  // The last one counts what is above all bounds.
  const counts = buckets.map(() => 0).concat(0);
  const member: Member = {
    counts,
    sum: 0,
    read: () => value,
    set(next) {
      value = next;
    },
    increment(by = 1) {
      if (isCounter && !(by >= 0)) throw new RangeError(`a counter goes up, not by ${by}`);
      value += by;
    },
    observe(seen) {
      const bucket = buckets.findIndex((bound) => seen <= bound);
      const i = bucket === -1 ? buckets.length : bucket;
      counts[i] = (counts[i] ?? 0) + 1;
      member.sum += seen;
    },
  };
  return member;
}

const escaped = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

function sample(name: string, labels: MetricLabels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function familyText({ kind, name, help, buckets, members }: MetricFamily<Member>): string[] {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
  for (const { labels, member } of members.values()) {
    if (kind !== "histogram") {
      lines.push(sample(name, labels, member.read()));
      continue;
    }
    let total = 0;
    for (const [i, count] of member.counts.entries()) {
      total += count;
      lines.push(sample(`${name}_bucket`, { ...labels, le: String(buckets[i] ?? "+Inf") }, total));
    }
    lines.push(sample(`${name}_sum`, labels, member.sum), sample(`${name}_count`, labels, total));
  }
  return lines;
}

/** Metrics without a library, and without numbers about the process itself. To count is to add one number. */
export function createMemoryMetrics(): Metrics & MetricsPage {
  const families = createMetricFamilies<Member>();
  const make = ({ kind, buckets }: MetricFamily<Member>): Member => createMember(kind === "counter", buckets);
  return {
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    counter: (spec) => families.declare("counter", spec, make),
    counterOf(spec, read) {
      families.declare("counter", spec, make).read = read;
    },
    gauge: (spec) => families.declare("gauge", spec, make),
    gaugeOf(spec, read) {
      families.declare("gauge", spec, make).read = read;
    },
    histogram: (spec) => families.declare("histogram", spec, make),
    text: async () => `${[...families.all()].flatMap(familyText).join("\n")}\n`,
  };
}
