import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eachOf, type Metrics, type MetricsPage } from "../../src/ports/index.ts";

/** The promises of the metrics port, for any implementation. */
export function describeMetrics(name: string, create: () => Metrics & MetricsPage): void {
  async function samples(page: MetricsPage): Promise<Map<string, number>> {
    const lines = (await page.text()).split("\n").filter((line) => line.startsWith("cumulo_"));
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
    );
  }
  const help = "For a test";

  describe(`metrics port: ${name}`, () => {
    test("a counter is there with 0 from its declaration on, and adds up", async () => {
      const metrics = create();
      const counter = metrics.counter({ name: "cumulo_test_things_total", help });
      assert.equal((await samples(metrics)).get("cumulo_test_things_total"), 0);
      counter.increment();
      counter.increment(2.5);
      assert.equal((await samples(metrics)).get("cumulo_test_things_total"), 3.5);
      assert.equal((await samples(metrics)).get("cumulo_test_things_total"), 3.5, "reading changes nothing");
    });

    test("a counter never goes down", () => {
      const counter = create().counter({ name: "cumulo_test_things_total", help });
      assert.throws(() => counter.increment(-1), RangeError);
      assert.throws(() => counter.increment(Number.NaN), RangeError);
    });

    test("each value of a label is a number of its own, and all are there at once", async () => {
      const metrics = create();
      const byResult = eachOf(["good", "bad"], (result) =>
        metrics.counter({ name: "cumulo_test_things_total", help, labels: { result } }),
      );
      byResult.bad.increment();
      const seen = await samples(metrics);
      assert.equal(seen.get('cumulo_test_things_total{result="good"}'), 0);
      assert.equal(seen.get('cumulo_test_things_total{result="bad"}'), 1);
    });

    test("a gauge tells what was set last, or what it reads when it is asked", async () => {
      const metrics = create();
      const gauge = metrics.gauge({ name: "cumulo_test_size_bytes", help });
      let depth = 1;
      metrics.gaugeOf({ name: "cumulo_test_queue_depth", help }, () => depth);
      metrics.counterOf({ name: "cumulo_test_reads_total", help }, () => 10 * depth);
      gauge.set(7);
      gauge.set(-3);
      depth = 5;
      const seen = await samples(metrics);
      assert.equal(seen.get("cumulo_test_size_bytes"), -3);
      assert.equal(seen.get("cumulo_test_queue_depth"), 5);
      assert.equal(seen.get("cumulo_test_reads_total"), 50);
    });

    test("a histogram counts values by size; a bound belongs to its own bucket", async () => {
      const metrics = create();
      const labels = { kind: "a" };
      const spec = { name: "cumulo_test_wait_seconds", help, labels, buckets: [1, 2] };
      const histogram = metrics.histogram(spec);
      assert.equal((await samples(metrics)).get('cumulo_test_wait_seconds_count{kind="a"}'), 0);
      for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value);
      const seen = await samples(metrics);
      const bucket = (le: string) =>
        [...seen].find(([key]) => key.includes("_bucket") && key.includes(`le="${le}"`))?.[1];
      assert.deepEqual([bucket("1"), bucket("2"), bucket("+Inf")], [2, 3, 4]);
      assert.equal(seen.get('cumulo_test_wait_seconds_sum{kind="a"}'), 12);
      assert.equal(seen.get('cumulo_test_wait_seconds_count{kind="a"}'), 4);
    });

    test("declared anew it is the same metric, and a later read counts", async () => {
      const metrics = create();
      const spec = { name: "cumulo_test_things_total", help, labels: { a: "1", b: "2" } };
      metrics.counter(spec).increment();
      metrics.counter({ ...spec, labels: { b: "2", a: "1" } }).increment();
      metrics.gaugeOf({ name: "cumulo_test_queue_depth", help }, () => 1);
      metrics.gaugeOf({ name: "cumulo_test_queue_depth", help }, () => 2);
      const seen = [...(await samples(metrics))];
      assert.deepEqual(
        seen.map(([, value]) => value),
        [2, 2],
      );
    });

    test("a declaration that contradicts an earlier one, or has no name of ours, is our bug", () => {
      const metrics = create();
      metrics.counter({ name: "cumulo_test_things_total", help, labels: { a: "1" } });
      const again = { name: "cumulo_test_things_total", help };
      assert.throws(() => metrics.counter(again), /twice/);
      assert.throws(() => metrics.counter({ ...again, labels: { b: "1" } }), /twice/);
      assert.throws(() => metrics.counter({ ...again, help: "Other", labels: { a: "2" } }), /twice/);
      assert.throws(() => metrics.gauge({ ...again, labels: { a: "2" } }), /twice/);
      for (const name of ["things_total", "cumulo_things", "cumulo_test_Things", "cumulo_test_things"])
        assert.throws(() => metrics.counter({ name, help }), name);
      assert.throws(() => metrics.gauge({ name: "cumulo_test_more_total", help }), /_total/);
      for (const buckets of [[], [2, 1]])
        assert.throws(() => metrics.histogram({ name: "cumulo_test_wait_seconds", help, buckets }), /ascend/);
    });

    test("a label without a bound is stopped before it fills memory", () => {
      const metrics = create();
      const declare = (peer: number) =>
        metrics.counter({ name: "cumulo_test_things_total", help, labels: { peer: String(peer) } });
      for (let peer = 0; peer < 1_000; peer++) declare(peer);
      assert.throws(() => declare(1_000), /bound/);
      declare(7).increment();
    });

    test("text is Prometheus' format: help and type before the samples, a line each", async () => {
      const metrics = create();
      metrics.counter({ name: "cumulo_test_things_total", help, labels: { what: 'a "b" \\c' } });
      const text = await metrics.text();
      const at = text.indexOf("# HELP cumulo_test_things_total For a test\n");
      assert.ok(at >= 0);
      assert.ok(text.indexOf("# TYPE cumulo_test_things_total counter\n") > at);
      assert.ok(text.includes('cumulo_test_things_total{what="a \\"b\\" \\\\c"} 0\n'));
      assert.ok(text.endsWith("\n"));
      assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/);
    });
  });
}
