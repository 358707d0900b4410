import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ATTACK_ROLES, NODE_FINDINGS } from "../../../src/api/index.ts";
import { OUTSIDE_FINDINGS } from "../../../src/cli/doctor-outside.ts";
import { ATTACK_ROLES as OFFERED } from "../../../src/cli/values.ts";
import { CLUSTER_FINDINGS } from "../../../src/cluster/index.ts";

const rowsOf = (file: string, section: string, begin: RegExp): string[] => {
  const text = readFileSync(new URL(`../../../docs/${file}`, import.meta.url), "utf8");
  const [own = ""] = (`\n${text}`.split(`\n${section}\n`)[1] ?? "").split("\n## ");
  return own.split("\n").flatMap((line) => begin.exec(line)?.[1] ?? []);
};

test("every finding of the doctor has one row in the operations manual, and nothing else has", () => {
  const documented = rowsOf("operations.md", "## When something is wrong", /^\| `([A-Z_]+)` \|/);
  const found = new Set<string>([...NODE_FINDINGS, ...OUTSIDE_FINDINGS, ...CLUSTER_FINDINGS]);
  assert.deepEqual(documented.toSorted(), [...found].toSorted());
});

test("every part in an attack is documented, and can be chosen on the command line", () => {
  assert.deepEqual(rowsOf("attacks.md", "# Attacks", /^\| `([a-z-]+)` \|/), [...ATTACK_ROLES]);
  assert.deepEqual([...OFFERED], [...ATTACK_ROLES]);
});
