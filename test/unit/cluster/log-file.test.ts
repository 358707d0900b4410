import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { appendFile, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { MAX_LOG_BYTES, openLog, readLogAfter, readLogEnd } from "../../../src/cluster/log-file.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

describe("a log", () => {
  it("is written on at a start while it is short, and put aside once it is long: one old one is kept", async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(directory, "node.log");
    const write = (text: string) => {
      const log = openLog(file);
      writeSync(log, text);
      closeSync(log);
    };
    write("first\n");
    write("second\n");
    assert.equal(await readFile(file, "utf8"), "first\nsecond\n");
    for (const round of ["third\n", "fourth\n"]) {
      await truncate(file, MAX_LOG_BYTES + 1);
      write(round);
      assert.equal(await readFile(file, "utf8"), round);
      assert.deepEqual(await readdir(directory), ["node.log", "node.log.1"]);
      assert.equal((await stat(`${file}.1`)).size, MAX_LOG_BYTES + 1);
    }
  });

  it("gives its last lines, however long it is", async (t) => {
    const file = join(await temporaryDirectory(t), "node.log");
    assert.deepEqual(await readLogEnd(file, 3), { items: [], next: "0-0" });
    await writeFile(file, "");
    assert.deepEqual((await readLogEnd(file, 3)).items, []);
    await writeFile(file, textOf(numbered(1, 2)));
    assert.deepEqual((await readLogEnd(file, 3)).items, numbered(1, 2));
    await writeFile(file, `${textOf(numbered(1, 50_000))}a last word`);
    assert.deepEqual((await readLogEnd(file, 3)).items, ["line 49999", "line 50000", "a last word"]);
    assert.equal((await readLogEnd(file, 20_000)).items.length, 20_000);
    await writeFile(file, "x".repeat(6 * 1024 * 1024));
    const [line = ""] = (await readLogEnd(file, 3)).items;
    assert.ok(line.length <= 4 * 1024 * 1024 + 64 * 1024, "the reading is bounded");
  });

  it("gives what comes after, whole lines only, over a change of files and however much it is", async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(directory, "node.log");
    let { next } = await readLogEnd(file, 1);
    const more = async (): Promise<string[]> => {
      const all: string[] = [];
      for (;;) {
        const page = await readLogAfter(file, next);
        next = page.next;
        if (page.items.length === 0) return all;
        all.push(...page.items);
      }
    };
    await writeFile(file, textOf(numbered(1, 3)));
    assert.deepEqual(await more(), numbered(1, 3));
    await appendFile(file, "li");
    assert.deepEqual(await more(), []);
    await appendFile(file, "ne 4\n");
    assert.deepEqual(await more(), ["line 4"]);
    await appendFile(file, textOf(numbered(5, 100_000)));
    assert.deepEqual((await more()).length, 99_996);
    // Sparse, so that only its length is large.
    await truncate(file, MAX_LOG_BYTES);
    await appendFile(file, "\nlast of the old\n");
    const log = openLog(file);
    writeSync(log, "first of the new\n");
    closeSync(log);
    assert.deepEqual((await more()).slice(-2), ["last of the old", "first of the new"]);
    assert.deepEqual(await more(), []);
    await truncate(file, 0);
    await appendFile(file, "anew\n");
    assert.deepEqual(await more(), ["anew"]);
  });
});
