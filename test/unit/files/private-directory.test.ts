import assert from "node:assert/strict";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makePrivateDirectory } from "../../../src/files/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

test("a directory and its missing parents are made for their owner only; one that exists stays as it is", async (t) => {
  const root = await temporaryDirectory(t);
  await mkdir(join(root, "open"), { mode: 0o755 });
  const deep = join(root, "open", "a", "b");
  await Promise.all([makePrivateDirectory(deep), makePrivateDirectory(deep)]);
  assert.deepEqual(await makePrivateDirectory(join(root, "open")), []);
  const modes = await Promise.all(["open", "open/a", "open/a/b"].map((path) => stat(join(root, path))));
  assert.deepEqual(
    modes.map(({ mode }) => mode & 0o777),
    [0o755, 0o700, 0o700],
  );
});

test("where no directory can be made it fails at once, in the system's words", async (t) => {
  const root = await temporaryDirectory(t);
  await writeFile(join(root, "file"), "");
  await assert.rejects(makePrivateDirectory(join(root, "file")), {
    code: "ENOTDIR",
    message: /file is a file/,
  });
  await assert.rejects(makePrivateDirectory(join(root, "file", "x")), { code: "ENOTDIR" });
  if (process.platform === "linux")
    await assert.rejects(makePrivateDirectory("/proc/cumulo"), { code: "ENOENT" });
});

test("it tells what it made, and a failure half-way leaves none of it", async (t) => {
  const root = await temporaryDirectory(t);
  assert.deepEqual(await makePrivateDirectory(join(root, "a", "b")), [join(root, "a"), join(root, "a", "b")]);
  await assert.rejects(makePrivateDirectory(join(root, "c", "x".repeat(300))), { code: "ENAMETOOLONG" });
  assert.deepEqual(await readdir(root), ["a"]);
});
