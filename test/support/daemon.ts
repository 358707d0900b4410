import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Status } from "../../src/api/index.ts";
import { type Client, createClient } from "../../src/client/index.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const START_MS = 30_000;

export interface DaemonOptions {
  /** Default: a fresh directory. */
  readonly dataDir?: string;
  readonly genesisFile?: string;
  readonly peers?: readonly string[];
  /** More arguments of `node start`. */
  readonly args?: readonly string[];
  /** Arguments of Node.js itself. */
  readonly nodeArgs?: readonly string[];
  readonly logLevel?: "debug" | "info" | "warn";
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One `cumulo node start` in a process of its own. */
export interface Daemon {
  readonly dataDir: string;
  readonly pid: number;
  readonly api: string;
  readonly multiaddr: string;
  /** Its name among peers. */
  readonly peer: string;
  readonly client: Client;
  /** Everything it wrote to standard error so far. */
  log(): string;
  /** Log lines as objects, those of one message only where one is given. */
  logged(message?: string): Record<string, unknown>[];
  /** Sends the signal and settles when the process has ended. */
  end(signal: NodeJS.Signals): Promise<Exit>;
  /** What it ended with; undefined while it runs. */
  exit(): Exit | undefined;
}

/** Directories and daemons of one test. They end with it, whatever happens in it. */
export interface Lab {
  directory(): Promise<string>;
  /** A copy of a stopped node's directory without its identity, so that it is another node of the same chain. */
  copyOf(dataDir: string): Promise<string>;
  /** Starts a daemon and waits until it answers; fails with its last words where it ends before. */
  start(options?: DaemonOptions): Promise<Daemon>;
  close(): Promise<void>;
}

export function createLab(t?: TestContext): Lab {
  const directories: string[] = [];
  const children = new Set<ChildProcess>();

  async function directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), "cumulo-e2e-"));
    directories.push(path);
    return path;
  }

  async function close(): Promise<void> {
    await Promise.all([...children].map(endNow));
    for (const path of directories.splice(0))
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
  t?.after(close);

  return {
    directory,
    close,
    async copyOf(dataDir) {
      const copy = await directory();
      await cp(join(dataDir, "chain"), join(copy, "chain"), { recursive: true });
      await cp(join(dataDir, "genesis.json"), join(copy, "genesis.json"));
      return copy;
    },
    async start(options = {}) {
      const dataDir = options.dataDir ?? (await directory());
      await rm(join(dataDir, "node.json"), { force: true });
      const child = spawnDaemon(dataDir, options);
      children.add(child);
      return await ready(dataDir, child);
    },
  };
}

async function endNow(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Starts one without waiting for it; whoever calls ends it. */
export function spawnDaemon(dataDir: string, options: DaemonOptions): ChildProcess {
  const args = ["node", "start", "--data", dataDir, "--api", "127.0.0.1:0"];
  args.push("--listen", "/ip4/127.0.0.1/tcp/0", "--log-level", options.logLevel ?? "info");
  if (options.genesisFile !== undefined) args.push("--genesis", options.genesisFile);
  for (const peer of options.peers ?? []) args.push("--peer", peer);
  // Who is connected with whom is what a test says, unless its own arguments, which come later, turn this on.
  args.push("--exchange", "off");
  const command = ["--disable-warning=ExperimentalWarning", ...(options.nodeArgs ?? []), MAIN, ...args];
  // The channel carries nothing: when this process dies, it closes, and the daemon stops by itself.
  return spawn(process.execPath, [...command, ...(options.args ?? [])], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}

/** Asks every 25 ms until the answer is not undefined; a failing question counts as no answer. */
export async function poll<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  let problem: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > endMs)
      throw new Error(`timed out waiting until ${what}`, problem === undefined ? {} : { cause: problem });
    await pause(25);
  }
}

async function ready(dataDir: string, child: ChildProcess): Promise<Daemon> {
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  // On a full test machine a child may fail to start at all.
  child.on("error", (error) => {
    log += String(error);
  });
  let exit: Exit | undefined;
  child.once("exit", (code, signal) => {
    exit = { code, signal };
  });
  const note = await poll(
    "the daemon answers",
    async () => {
      if (exit !== undefined) return "ended" as const;
      const text = await readFile(join(dataDir, "node.json"), "utf8").catch(() => undefined);
      if (text === undefined) return undefined;
      const { pid, api, multiaddrs } = JSON.parse(text) as { pid: number; api: string; multiaddrs: string[] };
      return pid === child.pid ? { api, multiaddr: multiaddrs[0] ?? "" } : undefined;
    },
    START_MS,
  );
  if (note === "ended") throw new Error(`the daemon ended: ${JSON.stringify(exit)}\n${log}`);
  const token = (await readFile(join(dataDir, "api-token"), "utf8")).trim();
  const client = createClient({ url: note.api, token });
  const { node } = await client.status();
  return {
    ...note,
    dataDir,
    pid: child.pid as number,
    peer: node.peer,
    client,
    log: () => log,
    logged: (message) =>
      log
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ msg }) => message === undefined || msg === message),
    async end(signal) {
      if (exit === undefined) {
        const ended = once(child, "exit");
        child.kill(signal);
        await ended;
      }
      return exit as unknown as Exit;
    },
    exit: () => exit,
  };
}

/** Waits until all heads are one, and gives it. */
export async function converged(daemons: readonly Daemon[], timeoutMs = 30_000): Promise<Status["head"]> {
  return await poll(
    `${daemons.length} nodes agree`,
    async () => {
      const heads = await Promise.all(daemons.map(async ({ client }) => (await client.status()).head));
      const [first] = heads;
      return heads.every(({ id }) => id === first?.id) ? first : undefined;
    },
    timeoutMs,
  );
}
