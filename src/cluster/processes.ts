import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** A process by its number and when it started: numbers are used again, the pair is not. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** When the process started, in whatever form this system tells it; undefined when there is no such process. */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    // Fields after the command's name, which may itself contain spaces and brackets: state is the first, start the 20th.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields === undefined || fields[0] === "Z" ? undefined : fields[19];
  }
  return new Promise((resolve) => {
    execFile("ps", ["-o", "lstart=", "-p", String(pid)], { timeout: 5_000 }, (error, stdout) => {
      const started = stdout.trim();
      resolve(error !== null || started === "" ? undefined : started);
    });
  });
}

/** True while this very process lives, not another with its number. */
export async function isAlive({ pid, started }: ProcessId): Promise<boolean> {
  return (await processStart(pid)) === started;
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
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    if (!(await isAlive(target))) return;
    try {
      process.kill(target.pid, name);
    } catch {
      // It ended between the look and the signal.
    }
  };
  const gone = async (): Promise<boolean> => !(await isAlive(target));
  await signal("SIGTERM");
  if (await waitUntil(gone, graceMs)) return;
  await signal("SIGKILL");
  await waitUntil(gone, 2_000);
}
