import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";

/** The end of what a program wrote that is kept for an error, characters. */
const KEPT_OUTPUT = 2_000;
/** Bounds what a runaway program can make us hold. */
const MAX_OUTPUT = 8 * 1024 * 1024;

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Killed after this; default 60 s. */
  readonly timeoutMs?: number;
  /** Exit codes that are no failure, besides 0. */
  readonly mayExit?: readonly number[];
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs programs, each bounded in time, and none any more once the test is to end. */
export interface Commands {
  run(command: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Aborted when the test is to end. */
  readonly signal: AbortSignal;
}

export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** With `signal` left out, commands run whatever happens: for cleaning up. */
export function createCommands(signal: AbortSignal = new AbortController().signal): Commands {
  async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    signal.throwIfAborted();
    const [file = "", ...args] = command;
    const { timeoutMs = 60_000, mayExit = [] } = options;
    // In a group of its own: Ctrl-C reaches this program only, which then ends what it started in order.
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const out = collect(child);
    const endGroup = (): void => killGroup(child);
    const timer = setTimeout(endGroup, timeoutMs);
    signal.addEventListener("abort", endGroup);
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", resolve);
      });
      signal.throwIfAborted();
      if (code === 0 || (code !== null && mayExit.includes(code))) return { code, ...out.text() };
      const { stdout, stderr } = out.text();
      const how = code === null ? `was ended, after at most ${timeoutMs} ms` : `exited with ${code}`;
      throw new CommandError(`${command.join(" ")} ${how}\n${`${stdout}${stderr}`.slice(-KEPT_OUTPUT)}`);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", endGroup);
    }
  }
  return { run, signal };
}

function collect({ stdout, stderr }: ChildProcess): { text(): { stdout: string; stderr: string } } {
  const texts = { stdout: "", stderr: "" };
  for (const [name, stream] of [
    ["stdout", stdout],
    ["stderr", stderr],
  ] as const)
    stream?.setEncoding("utf8").on("data", (text: string) => {
      if (texts[name].length < MAX_OUTPUT) texts[name] += text;
    });
  return { text: () => ({ ...texts }) };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Asks until the answer is neither undefined nor false; a failing question is no answer. */
export async function poll<T>(
  what: string,
  { signal }: Commands,
  ask: () => Promise<T | undefined | false>,
  timeoutMs: number,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  let problem: unknown;
  for (;;) {
    signal.throwIfAborted();
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > endMs)
      throw new Error(`waited ${timeoutMs / 1_000} s in vain until ${what}`, { cause: problem });
    await pause(200);
  }
}
