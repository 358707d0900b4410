import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import type { Worker } from "node:worker_threads";
import { createThreadWorkerPool } from "../../../../src/node/adapters/thread-worker-pool.ts";
import type { SampleTasks } from "../../../support/sample-tasks.ts";

const module = new URL("../../../support/sample-tasks.ts", import.meta.url);
const hasCode = (code: string) => (error: unknown) => (error as { code?: unknown }).code === code;

test("aborting rejects at once, and a task that still waits is never run", async () => {
  const pool = createThreadWorkerPool<SampleTasks>({ module, size: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const stuck = assert.rejects(pool.run("never", null, { signal: first.signal }), /enough/);
  const waiting = assert.rejects(pool.run("exit", null, { signal: second.signal }), /enough/);
  second.abort(new Error("enough"));
  await waiting;
  first.abort(new Error("enough"));
  await stuck;
  await pool.close();
});

test("a thread that ends under its task fails that task only", async () => {
  const pool = createThreadWorkerPool<SampleTasks>({ module, size: 1 });
  const doomed = assert.rejects(pool.run("exit", null), hasCode("POOL_THREAD_DIED"));
  const next = pool.run("double", 4);
  await doomed;
  assert.equal(await next, 8);
  await pool.close();
});

test("more waiting tasks than the limit are refused", async () => {
  const pool = createThreadWorkerPool<SampleTasks>({ module, size: 1, maxWaitingTasks: 1 });
  const running = assert.rejects(pool.run("never", null), hasCode("POOL_CLOSED"));
  const waiting = assert.rejects(pool.run("double", 1), hasCode("POOL_CLOSED"));
  await assert.rejects(pool.run("double", 2), hasCode("POOL_FULL"));
  await pool.close();
  await Promise.all([running, waiting]);
});

test("input that cannot be cloned rejects, and the pool goes on", async () => {
  const pool = createThreadWorkerPool<SampleTasks>({ module, size: 1 });
  await assert.rejects(pool.run("double", (() => 1) as never), { name: "DataCloneError" });
  assert.equal(await pool.run("double", 4), 8);
  await pool.close();
});

test("an idle pool does not keep its process alive, a busy one does", async () => {
  const script = `
    import { createThreadWorkerPool } from ${JSON.stringify(new URL("../../../../src/node/adapters/thread-worker-pool.ts", import.meta.url).href)};
    const pool = createThreadWorkerPool({ module: new URL(${JSON.stringify(module.href)}), size: 1 });
    pool.run("double", 21).then((result) => console.log(result));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  const timeout = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const [code] = await once(child, "close");
  clearTimeout(timeout);
  assert.equal(code, 0);
  assert.equal(output, "42\n");
});

test("a thread without work ends after a while, and the next task gets a new one", async () => {
  const started = once(process, "worker") as Promise<[Worker]>;
  const pool = createThreadWorkerPool<SampleTasks>({ module, size: 1, idleMs: 10 });
  assert.equal(await pool.run("double", 4), 8);
  const [thread] = await started;
  // Neither an idle thread nor its clock keeps this process alive.
  thread.ref();
  await once(thread, "exit");
  assert.equal(await pool.run("double", 5), 10);
  await pool.close();
});
