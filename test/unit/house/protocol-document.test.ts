import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { RULES } from "../../../src/consensus/index.ts";
import { MEMPOOL_RULES } from "../../../src/mempool/index.ts";
import { GenesisJson, HEADER_BYTES } from "../../../src/primitives/index.ts";

const docs = new URL("../../../docs/", import.meta.url);
const text = readFileSync(new URL("protocol.md", docs), "utf8");
const rows = text.split("\n").filter((line) => line.startsWith("|"));

test("every rule code has one row in the protocol, and no other code has", () => {
  const documented = rows.map((row) => /^\| ((?:HDR|BLK|TX|STA|MEM)-\d\d) /.exec(row)?.[1]).filter(Boolean);
  assert.deepEqual(documented.toSorted(), [...Object.keys(RULES), ...Object.keys(MEMPOOL_RULES)].toSorted());
});

test("every key of genesis.json stands in the protocol in SSZ order, with its default and its range", () => {
  const expected: [string, object][] = Object.entries(GenesisJson.properties);
  const listed = rows.map((row) => /^\| `(\w+)` \| `.*`/.exec(row)?.[1]).filter((key) => key !== undefined);
  assert.deepEqual(listed.slice(0, expected.length), Object.keys(GenesisJson.properties));
  for (const [key, schema] of expected) {
    const row = rows.find((line) => line.startsWith(`| \`${key}\` |`)) ?? "";
    const written = (value: unknown): string =>
      value === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : String(value);
    for (const part of ["minimum", "maximum", "default"]) {
      const value: unknown = Reflect.get(schema, part);
      if (typeof value === "number") assert.ok(row.includes(written(value)), `${key} ${part}: ${row}`);
    }
  }
});

test("the protocol's links lead somewhere, and the header's length is right", () => {
  for (const [, target = ""] of text.matchAll(/\]\((?!http)([^)#]+)/g)) {
    assert.ok(existsSync(new URL(target, docs)), target);
  }
  assert.ok(text.includes(`A header takes ${HEADER_BYTES} bytes`));
});
