/**
 * `npm run metrics`: writes the tables of docs/metrics.md from what a node's own `/metrics` says. A test holds the page to
 * them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startNode } from "../src/node/index.ts";

export const metricsFile: string = fileURLToPath(new URL("../docs/metrics.md", import.meta.url));

/** All samples of one name in Prometheus' text format. */
export interface MetricFamily {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  /** By label, the values seen. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What `/metrics` holds. */
export function readMetrics(text: string): MetricFamily[] {
  return text
    .split(/^# HELP /m)
    .slice(1)
    .map((part) => {
      const [head = "", type = "", ...samples] = part.trim().split("\n");
      const name = head.split(" ", 1)[0] ?? "";
      const labels = new Map<string, Set<string>>();
      for (const sample of samples) {
        for (const [, label = "", value = ""] of sample.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
          if (label === "le" || label === "quantile") continue;
          labels.set(label, (labels.get(label) ?? new Set()).add(value));
        }
      }
      return { name, kind: type.split(" ").at(-1) ?? "", help: head.slice(name.length + 1), labels };
    });
}

/** Rooms in the order of docs/architecture.md. */
const ROOMS = [
  "chain",
  "consensus",
  "ledger",
  "mempool",
  "sync",
  "network",
  "miner",
  "keys",
  "api",
  "node",
] as const;
/** More values than these are not listed. */
const MAX_LISTED = 9;
/** What they are depends on who asks for what. */
const OPEN_LABELS = new Set(["method", "route", "status"]);

function labelText([label, values]: readonly [string, ReadonlySet<string>], isApi: boolean): string {
  if (values.size > MAX_LISTED || (isApi && OPEN_LABELS.has(label))) return `\`${label}\``;
  return `\`${label}\`: ${[...values].map((value) => value.replaceAll("|", "\\|")).join(", ")}`;
}

/** The part of docs/metrics.md that is made. */
export function renderTables(text: string): string {
  const families = readMetrics(text);
  return ROOMS.map((room) => {
    const rows = families
      .filter(({ name }) => name.startsWith(`cumulo_${room}_`))
      .map(({ name, kind, help, labels }) => {
        const all = [...labels].map((one) => labelText(one, room === "api"));
        return `| \`${name}\` | ${kind} | ${all.join("; ")} | ${help} |`;
      });
    return `### ${room}\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n${rows.join("\n")}`;
  }).join("\n\n");
}

/** The page with its tables made anew. */
export function withTables(page: string, text: string): string {
  const [before, after] = page.split(/(?<=<!-- tables -->\n)[\s\S]*(?=<!-- end -->)/);
  if (before === undefined || after === undefined)
    throw new Error(`${metricsFile} has no place for its tables`);
  return `${before}\n${renderTables(text)}\n\n${after}`;
}

/** What a node that has just been started answers, after one request. */
export async function metricsOfFreshNode(): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), "cumulo-metrics-"));
  try {
    const node = await startNode({
      dataDir: join(dataDir, "node"),
      listen: [],
      announce: [],
      api: { host: "127.0.0.1", port: 0 },
      apiRead: "open",
      peers: [],
      mine: false,
      logLevel: "silent",
    });
    try {
      await (await fetch(`${node.api}/v1/status`)).arrayBuffer();
      return await (await fetch(`${node.api}/metrics`)).text();
    } finally {
      await node.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const page = withTables(readFileSync(metricsFile, "utf8"), await metricsOfFreshNode());
  writeFileSync(metricsFile, page);
}
