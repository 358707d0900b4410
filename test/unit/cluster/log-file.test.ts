import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import {
  createLogWriter,
  KEPT_LOGS,
  MAX_LOG_BYTES,
  openLog,
  readLogAfter,
  readLogEnd,
} from "../../../src/cluster/log-file.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

describe("a log", () => {
  it("is written on at a start while it is short, and put aside once it is long", async (t) => {
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
    const old = Array.from({ length: KEPT_LOGS }, (_, i) => `node.log.${i + 1}`);
    for (let round = 1; round <= KEPT_LOGS + 2; round++) {
      await truncate(file, MAX_LOG_BYTES + round);
      write(`round ${round}\n`);
      assert.equal(await readFile(file, "utf8"), `round ${round}\n`);
      assert.deepEqual((await readdir(directory)).sort(), ["node.log", ...old.slice(0, round)]);
      assert.equal((await stat(`${file}.1`)).size, MAX_LOG_BYTES + round);
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

  it("is put aside while it is written too, and neither its end nor a follower loses a line of what is kept", async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(directory, "node.log");
    const writer = createLogWriter(file, assert.ifError, 1_000);
    t.after(() => writer.close());
    const [out, err] = [new PassThrough(), new PassThrough()];
    writer.follow(out);
    writer.follow(err);
    const followed: string[] = [];
    let next = "0-0";
    const follow = async () => {
      for (let page = await readLogAfter(file, next); page.items.length > 0; ) {
        followed.push(...page.items);
        page = await readLogAfter(file, page.next);
        next = page.next;
      }
    };
    for (let i = 1; i <= 500; i++) {
      // Lines of two streams in pieces: none is mixed with another.
      out.write("li");
      err.write("err");
      out.write(`ne ${i}\n`);
      err.write(`or ${i}\n`);
      if (i % 50 === 0) await follow();
    }
    err.end("a last word");
    await until("the last word is written", async () =>
      (await readLogEnd(file, 1)).items.includes("a last word"),
    );
    await follow();
    assert.deepEqual(
      followed.filter((line) => line.startsWith("line")),
      numbered(1, 500),
    );
    assert.equal(followed.length, 1_001);
    for (const name of await readdir(directory))
      assert.ok((await stat(join(directory, name))).size < 1_100, name);
    assert.equal((await readdir(directory)).length, 1 + KEPT_LOGS);
    const { items } = await readLogEnd(file, 300);
    assert.ok(items.length > 250, "over more than one file");
    assert.deepEqual(items, followed.slice(-items.length));
  });

  it("tells how many lines it lost while it could not be written, and goes on", async (t) => {
    const file = join(await temporaryDirectory(t), "node.log");
    const errors: unknown[] = [];
    const writer = createLogWriter(file, (error) => errors.push(error), 200);
    t.after(() => writer.close());
    const stream = new PassThrough();
    writer.follow(stream);
    stream.write(`${"long enough ".repeat(20)}\n`);
    // In the way of what is put aside.
    for (const n of [2, 3]) await mkdir(join(`${file}.${n}`, "x"), { recursive: true });
    stream.write("one\ntwo\n");
    stream.write("three\n");
    assert.equal(errors.length, 1, "told once");
    for (const n of [2, 3]) await rm(`${file}.${n}`, { recursive: true });
    stream.write("four\n");
    const [first = "", second] = (await readFile(file, "utf8")).split("\n");
    assert.equal((JSON.parse(first) as { lines: number }).lines, 3);
    assert.equal(second, "four");
  });
});
