/**
 * Work that must not run on the event loop. A task is a named pure function of plain data; the pool runs it on another
 * thread (or inline, in simulations) and hands the result back.
 */
export interface WorkerPool<Tasks extends TaskTable> {
  /** Threads that work at the same time, >= 1. */
  readonly size: number;
  /**
   * Runs one task. `transfer` lists buffers that move instead of being copied; the caller must not use them again.
   * Rejects with the signal's reason when aborted (a task that has begun is finished for nobody), with the task's error
   * when it throws, and with a `WorkerPoolError` when the pool cannot run it.
   */
  run<Name extends keyof Tasks & string>(
    name: Name,
    input: Parameters<Tasks[Name]>[0],
    options?: { readonly transfer?: readonly ArrayBuffer[]; readonly signal?: AbortSignal },
  ): Promise<Awaited<ReturnType<Tasks[Name]>>>;
  /** Ends the threads; tasks that are not done fail with `POOL_CLOSED`. Calling it twice is harmless. */
  close(): Promise<void>;
}

/** `POOL_FULL`: too many tasks wait. `POOL_THREAD_DIED`: the thread ended under the task, by no fault of its own code. */
export type WorkerPoolErrorCode = "POOL_CLOSED" | "POOL_FULL" | "POOL_THREAD_DIED";

/** The pool could not run a task. */
export class WorkerPoolError extends Error {
  override readonly name = "WorkerPoolError";
  readonly code: WorkerPoolErrorCode;
  constructor(code: WorkerPoolErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

// A table of unary functions of any input: the pool never looks inside.
export type TaskTable = { readonly [name: string]: (input: never) => unknown };

/** Runs every task at once on the calling thread. For tests, simulation and machines without threads to spare. */
export function createInlineWorkerPool<Tasks extends TaskTable>(tasks: Tasks): WorkerPool<Tasks> {
  let open = true;
  return {
    size: 1,
    async run<Name extends keyof Tasks & string>(
      name: Name,
      input: Parameters<Tasks[Name]>[0],
      options?: { readonly signal?: AbortSignal },
    ): Promise<Awaited<ReturnType<Tasks[Name]>>> {
      if (!open) throw new WorkerPoolError("POOL_CLOSED", "the worker pool is closed");
      options?.signal?.throwIfAborted();
      const task = tasks[name];
      if (task === undefined) throw new Error(`no task is called ${name}`);
      return (await task(input as never)) as Awaited<ReturnType<Tasks[Name]>>;
    },
    async close() {
      open = false;
    },
  };
}
