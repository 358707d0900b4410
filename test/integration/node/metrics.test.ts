import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { renderDashboards } from "../../../scripts/grafana.ts";
import {
  type MetricFamily,
  metricsFile,
  metricsOfFreshNode,
  readMetrics,
  withTables,
} from "../../../scripts/metrics.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Names of metrics in a query or in prose; a histogram's series count as the histogram. */
function namesIn(text: string): string[] {
  const names = text.match(/\b(?:cumulo|nodejs|process)_[a-z0-9_]*[a-z0-9](?![_*a-z0-9])/g) ?? [];
  return names.map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
}

describe("metrics of a node", () => {
  let text = "";
  let families: MetricFamily[] = [];
  before(async () => {
    text = await metricsOfFreshNode();
    families = readMetrics(text);
  });

  test("every room that works has some, and each has a name with its room, and a meaning", () => {
    const ours = families.filter(({ name }) => name.startsWith("cumulo_"));
    const rooms = new Set(ours.map(({ name }) => name.split("_")[1]));
    const expected = [
      "api",
      "chain",
      "consensus",
      "keys",
      "ledger",
      "mempool",
      "miner",
      "network",
      "node",
      "sync",
    ];
    assert.deepEqual([...rooms].toSorted(), expected);
    for (const { name, help } of ours) assert.match(help, /^[A-Z0-9].{8,}[^.]$/, name);
  });

  test("they tell of the process, and of the event loop's delay", () => {
    const names = families.map(({ name }) => name);
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_p99_seconds",
    ])
      assert.ok(names.includes(name), name);
  });

  test("no label is a peer, an id or an address", () => {
    for (const { name, labels } of families) {
      for (const [label, values] of labels) {
        assert.ok(values.size <= 20, `${name} has ${values.size} values of ${label}`);
        for (const value of values)
          assert.doesNotMatch(value, /12D3Koo|[0-9a-f]{16}|\d+\.\d+\.\d+\.\d+/, name);
      }
    }
  });

  test("every metric in a Grafana dashboard is there", () => {
    const folder = `${root}deploy/grafana/dashboards/`;
    const known = new Set(families.map(({ name }) => name));
    const files = readdirSync(folder);
    assert.equal(files.length, 2);
    for (const file of files) {
      const board = JSON.parse(readFileSync(folder + file, "utf8")) as {
        panels: { title: string; targets?: { expr: string }[] }[];
      };
      const queries = board.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
      assert.ok(queries.length > 10, file);
      for (const query of queries) {
        const names = namesIn(query);
        assert.ok(names.length > 0, query);
        for (const name of names) assert.ok(known.has(name), `${name} in ${file}`);
      }
    }
  });

  test("every label value that a dashboard asks for is there", () => {
    for (const { text: json } of renderDashboards()) {
      for (const [, name = "", label = "", value = ""] of json.matchAll(
        /(cumulo_\w+)\{(\w+)!?=\\"([\w-]+)\\"\}/g,
      )) {
        const family = families.find((one) => one.name === name);
        assert.ok(family?.labels.get(label)?.has(value), `${name} ${label}=${value}`);
      }
    }
  });

  test("every metric that the docs name is there", () => {
    const known = new Set(families.map(({ name }) => name));
    for (const file of ["docs/metrics.md", "docs/operations.md", "README.md"]) {
      const names = namesIn(readFileSync(root + file, "utf8")).filter((name) => name !== "cumulo_cluster");
      for (const name of names.filter((one) => !one.startsWith("cumulo_node3")))
        assert.ok(known.has(name), `${name} in ${file}`);
    }
  });

  test("docs/metrics.md has all of them, as `npm run metrics` writes it", () => {
    const page = readFileSync(metricsFile, "utf8");
    assert.equal(page, withTables(page, text));
  });
});

test("Grafana's dashboards are what `npm run grafana` makes", () => {
  for (const { file, text } of renderDashboards()) assert.equal(readFileSync(file, "utf8"), text);
});
