import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts the command line as its own process, with an environment that names no node. `withChannel`: as a supervisor
 * starts its nodes. `stdout`, `stderr`: an open file for what it writes there.
 */
export function spawnCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  {
    withChannel = false,
    stdout = "pipe",
    stderr = "pipe",
  }: {
    readonly withChannel?: boolean;
    readonly stdout?: "pipe" | number;
    readonly stderr?: "pipe" | number;
  } = {},
): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(CUMULO_|NODE_OPTIONS|FORCE_COLOR)/.test(name),
  );
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", stdout, stderr, ...(withChannel ? (["ipc"] as const) : [])],
  });
}

/** Runs one command to its end; killed after `timeoutMs`. */
export async function runCli(
  args: readonly string[],
  {
    env = {},
    timeoutMs = 60_000,
    stdout: target = "pipe",
  }: { env?: Readonly<Record<string, string>>; timeoutMs?: number; stdout?: "pipe" | number } = {},
): Promise<CliResult> {
  const child = spawnCli(args, env, { stdout: target });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return { code, stdout, stderr };
}
