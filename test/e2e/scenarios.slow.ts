import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../support/cli.ts";
import { runWithFalseAssertions } from "../support/scenario-lab.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const directory = fileURLToPath(new URL("../../scenarios", import.meta.url));
const files = readdirSync(directory)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => join(directory, name));

/** What can be made false in a file's text, best first. */
const FALSE: readonly [RegExp, string][] = [
  [/depth: .*\n/, "depth: 99 blocks\n    within: 1s\n"],
  [/is: at least .* blocks?\n/, "is: at least 900 blocks\n"],
  [/is: at least \d+\n/, "is: at least 900\n    within: 1s\n"],
  [/is: mined\n/, "is: dropped\n    within: 1s\n"],
];

function madeFalse(text: string): string {
  for (const [what, instead] of FALSE) if (what.test(text)) return text.replace(what, instead);
  return text.replace(
    /- assert: no reorg\n(.*\n)/,
    "- assert: reorg\n$1    depth: 99 blocks\n    within: 1s\n",
  );
}

describe("the scenarios that come along", () => {
  for (const file of files) {
    const name = basename(file);
    it(`${name} exits 0, and 1 when an assertion in its file is made false`, {
      timeout: 300_000,
    }, async (t) => {
      const run = (path: string) => runCli(["cluster", "run", path, "--json"], { timeoutMs: 140_000 });
      const good = await run(file);
      assert.equal(good.code, 0, good.stdout + good.stderr);
      const wrong = join(await temporaryDirectory(t), name);
      await writeFile(wrong, madeFalse(readFileSync(file, "utf8")));
      const bad = await run(wrong);
      assert.equal(bad.code, 1, bad.stdout + bad.stderr);
      assert.equal(JSON.parse(bad.stdout).outcome, "failed");
    });

    it(`${name}: each of its assertions fails when it is made false`, { timeout: 300_000 }, async (t) => {
      assert.ok((await runWithFalseAssertions(t, file)) > 0);
    });
  }
});
