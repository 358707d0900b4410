import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import files, { mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  createWhole,
  fileProblem,
  readBounded,
  removeUnfinished,
  replaceWhole,
} from "../../../src/files/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

test("of many that create one file at once one wins, its text stays whole, and nothing temporary is left", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "secret");
  const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(100_000));
  const results = await Promise.allSettled(texts.map((text) => createWhole(file, text)));
  const won = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
  assert.equal(won.length, 1);
  for (const result of results) if (result.status === "rejected") assert.equal(result.reason.code, "EEXIST");
  assert.equal(await readFile(file, "utf8"), texts[won[0] ?? -1]);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ["secret"]);
});

test("where there are no hard links a new file is made as well, and never replaces one", async (t) => {
  t.mock.method(files, "link", async () => {
    throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const directory = await temporaryDirectory(t);
  const file = join(directory, "secret");
  const results = await Promise.allSettled(["a", "b", "c"].map((text) => createWhole(file, text)));
  const won = results.findIndex(({ status }) => status === "fulfilled");
  for (const [i, result] of results.entries())
    assert.equal(result.status === "rejected" ? result.reason.code : i, i === won ? i : "EEXIST");
  assert.equal(await readFile(file, "utf8"), "abc"[won]);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ["secret"]);
});

test("a replaced file is the old or the new one, and a failure leaves the old one and nothing else", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, "note");
  await replaceWhole(file, "old");
  await replaceWhole(file, "new");
  assert.equal(await readFile(file, "utf8"), "new");
  await mkdir(join(directory, "taken"));
  await assert.rejects(replaceWhole(join(directory, "taken"), "text"), { code: "EISDIR" });
  assert.deepEqual((await readdir(directory)).sort(), ["note", "taken"]);
});

test("a process killed while it writes leaves no file that is cut off", async (t) => {
  const directory = await temporaryDirectory(t);
  const module = new URL("../../../src/files/whole-file.ts", import.meta.url).href;
  // Each file is large enough that the kill falls into the writing of one of them.
  const program = `
    const { createWhole } = await import(${JSON.stringify(module)});
    for (let i = 0; ; i++) {
      await createWhole(${JSON.stringify(join(directory, "f"))} + i, "x".repeat(1_000_000));
      if (i === 3) process.stdout.write("writing");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  const files = (await readdir(directory)).filter((name) => !name.endsWith(".tmp"));
  assert.ok(files.length >= 4);
  for (const name of files) assert.equal((await stat(join(directory, name))).size, 1_000_000, name);
});

test("what the system says of a file is told in words", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, "file"), "");
  const problem = (path: string) => readFile(path).then(() => "", fileProblem);
  assert.equal(await problem(directory), "it is a directory");
  assert.equal(await problem(join(directory, "none")), "it does not exist");
  assert.match(await problem(join(directory, "file", "x")), /is a file and not a directory/);
});

test("a file is read whole up to its bound; a byte more is refused, and so is a device without end", async (t) => {
  const file = join(await temporaryDirectory(t), "file");
  await writeFile(file, "é".repeat(50_000));
  assert.equal(await readBounded(file, 100_000), "é".repeat(50_000));
  await assert.rejects(readBounded(file, 99_999), { code: "EFBIG", message: "it has more than 99999 bytes" });
  await assert.rejects(readBounded("/dev/zero", 1_000_000), { code: "EFBIG" });
});

test("what a killed writer left is removed, and nothing else", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ["key.json", "key.json.0123456789ab.tmp", "mine.tmp"])
    await writeFile(join(directory, name), "");
  await removeUnfinished(directory);
  assert.deepEqual((await readdir(directory)).sort(), ["key.json", "mine.tmp"]);
  await removeUnfinished(join(directory, "none"));
});

test("a pipe is read to its end, in pieces too, and one that nobody writes to keeps nobody waiting", async (t) => {
  const pipe = join(await temporaryDirectory(t), "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  assert.equal(await readBounded(pipe, 100), "");
  // Open for both ends, so that it opens at once; from here on the pipe has a writer.
  const writer = await open(pipe, "r+");
  await writer.write("one");
  const text = readBounded(pipe, 100);
  await setImmediate();
  await writer.write("two");
  await writer.close();
  assert.equal(await text, "onetwo");
});
