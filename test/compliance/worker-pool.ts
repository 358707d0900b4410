import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { type WorkerPool, WorkerPoolError } from "../../src/ports/index.ts";
import type { SampleTasks } from "../support/sample-tasks.ts";

/** The promises of the worker pool port, for any implementation. */
export function describeWorkerPool(name: string, create: () => WorkerPool<SampleTasks>): void {
  describe(`worker pool port: ${name}`, () => {
    const open: WorkerPool<SampleTasks>[] = [];
    const make = () => {
      const pool = create();
      open.push(pool);
      return pool;
    };
    afterEach(() => Promise.all(open.splice(0).map((pool) => pool.close())));

    test("a task's result comes back, whether it is synchronous or not", async () => {
      const pool = make();
      assert.ok(pool.size >= 1);
      assert.equal(await pool.run("double", 21), 42);
      assert.equal(await pool.run("later", { text: "sooner or" }), "sooner or later");
    });

    test("more tasks than threads are all answered, each with its own result", async () => {
      const pool = make();
      const inputs = Array.from({ length: 200 }, (_, index) => index);
      const results = await Promise.all(inputs.map((input) => pool.run("double", input)));
      assert.deepEqual(
        results,
        inputs.map((input) => input * 2),
      );
    });

    test("a buffer can be handed over", async () => {
      const buffer = Uint8Array.of(1, 2, 3).buffer;
      assert.equal(await make().run("sum", buffer, { transfer: [buffer] }), 6);
    });

    test("a task that throws rejects with its error, and the pool goes on", async () => {
      const pool = make();
      await assert.rejects(pool.run("fail", "my own fault"), { name: "TypeError", message: "my own fault" });
      assert.equal(await pool.run("double", 1), 2);
    });

    test("an unknown task is an error", async () => {
      await assert.rejects(make().run("missing" as "double", 1));
    });

    test("a task that was aborted before it began rejects with the signal's reason", async () => {
      const reason = new Error("too late");
      await assert.rejects(make().run("double", 1, { signal: AbortSignal.abort(reason) }), reason);
    });

    test("a closed pool takes no tasks and may be closed again", async () => {
      const pool = make();
      await pool.run("double", 1);
      await pool.close();
      await assert.rejects(
        async () => pool.run("double", 1),
        (error) => error instanceof WorkerPoolError && error.code === "POOL_CLOSED",
      );
      await pool.close();
    });
  });
}
