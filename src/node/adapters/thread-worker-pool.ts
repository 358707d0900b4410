import { Worker } from "node:worker_threads";
import { type TaskTable, type WorkerPool, WorkerPoolError } from "../../ports/index.ts";

const DEFAULT_MAX_WAITING_TASKS = 4_096;
/** A thread takes some 12 MiB or more, and a tenth of a second to start again. */
const DEFAULT_IDLE_MS = 10_000;

/** Told what the pool does. */
export interface PoolObserver {
  /** Once, with what can be read at any time. */
  watch(pool: { readonly waiting: () => number; readonly threads: () => number }): void;
  /** A thread had a task for so long. */
  ended(hasFailed: boolean, busyMs: number): void;
}

export interface ThreadWorkerPoolOptions {
  /** A module that exports `tasks`, a table of unary functions of cloneable data. Each thread imports it once. */
  readonly module: URL;
  /** Threads at most, >= 1; each is started when there is work for it. */
  readonly size: number;
  /** Tasks that wait for a thread at most; one more is refused with `POOL_FULL`. Default 4,096. */
  readonly maxWaitingTasks?: number;
  /** A thread that has had no task for so long is ended. Default 10,000. */
  readonly idleMs?: number;
  readonly observer?: PoolObserver;
  /** The thread's own program, where a bundler has put it. */
  readonly worker?: URL;
}

export interface TaskMessage {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}

export type TaskAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: unknown };

interface Task {
  readonly message: TaskMessage;
  readonly transfer: readonly ArrayBuffer[];
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
  /** When it got the task. */
  taskSinceMs: number;
  /** Ends it, while it has no task. */
  idle: NodeJS.Timeout | undefined;
}

/** A pool of threads of this process. A pool without work does not keep the process alive. */
export function createThreadWorkerPool<Tasks extends TaskTable>(
  options: ThreadWorkerPoolOptions,
): WorkerPool<Tasks> {
  if (!(Number.isInteger(options.size) && options.size >= 1))
    throw new RangeError("a pool has 1 thread or more");
  const threads = new ThreadSet(options);
  return {
    size: options.size,
    run(name, input, runOptions = {}) {
      return threads.run(name, input, runOptions.transfer ?? [], runOptions.signal) as never;
    },
    close: () => threads.close(),
  };
}

class ThreadSet {
  readonly #options: ThreadWorkerPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #waiting = new Set<Task>();
  #open = true;
  #nextId = 1;

  constructor(options: ThreadWorkerPoolOptions) {
    this.#options = options;
    options.observer?.watch({ waiting: () => this.#waiting.size, threads: () => this.#threads.size });
  }

  async run(
    name: string,
    input: unknown,
    transfer: readonly ArrayBuffer[],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (!this.#open) throw new WorkerPoolError("POOL_CLOSED", "the worker pool is closed");
    signal?.throwIfAborted();
    if (this.#waiting.size >= (this.#options.maxWaitingTasks ?? DEFAULT_MAX_WAITING_TASKS)) {
      throw new WorkerPoolError("POOL_FULL", `${this.#waiting.size} tasks wait already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const task: Task = { message: { id: this.#nextId++, name, input }, transfer, resolve, reject };
    const onAbort = () => {
      this.#waiting.delete(task);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(task);
    this.#dispatch();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    this.#open = false;
    const error = new WorkerPoolError("POOL_CLOSED", "the worker pool was closed");
    for (const task of this.#waiting) task.reject(error);
    this.#waiting.clear();
    await Promise.all(
      [...this.#threads].map(async ({ worker, task, idle }) => {
        clearTimeout(idle);
        task?.reject(error);
        await worker.terminate();
      }),
    );
  }

  #dispatch(): void {
    for (const task of this.#waiting) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      this.#waiting.delete(task);
      try {
        thread.worker.postMessage(task.message, task.transfer);
      } catch (error) {
        // The input cannot be cloned; the thread never heard of it.
        task.reject(error);
        continue;
      }
      thread.task = task;
      thread.taskSinceMs = performance.now();
      clearTimeout(thread.idle);
      thread.worker.ref();
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.task === undefined) return thread;
    return this.#threads.size < this.#options.size ? this.#start() : undefined;
  }

  #start(): Thread {
    const entry = this.#options.worker ?? new URL("./thread-worker.ts", import.meta.url);
    // Without the process's own flags: --eval and its kind make no sense in a thread, and stop it from starting.
    const worker = new Worker(entry, { workerData: this.#options.module.href, execArgv: [] });
    const thread: Thread = { worker, task: undefined, taskSinceMs: 0, idle: undefined };
    this.#threads.add(thread);
    worker.unref();
    worker.on("message", (answer: TaskAnswer) => {
      const task = thread.task;
      thread.task = undefined;
      this.#options.observer?.ended("error" in answer, performance.now() - thread.taskSinceMs);
      worker.unref();
      if ("error" in answer) task?.reject(answer.error);
      else task?.resolve(answer.result);
      this.#dispatch();
      if (thread.task === undefined) this.#endWhenIdle(thread);
    });
    worker.on("error", (cause) => this.#lose(thread, cause));
    worker.on("exit", () => this.#lose(thread, undefined));
    return thread;
  }

  #endWhenIdle(thread: Thread): void {
    clearTimeout(thread.idle);
    const end = () => {
      // From here on it gets no task; `close` need not wait for it.
      this.#threads.delete(thread);
      void thread.worker.terminate();
    };
    thread.idle = setTimeout(end, this.#options.idleMs ?? DEFAULT_IDLE_MS).unref();
  }

  #lose(thread: Thread, cause: unknown): void {
    if (!this.#threads.delete(thread)) return;
    clearTimeout(thread.idle);
    thread.task?.reject(
      new WorkerPoolError("POOL_THREAD_DIED", "the thread ended under the task", { cause }),
    );
    // A task that kills threads fails by itself; those that wait get a new thread.
    if (this.#open) this.#dispatch();
  }
}
