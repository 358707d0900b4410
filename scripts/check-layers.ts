/**
 * `npm run layers`: src/ keeps to the layout in .dependency-cruiser.mjs.
 *
 * A checker that silently reads nothing reports no violations (dependency-cruiser does so with a compiler it does
 * not know), so this fails when nothing was read, and first cruises a tree that breaks every rule.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ICruiseOptions, ICruiseResult } from "dependency-cruiser";
import { cruise } from "dependency-cruiser";
import config from "../.dependency-cruiser.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the tree in test/fixtures/layers breaks, as "rule: importing file". */
export const planted = [
  "chain/host.ts: libp2p-behind-network",
  "client/code.ts: client-imports-types-only",
  "attic/index.ts: folders-are-listed",
  "network/index.ts: network-imports-only-from",
  "node/even.ts: no-cycles",
  "node/past-the-index.ts: through-the-index",
  "primitives/chance.ts: hashing-in-one-place",
  "primitives/impure.ts: pure-stays-pure",
  "primitives/port-code.ts: primitives-imports-types-only",
  "primitives/upwards.ts: primitives-imports-only-from",
].sort();

export interface LayerReport {
  modules: number;
  dependencies: number;
  /** "file: rule", sorted, each once. */
  violations: string[];
  /** The same for people, with what was imported. */
  details: string[];
}

/** Cruises the folder `src` of `base`, an absolute path. */
export async function inspect(base: string): Promise<LayerReport> {
  const { forbidden = [], options = {} } = config;
  const settings: ICruiseOptions = {
    ...options,
    baseDir: base,
    ruleSet: { forbidden },
    validate: true,
    outputType: "json",
  };
  const { output } = await cruise(["src"], settings, options.enhancedResolveOptions);
  const { modules, summary } = JSON.parse(output as string) as ICruiseResult;
  const ours = modules.filter((module) => module.source.startsWith("src/"));
  return {
    modules: ours.length,
    dependencies: ours.reduce((sum, module) => sum + module.dependencies.length, 0),
    violations: [
      ...new Set(summary.violations.map((v) => `${v.from.replace(/^src\//, "")}: ${v.rule.name}`)),
    ].sort(),
    details: summary.violations.map(
      (v) => `${v.from} -> ${v.to}\n    ${v.rule.name}: ${v.comment ?? why(v.rule.name)}`,
    ),
  };
}

function why(rule: string): string {
  return config.forbidden?.find((candidate) => candidate.name === rule)?.comment ?? "";
}

/** What is wrong with this checkout's layout, in sentences; empty if nothing is. */
export async function problems(base: string = root): Promise<string[]> {
  const proof = await inspect(`${root}test/fixtures/layers`);
  const missed = planted.filter((violation) => !proof.violations.includes(violation));
  const surplus = proof.violations.filter((violation) => !planted.includes(violation));
  if (missed.length > 0)
    return missed.map((violation) => `the checker is blind: planted and not seen: ${violation}`);
  if (surplus.length > 0)
    return surplus.map((violation) => `the checker sees what is not there: ${violation}`);
  const report = await inspect(base);
  const folders = readdirSync(`${base}/src`, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  ).length;
  if (report.modules === 0 || report.dependencies === 0)
    return [
      `nothing was checked: ${report.modules} modules, ${report.dependencies} dependencies were read in src/`,
    ];
  if (report.details.length === 0)
    console.log(
      `layers: ${report.modules} modules and ${report.dependencies} imports in ${folders} folders, no violations; ` +
        `${planted.length} planted ones were seen`,
    );
  return report.details;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await problems();
  for (const problem of found) console.error(`layers: ${problem}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
