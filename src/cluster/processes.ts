import { askPs, lookOnLinux, processStart as startOf } from "../files/index.ts";
import { ClusterError } from "./errors.ts";

/** A process by its number and when it started: numbers are used again, the pair is not. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** That a process could not be looked at does not mean that it is gone: its cluster would be taken from it. */
function unknown(pid: number, why: string): ClusterError {
  const message = `cannot tell whether process ${pid} still runs: ${why}; try again`;
  return new ClusterError("CLUSTER_PROCESS_UNKNOWN", message);
}

const orUnknown = <T>(pid: number, look: Promise<T>): Promise<T> =>
  look.catch((error: Error) => {
    throw unknown(pid, error.message);
  });

export const startByPs = (pid: number, ps = "ps"): Promise<string | undefined> =>
  orUnknown(pid, askPs(pid, "lstart", ps));

export async function pausedByPs(pid: number, ps = "ps"): Promise<boolean> {
  return (await orUnknown(pid, askPs(pid, "state", ps)))?.startsWith("T") === true;
}

/**
 * When the process started, in whatever form this system tells it; undefined when there is no such process. Fails with
 * `CLUSTER_PROCESS_UNKNOWN` where that cannot be told.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  return orUnknown(pid, startOf(pid));
}

/** True while this very process lives, not another with its number. Fails as `processStart` does. */
export async function isAlive({ pid, started }: ProcessId): Promise<boolean> {
  return (await processStart(pid)) === started;
}

/** Whether this very process lives, and whether a signal has stopped it. Fails as `processStart` does. */
export async function processState({ pid, started }: ProcessId): Promise<"running" | "paused" | "gone"> {
  if (process.platform !== "linux") {
    if ((await startByPs(pid)) !== started) return "gone";
    return (await pausedByPs(pid)) ? "paused" : "running";
  }
  const look = await orUnknown(pid, lookOnLinux(pid));
  if (look?.started !== started) return "gone";
  return look.isPaused ? "paused" : "running";
}

/** Signals this very process, and tells whether it was there to be signalled. Fails as `processStart` does. */
export async function signalProcess(target: ProcessId, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(target))) return false;
  try {
    return process.kill(target.pid, signal);
  } catch {
    // It ended between the look and the signal.
    return false;
  }
}

export const sleep = (delayMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, delayMs));

/** Looks every 50 ms until `done` holds; false when it does not within the time. */
export async function waitUntil(done: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    if (await done()) return true;
    if (performance.now() > endMs) return false;
    await sleep(50);
  }
}

/** Ends a process that is verified to be the one meant: SIGTERM, then SIGKILL after `graceMs`. */
export async function endProcess(target: ProcessId, graceMs: number): Promise<void> {
  // One that cannot be looked at is neither signalled nor taken for gone.
  const signal = (name: NodeJS.Signals) => signalProcess(target, name).catch(() => false);
  const gone = async (): Promise<boolean> => !(await isAlive(target).catch(() => true));
  await signal("SIGTERM");
  // A paused one hears nothing before it goes on.
  await signal("SIGCONT");
  if (await waitUntil(gone, graceMs)) return;
  await signal("SIGKILL");
  await waitUntil(gone, 2_000);
}
