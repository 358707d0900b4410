import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLogOutput } from "../../../src/node/log-output.ts";

test("at the end of the process, what a full pipe did not take goes before what came after it", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "cumulo-log-output-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const page = Buffer.alloc(4_096, "x");
  let filled = 0;
  try {
    for (;;) filled += writeSync(fd, page);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
  }
  const output = createLogOutput(fd);
  output.write("first\n");
  // Two turns of the thread pool: the pipe has said by then that it is full.
  await stat(path);
  await stat(path);
  for (let left = filled; left > 0; ) left -= readSync(fd, page);
  output.write("second\n");
  output.flushNow();
  assert.equal(page.toString("utf8", 0, readSync(fd, page)), "first\nsecond\n");
});

test("a reader that reads nothing does not keep a process from its end", {
  skip: process.platform !== "linux" && "only Linux opens a pipe of the process anew",
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "cumulo-log-output-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  const fd = openSync(path, constants.O_RDWR);
  t.after(() => closeSync(fd));
  const module = new URL("../../../src/node/log-output.ts", import.meta.url).href;
  const script = `
    const { createLogOutput } = await import(${JSON.stringify(module)});
    const output = createLogOutput(2);
    for (let i = 0; i < 3_000; i++) output.write("a line of a log, and more than a pipe takes of them\\n");
    setImmediate(() => { output.flushNow(); process.exit(7); });
  `;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", fd] });
  t.after(() => child.kill("SIGKILL"));
  const [code] = await once(child, "exit", { signal: AbortSignal.timeout(20_000) });
  assert.equal(code, 7);
});
