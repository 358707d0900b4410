import type { MetricLabels, MetricSpec } from "./metrics.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

/** All metrics of one name: they differ in their labels' values. */
export interface MetricFamily<Member> {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly buckets: readonly number[];
  readonly members: Map<string, { readonly labels: MetricLabels; readonly member: Member }>;
}

export interface MetricFamilies<Member> {
  /** The member that a declaration means, made where there is none; throws where it contradicts an earlier one. */
  declare(
    kind: MetricKind,
    spec: MetricSpec & { readonly buckets?: readonly number[] },
    make: (family: MetricFamily<Member>, labels: MetricLabels) => Member,
  ): Member;
  /** In the order of their first declaration. */
  all(): Iterable<MetricFamily<Member>>;
}

const NAME = /^cumulo(_[a-z][a-z0-9]*){2,}$/;
/** Members of one name, at most: a label without a bound would fill memory here and in whoever reads. */
const MAX_MEMBERS = 1_000;

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/** What was declared, checked. */
export function createMetricFamilies<Member>(): MetricFamilies<Member> {
  const families = new Map<string, MetricFamily<Member>>();

  function check(kind: MetricKind, { name, buckets = [] }: MetricSpec & { buckets?: readonly number[] }) {
    if (!NAME.test(name)) throw new Error(`a metric is called cumulo_<room>_<what>_<unit>, not ${name}`);
    if ((kind === "counter") !== name.endsWith("_total"))
      throw new Error(`counters, and only they, end in _total: ${name}`);
    const ascend = buckets.every((bound, i) => i === 0 || bound > (buckets[i - 1] ?? bound));
    if (kind === "histogram" && (buckets.length === 0 || !ascend))
      throw new Error(`the buckets of ${name} must ascend`);
  }

  return {
    declare(kind, spec, make) {
      const { name, help, labels = {}, buckets = [] } = spec;
      const labelNames = Object.keys(labels).sort();
      let family = families.get(name);
      if (family === undefined) {
        check(kind, spec);
        family = { kind, name, help, labelNames, buckets, members: new Map() };
        families.set(name, family);
      }
      const isSame =
        family.kind === kind &&
        family.help === help &&
        sameList(family.labelNames, labelNames) &&
        sameList(family.buckets, buckets);
      if (!isSame) throw new Error(`${name} is declared twice, and not alike`);
      const key = labelNames.map((label) => labels[label]).join("\n");
      const known = family.members.get(key);
      if (known !== undefined) return known.member;
      if (family.members.size >= MAX_MEMBERS) throw new Error(`${name} has a label without a bound`);
      const member = make(family, labels);
      family.members.set(key, { labels, member });
      return member;
    },
    all: () => families.values(),
  };
}
