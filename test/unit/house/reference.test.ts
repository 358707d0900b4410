import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { referenceFile, renderReference } from "../../../scripts/reference.ts";

test("docs/reference.md is what `npm run reference` makes of the program's own definitions", () => {
  assert.equal(readFileSync(referenceFile, "utf8"), renderReference());
});

test("every command in the reference says what it does, and shows an example", () => {
  const sections = renderReference().split("\n### ").slice(1);
  assert.ok(sections.length > 30, `${sections.length} commands`);
  for (const section of sections) {
    const [title = "", , meaning = ""] = section.split("\n");
    assert.match(meaning, /^\S.{8,}\.$/, title);
    assert.match(section, /```sh\n(.*\n)*.*cumulo /, title);
  }
});

test("every option in the reference has a meaning", () => {
  const bare = renderReference()
    .split("\n")
    .filter((line) => /^\| `[^|]+\| +\|/.test(line));
  assert.deepEqual(bare, []);
});
