import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Errors } from "typebox/value";
import { parse } from "yaml";
import {
  languageFile,
  renderLanguage,
  renderSchema,
  schemaFile,
} from "../../../../scripts/scenario-language.ts";
import { readScenario, scenarioSchema } from "../../../../src/cluster/scenarios/index.ts";

test("the schema for editors and the tables of the docs are those of the language; npm run scenarios makes them", () => {
  assert.equal(readFileSync(schemaFile, "utf8"), renderSchema());
  const page = readFileSync(languageFile, "utf8");
  assert.equal(page, renderLanguage(page));
});

const directory = new URL("../../../../scenarios/", import.meta.url);
const shipped = readdirSync(directory).filter((name) => name.endsWith(".yaml"));

test("every scenario that comes along is read without a problem, fits the schema, and says what to watch", () => {
  assert.ok(shipped.length > 0);
  for (const name of shipped) {
    const text = readFileSync(new URL(name, directory), "utf8");
    const read = readScenario(text);
    assert.deepEqual(read.ok ? [] : read.problems, [], name);
    assert.deepEqual(Errors(scenarioSchema(), parse(text)), [], name);
    assert.match(text, /^# .+\n#\n# Shows: (.+\n)+#\n# Watch: /, name);
    assert.ok(read.ok && read.scenario.about !== "", name);
  }
});

test("the schema refuses what a run would: unknown keys, steps, options, units", () => {
  const wrong = [
    "name: x\nnodes: 2\nsteps: [heal]\nsetps: []",
    "name: x\nnodes: 2\nsteps: [{ miine: 3 blocks, at: 1 }]",
    "name: x\nnodes: 2\nsteps: [{ mine: 3 blocks, att: 1 }]",
    "name: x\nnodes: 2\nsteps: [{ mine: 3 bloks, at: 1 }]",
    "name: x\nnodes: 2\nsteps: [{ mine: 3 blocks }]",
    "name: x\nnodes: 2\nsteps: [{ assert: convergd }]",
    "name: x\nsteps: [heal]",
  ];
  for (const text of wrong) assert.notDeepEqual(Errors(scenarioSchema(), parse(text)), [], text);
});
