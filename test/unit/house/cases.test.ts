import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const table = readFileSync(join(root, "docs/cases.md"), "utf8");

/** Numbers of cases in the titles of a file's tests: `case 4: ...`, or `... (cases 21, 23)`. */
function casesOf(file: string): number[] {
  const titles = readFileSync(file, "utf8").matchAll(/\b(?:test|describe)\(\s*(["`])(.*?)\1/gs);
  return [...titles].flatMap(([, , title = ""]) =>
    [...title.matchAll(/\bcases? (\d+(?:, \d+)*)/g)].flatMap(([, numbers = ""]) =>
      numbers.split(", ").map(Number),
    ),
  );
}

const filesByCase = new Map<number, Set<string>>();
for (const file of globSync(join(root, "test/**/*.{test,slow}.ts")).sort())
  for (const number of casesOf(file))
    filesByCase.set(number, (filesByCase.get(number) ?? new Set()).add(relative(root, file)));

/** What the table says: the files of each case, and why a case has none. */
const rows = new Map(
  [...table.matchAll(/^\| (\d+) \| (.*) \| (.*) \|$/gm)].map(([, number, , files = ""]) => [
    Number(number),
    files,
  ]),
);

/** Left to the proof work. */
const LEFT: ReadonlySet<number> = new Set([33]);

test("every case has a test of its name, and the table says where", () => {
  assert.deepEqual(
    [...rows.keys()],
    Array.from({ length: 38 }, (_, i) => i + 1),
  );
  for (const [number, listed] of rows) {
    if (LEFT.has(number)) assert.match(listed, /^none yet: ./, `case ${number}`);
    else assert.match(listed, /^`test\/[^`]+`(, `test\/[^`]+`)*$/, `case ${number}`);
    for (const [, file = ""] of listed.matchAll(/`(.+?)`/g))
      assert.ok(filesByCase.get(number)?.has(file), `no test of ${file} has "case ${number}" in its title`);
  }
});

test("no test claims a case that there is not", () => {
  for (const number of filesByCase.keys()) assert.ok(rows.has(number), `case ${number}`);
});
