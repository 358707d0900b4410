import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createTempDir } from "./temp-dir.ts";

/**
 * Why no pseudo-terminal can be had here; false where one can. Node.js cannot make one, and a native package for it would be
 * built on each machine: `script` of util-linux, which every Debian has, makes it, and `stty` changes its size as a window
 * manager would.
 */
export function noPty(): string | false {
  if (process.platform !== "linux") return "pseudo-terminals are made by util-linux's script, for Linux only";
  if (spawnSync("script", ["--version"]).stdout?.includes("util-linux") !== true)
    return "no script of util-linux";
  return spawnSync("stty", ["--version"]).status === 0 ? false : "no stty";
}

export interface PtyProcess {
  /** What the screen shows now, a string a line; the alternate one while that is on. */
  screen(): string[];
  /** All bytes so far, as text. */
  readonly output: string;
  readonly isAlternate: boolean;
  readonly isCursorVisible: boolean;
  /** Number of the process on the terminal. */
  pid(): number;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  /** Whether the terminal echoes, as it does for a shell. */
  echoes(): boolean;
  /** Exit code as a shell tells it, once it has ended. */
  readonly ended: Promise<number | null>;
  close(): Promise<void>;
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Runs a command on a pseudo-terminal of its own. */
export async function spawnOnPty(
  command: readonly string[],
  options: {
    readonly columns: number;
    readonly rows: number;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<PtyProcess> {
  const { path, remove } = await createTempDir();
  const [ttyFile, pidFile, echoFile] = [`${path}/tty`, `${path}/pid`, `${path}/echo`];
  const shell = [
    `tty > ${quoted(ttyFile)}`,
    `stty rows ${options.rows} cols ${options.columns}`,
    `sh -c 'echo $$ > "$0"; exec "$@"' ${quoted(pidFile)} ${command.map(quoted).join(" ")}`,
    "code=$?",
    `stty -a > ${quoted(echoFile)}`,
    "exit $code",
  ].join("; ");
  const child: ChildProcess = spawn("script", ["-qfec", shell, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", ...options.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stdin?.on("error", () => {});
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let size = { columns: options.columns, rows: options.rows };
  return {
    screen: () => screenOf(output, size.rows),
    get output() {
      return output;
    },
    get isAlternate() {
      return output.lastIndexOf("\x1b[?1049h") > output.lastIndexOf("\x1b[?1049l");
    },
    get isCursorVisible() {
      return output.lastIndexOf("\x1b[?25h") >= output.lastIndexOf("\x1b[?25l");
    },
    pid: () => Number(readFileSync(pidFile, "utf8")),
    type: (keys) => void child.stdin?.write(keys),
    resize(columns, rows) {
      size = { columns, rows };
      const tty = readFileSync(ttyFile, "utf8").trim();
      spawnSync("stty", ["-F", tty, "rows", String(rows), "cols", String(columns)]);
    },
    echoes: () => existsSync(echoFile) && /(^|\s)echo(\s|$)/m.test(readFileSync(echoFile, "utf8")),
    ended,
    async close() {
      child.kill("SIGKILL");
      await ended;
      await remove();
    },
  };
}

/** A terminal that knows no more escapes than these: place the cursor, clear, and colours, which it does not see. */
function screenOf(output: string, rows: number): string[] {
  let lines = Array.from({ length: rows }, () => "");
  let [row, column] = [0, 0];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what this reads.
  for (const [part] of output.matchAll(/\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+/g)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    const place = /^\x1b\[(\d+);(\d+)H$/.exec(part);
    if (place !== null) [row, column] = [Number(place[1]) - 1, Number(place[2]) - 1];
    else if (part === "\x1b[2J") lines = Array.from({ length: rows }, () => "");
    else if (part === "\r") column = 0;
    else if (part === "\n") row += 1;
    else if (!part.startsWith("\x1b") && row < rows) {
      const line = (lines[row] ?? "").padEnd(column);
      lines[row] = line.slice(0, column) + part + line.slice(column + part.length);
      column += part.length;
    }
  }
  return lines.map((line) => line.trimEnd());
}
