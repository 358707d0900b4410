import { createThreadWorkerPool } from "../../src/node/adapters/thread-worker-pool.ts";
import { createInlineWorkerPool } from "../../src/ports/index.ts";
import { type SampleTasks, tasks } from "../support/sample-tasks.ts";
import { describeWorkerPool } from "./worker-pool.ts";

const module = new URL("../support/sample-tasks.ts", import.meta.url);

describeWorkerPool("inline", () => createInlineWorkerPool(tasks));
describeWorkerPool("threads", () => createThreadWorkerPool<SampleTasks>({ module, size: 2 }));
