/**
 * The benchmarks: `npm run bench [-- --json] [--runs N] [--only signatures,budget,sync,start,mining,idle,observation]`. Figures are
 * records, read as ratios within one run; nothing here passes or fails. docs/benchmarks.md keeps them.
 */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measureBudget } from "./budget.ts";
import { measureIdleCluster } from "./idle-cluster.ts";
import { measureObservation } from "./observation.ts";
import { measureSignatures } from "./signatures.ts";
import { measureMiningCluster, measureStart } from "./start-up.ts";
import { measureSync } from "./sync.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    runs: { type: "string", default: "3" },
    only: { type: "string", default: "signatures,budget,sync,start,mining,idle,observation" },
    /** Blocks of a round of `observation`. */
    blocks: { type: "string" },
    /** Passed to the syncing node's Node.js, for profiles. */
    "node-arg": { type: "string", multiple: true, default: [] },
  },
});
const runs = Number(values.runs);
const wanted = new Set(values.only.split(","));
const MINING_MS = 15_000;
const IDLE_MS = 30_000;
const IDLE_NODES = 10;

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const round = (value: number): number => Math.round(value * 100) / 100;
const spread = (numbers: readonly number[]): string =>
  `${Math.round(Math.min(...numbers)).toLocaleString("en")} to ${Math.round(Math.max(...numbers)).toLocaleString("en")}`;

interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly aim: string;
  readonly note: string;
}
const rows: Row[] = [];

const loadBefore = loadavg()[0] ?? 0;
let limit: number | undefined;
if (wanted.has("signatures")) {
  const perSecond = await measureSignatures(runs);
  limit = median(perSecond);
  rows.push({ what: "signature limit", value: limit, unit: "verify/s", aim: "", note: spread(perSecond) });
}
if (wanted.has("budget")) {
  const budget = await measureBudget(runs);
  const signature = median(budget.signature);
  for (const [kind, microseconds] of Object.entries(budget)) {
    const value = median(microseconds);
    const note = kind === "signature" ? "" : `${Math.round((100 * value) / signature)} % of the signature`;
    rows.push({
      what: `budget per transfer: ${kind}`,
      value,
      unit: "µs",
      aim: kind === "root" ? "< 20 %" : "",
      note,
    });
  }
}
if (wanted.has("sync")) {
  const result = await measureSync(runs, values["node-arg"]);
  const rate = median(result.transfersPerSecond);
  const what = `sync of ${result.blocks} blocks, ${result.transfers} transfers`;
  rows.push({ what, value: rate, unit: "transfers/s", aim: "", note: spread(result.transfersPerSecond) });
  if (limit !== undefined)
    rows.push({ what: "sync to signature limit", value: rate / limit, unit: "ratio", aim: "0.6", note: "" });
  const note = spread(result.cpuMs);
  rows.push({ what: "CPU of the syncing process", value: median(result.cpuMs), unit: "ms", aim: "", note });
  const serving = spread(result.servingCpuMs);
  rows.push({
    what: "CPU of the serving process",
    value: median(result.servingCpuMs),
    unit: "ms",
    aim: "",
    note: serving,
  });
  rows.push({ what: "peak memory while syncing", value: result.peakRssMiB, unit: "MiB", aim: "", note: "" });
}
if (wanted.has("start")) {
  const { readyMs, idleRssMiB } = await measureStart(runs);
  rows.push({
    what: "start to first answer",
    value: median(readyMs),
    unit: "ms",
    aim: "< 2000",
    note: spread(readyMs),
  });
  rows.push({ what: "idle memory after 10 s", value: idleRssMiB, unit: "MiB", aim: "< 180", note: "" });
}
if (wanted.has("mining")) {
  const percent = await measureMiningCluster(MINING_MS);
  const note = `each of 3 nodes, over ${MINING_MS / 1_000} s`;
  rows.push({
    what: "CPU while mining at the default rate",
    value: median(percent),
    unit: "% of a core",
    aim: "a few",
    note,
  });
}
if (wanted.has("idle")) {
  const { percent, rssMiB } = await measureIdleCluster(IDLE_NODES, IDLE_MS);
  const note = `${IDLE_NODES} nodes and their supervisor, over ${IDLE_MS / 1_000} s`;
  const share = percent / cpus().length;
  rows.push({ what: "CPU of an idle cluster", value: share, unit: "% of all cores", aim: "< 20", note });
  rows.push({ what: "memory of an idle cluster", value: rssMiB, unit: "MiB", aim: "< 2048", note });
}
if (wanted.has("observation")) {
  const options = values.blocks === undefined ? {} : { blocks: Number(values.blocks) };
  const { plainMs, observedMs, blocks, transfersPerBlock } = await measureObservation(runs, options);
  const unit = "ms";
  const what = `CPU of two nodes for a block of ${transfersPerBlock} transfers`;
  const range = (numbers: readonly number[]): string => numbers.map(round).join(", ");
  rows.push({ what, value: median(plainMs), unit, aim: "", note: range(plainMs) });
  rows.push({
    what: "the same, observed",
    value: median(observedMs),
    unit,
    aim: "",
    note: range(observedMs),
  });
  const cost = 100 * (median(observedMs) / median(plainMs) - 1);
  rows.push({
    what: "cost of observation",
    value: cost,
    unit: "%",
    aim: "< 5 %",
    note: `timeline, events, recorder and metrics; rounds of ${blocks} blocks in turn`,
  });
}

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
  loadBefore: round(loadBefore),
};
const results = rows.map((row) => ({ ...row, value: round(row.value) }));
if (values.json) {
  console.log(JSON.stringify({ machine, runs, results }));
} else {
  const { cpu, cores, platform, node } = machine;
  console.log(
    `${cpu}, ${cores} cores, ${platform}, Node ${node}; load before ${machine.loadBefore}; ${runs} runs, medians`,
  );
  const shown = results.map(({ what, value, unit, aim, note }) => [
    what,
    `${value.toLocaleString("en")} ${unit}`,
    aim === "" ? "" : `aim ${aim}`,
    note,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...shown.map((row) => row[column]?.length ?? 0)));
  for (const row of shown)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}
