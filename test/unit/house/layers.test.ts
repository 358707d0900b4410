import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { layers } from "../../../.dependency-cruiser.mjs";
import { inspect, planted, problems } from "../../../scripts/check-layers.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "cumulo-layers-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("the layer check reports every planted violation and nothing else", async () => {
  assert.deepEqual((await inspect(`${root}test/fixtures/layers`)).violations, planted);
});

test("the layer check fails when it read no module", async (t) => {
  const empty = temporary(t);
  mkdirSync(join(empty, "src"));
  assert.match((await problems(empty)).join(), /nothing was checked: 0 modules/);
});

test("the layer check fails when modules were read but none of their imports", async (t) => {
  const lonely = temporary(t);
  mkdirSync(join(lonely, "src/ports"), { recursive: true });
  writeFileSync(join(lonely, "src/ports/index.ts"), "export const one = 1;\n");
  assert.match((await problems(lonely)).join(), /nothing was checked: 1 modules, 0 dependencies/);
});

test("the pure folders are the same in the list of layers, the types check and the lint rules", () => {
  const pure = layers.filter((layer) => layer.pure).map((layer) => layer.name);
  const inTypes = readFileSync(`${root}tsconfig.pure.json`, "utf8").matchAll(/"src\/(\w+)\/\*\*/g);
  const inLint = /"src\/\{([\w,]+)\}\/\*\*"/.exec(readFileSync(`${root}biome.jsonc`, "utf8"))?.[1];
  assert.deepEqual([...inTypes].map(([, name]) => name).join(), pure.join());
  assert.equal(inLint, pure.join());
});
