/**
 * Work that must not run on the event loop. A task is a named pure function of plain data; the pool runs it on another
 * thread (or inline, in simulations) and hands the result back.
 */
export interface WorkerPool<Tasks extends TaskTable> {
  /** Threads that work at the same time, >= 1. */
  readonly size: number;
  /**
   * Runs one task. `transfer` lists buffers that move instead of being copied; the caller must not use them again.
   * Rejects with the signal's reason when aborted, and with the task's error when it throws.
   */
  run<Name extends keyof Tasks & string>(
    name: Name,
    input: Parameters<Tasks[Name]>[0],
    options?: { readonly transfer?: readonly ArrayBuffer[]; readonly signal?: AbortSignal },
  ): Promise<Awaited<ReturnType<Tasks[Name]>>>;
  close(): Promise<void>;
}

// A table of unary functions of any input: the pool never looks inside.
export type TaskTable = { readonly [name: string]: (input: never) => unknown };

/** Runs every task at once on the calling thread. For tests, simulation and machines without threads to spare. */
export function createInlineWorkerPool<Tasks extends TaskTable>(tasks: Tasks): WorkerPool<Tasks> {
  return {
    size: 1,
    async run<Name extends keyof Tasks & string>(
      name: Name,
      input: Parameters<Tasks[Name]>[0],
      options?: { readonly signal?: AbortSignal },
    ): Promise<Awaited<ReturnType<Tasks[Name]>>> {
      options?.signal?.throwIfAborted();
      const task = tasks[name];
      if (task === undefined) throw new Error(`no task is called ${name}`);
      return (await task(input as never)) as Awaited<ReturnType<Tasks[Name]>>;
    },
    async close() {},
  };
}
