/**
 * The process that `cluster up` detaches. Gets its options as JSON in its first argument; tells its parent over the
 * channel how the start went, and lives on when the parent says `release`. A parent that goes away before that (an
 * interrupted `up`) takes the cluster with it.
 */
import pino from "pino";
import { createFileWatch } from "./cluster-file-watch.ts";
import { ClusterError } from "./errors.ts";
import { createLogWriter, supervisorLogOf } from "./log-file.ts";
import { type Supervisor, type SupervisorOptions, startSupervisor } from "./supervisor.ts";

export type SupervisorMessage =
  | { readonly type: "running"; readonly url: string }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

const options = JSON.parse(process.argv[2] ?? "{}") as SupervisorOptions;
// A full disk costs lines of the log, not the cluster. Its own outputs go to where the log was at the start.
const log = createLogWriter(supervisorLogOf(options.directory), () => {});
const logger = pino({ level: "info" }, log);
process.on("uncaughtExceptionMonitor", (err) =>
  logger.fatal({ err }, "the supervisor ends by a fault of its own"),
);
const abort = new AbortController();
let supervisor: Supervisor | undefined;
let released = false;
let stopping = false;

const send = (message: SupervisorMessage): void => {
  if (process.connected) process.send?.(message);
};

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  abort.abort(new Error("the start was interrupted"));
  await supervisor?.stop();
  if (supervisor !== undefined) process.exit(0);
}

const watch = createFileWatch({ logger, end: stop }, options.directory, process.pid);
const WATCH_MS = 1_000;

process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
process.on("message", (message) => {
  if (message === "release") released = true;
});
process.on("disconnect", () => {
  if (!released) void stop();
});

try {
  supervisor = await startSupervisor({ logger }, options, abort.signal);
  if (stopping) {
    await supervisor.stop();
    process.exit(0);
  }
  logger.info({ url: supervisor.url }, "cluster runs");
  send({ type: "running", url: supervisor.url });
  setInterval(() => void watch(), WATCH_MS).unref();
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  // What was foreseen needs no stack.
  logger.error(
    error instanceof ClusterError ? { code, error: message } : { err: error },
    "cluster did not start",
  );
  send({ type: "failed", code: code ?? "CLUSTER_START_FAILED", message });
  process.exitCode = 1;
  if (process.connected) process.disconnect();
}
