// Runs inside a thread of the worker pool: answers each task message with its result or its error.
import { parentPort, workerData } from "node:worker_threads";
import type { TaskAnswer, TaskMessage } from "./thread-worker-pool.ts";

if (parentPort === null) throw new Error("this module runs in a worker thread");
const port = parentPort;
const loaded: Promise<{ readonly tasks: Readonly<Record<string, (input: unknown) => unknown>> }> = import(
  workerData
);

async function answer({ id, name, input }: TaskMessage): Promise<TaskAnswer> {
  try {
    const { tasks } = await loaded;
    const task = tasks[name];
    if (task === undefined) throw new Error(`no task is called ${name}`);
    return { id, result: await task(input) };
  } catch (error) {
    return { id, error };
  }
}

port.on("message", async (message: TaskMessage) => {
  const reply = await answer(message);
  try {
    port.postMessage(reply);
  } catch (error) {
    // The result cannot be cloned; say so instead of leaving the caller waiting.
    port.postMessage({ id: message.id, error: new Error(String(error)) } satisfies TaskAnswer);
  }
});
