import { constants } from "node:fs";
import { access, readFile, stat, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { Finding, Severity } from "../api/index.ts";
import { fileProblem, lookOnLinux, processStart, readBounded } from "../files/index.ts";
import { shellWord } from "./output.ts";

/** What only the outside sees of a node, most of it when it does not answer. */
export const OUTSIDE_FINDINGS = [
  "NODE_NOT_RUNNING",
  "NODE_CRASHED",
  "NODE_PAUSED",
  "NODE_SILENT",
  "PORT_BUSY",
  "DATA_MISSING",
  "DATA_UNUSABLE",
  "DATA_OTHER",
  "CHAIN_LOCKED",
  "DISK_FULL",
  "DISK_NEARLY_FULL",
] as const;
type OutsideCode = (typeof OUTSIDE_FINDINGS)[number];

const DISK_FULL_BYTES = 64 * 1024 * 1024;
const DISK_LOW_BYTES = 1024 * 1024 * 1024;
const CONNECT_MS = 1_000;
const MAX_NOTE_BYTES = 64 * 1024;
/** The end of a log that is read for its last line. */
const LAST_WORDS = 300;
const MAX_LOG_BYTES = 16 * 1024 * 1024;

export const found = (
  code: OutsideCode,
  severity: Severity,
  summary: string,
  advice: string,
  details: Record<string, unknown> = {},
): Finding => ({ code, severity, summary, advice, details });

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** What is wrong with the directory itself; a finding here means that there is nothing to look for in it. */
async function directoryFinding(data: string): Promise<Finding | undefined> {
  const other = "name the right one with --data DIR";
  const info = await stat(data).catch((error: NodeJS.ErrnoException) => error);
  if (info instanceof Error)
    return info.code === "ENOENT"
      ? found(
          "DATA_MISSING",
          "problem",
          `there is no directory ${data}`,
          `${other}; a node makes it at its first start`,
        )
      : found("DATA_UNUSABLE", "problem", `${data} cannot be used: ${fileProblem(info)}`, other);
  if (!info.isDirectory()) return found("DATA_UNUSABLE", "problem", `${data} is no directory`, other);
  if (await exists(join(data, "cluster.mark")))
    return found(
      "DATA_OTHER",
      "problem",
      `${data} is a cluster's directory, not a node's`,
      `ask for the cluster: cumulo doctor --dir ${shellWord(data)}`,
    );
  if (!(await exists(join(data, "genesis.json"))) && !(await exists(join(data, "chain"))))
    return found(
      "DATA_OTHER",
      "problem",
      `${data} is no node's directory: it has no genesis.json and no chain`,
      other,
    );
  const problem = await access(data, constants.W_OK | constants.X_OK).catch((error: unknown) => error);
  if (problem === undefined) return undefined;
  return found(
    "DATA_UNUSABLE",
    "problem",
    `${data} cannot be written: ${fileProblem(problem)}`,
    "give it to the user that runs the node (chown), or run the node as its owner",
  );
}

async function diskFindings(data: string): Promise<Finding[]> {
  const space = await statfs(data).catch(() => undefined);
  if (space === undefined) return [];
  const freeBytes = space.bavail * space.bsize;
  if (freeBytes >= DISK_LOW_BYTES) return [];
  const isFull = freeBytes < DISK_FULL_BYTES;
  const mib = Math.round(freeBytes / 1024 / 1024);
  return [
    found(
      isFull ? "DISK_FULL" : "DISK_NEARLY_FULL",
      isFull ? "problem" : "warning",
      `the disk of ${data} has ${mib} MiB left`,
      "make room; a node that stopped by it goes on where it was when started again",
      { path: data, freeBytes },
    ),
  ];
}

/** The process that has a file locked; only Linux tells. */
async function lockHolder(file: string): Promise<number | undefined> {
  const inode = (await stat(file).catch(() => undefined))?.ino;
  const locks = await readFile("/proc/locks", "utf8").catch(() => "");
  const line = locks.split("\n").find((one) => one.includes(`:${inode} `) && !one.includes("->"));
  const pid = Number(/ (?:READ|WRITE)\s+(\d+) /.exec(line ?? "")?.[1]);
  return inode !== undefined && pid > 0 ? pid : undefined;
}

/** What the node wrote last, where somebody keeps that: a cluster's supervisor does. */
async function lastWords(data: string): Promise<string> {
  const text = await readBounded(join(data, "node.log"), MAX_LOG_BYTES).catch(() => "");
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  let words = line;
  try {
    const { msg, error } = JSON.parse(line) as { msg?: unknown; error?: unknown };
    words = [msg, error].filter((one) => typeof one === "string").join(": ");
  } catch {
    // Not an entry, such as a last word without a log.
  }
  return words.replace(/[\p{Cc}\ufffd]/gu, "?").slice(0, LAST_WORDS);
}

function whoAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (isAnswered: boolean): void => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.setTimeout(CONNECT_MS, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

/** The API's usual port, of a node that does not run: whoever starts it next wants to know. */
async function portFindings(port: number): Promise<Finding[]> {
  if (!(await whoAnswers(port))) return [];
  const { createClient } = await import("../client/index.ts");
  const status = await createClient({ url: `http://127.0.0.1:${port}`, timeoutMs: CONNECT_MS })
    .status()
    .catch(() => undefined);
  const who = status === undefined ? "another program" : `another node (${status.node.peer})`;
  return [
    found(
      "PORT_BUSY",
      "warning",
      `port ${port}, where a node's API is served by default, is taken by ${who}`,
      "start the node with --api 127.0.0.1:0, or with another port",
      { port },
    ),
  ];
}

interface Note {
  readonly pid?: unknown;
  readonly started?: unknown;
  readonly api?: unknown;
}

async function noteOf(data: string): Promise<Note | undefined> {
  const text = await readBounded(join(data, "node.json"), MAX_NOTE_BYTES).catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Note;
  } catch {
    return {};
  }
}

const told = (words: string): string => (words === "" ? "" : `; its last words: ${words}`);

/** A node that does not run, by what it left. */
async function endedFinding(data: string, note: Note | undefined): Promise<Finding> {
  const start = `start it with: cumulo node start --data ${shellWord(data)}`;
  const words = await lastWords(data);
  const pid = await lockHolder(join(data, "chain", "LOCK"));
  if (pid !== undefined)
    return found(
      "CHAIN_LOCKED",
      "problem",
      `process ${pid} has the chain in ${data} open, and serves no API: it starts, or is at work on it (backup, reindex, db check)`,
      `wait for it; if it hangs, look at it (ps -p ${pid}) and end it`,
      { pid },
    );
  if (note !== undefined)
    return found(
      "NODE_CRASHED",
      "problem",
      `process ${String(note.pid)}, which ran on ${data}, ended without a clean stop: killed, or it crashed${told(words)}`,
      `nothing acknowledged is lost; ${start}`,
      { pid: note.pid ?? null, lastWords: words },
    );
  return found(
    "NODE_NOT_RUNNING",
    "problem",
    `no node runs on ${data}: it was stopped cleanly, or never ran${told(words)}`,
    start,
    { lastWords: words },
  );
}

/** A process that is there and does not answer. */
async function silentFinding(pid: number, api: string): Promise<Finding> {
  const look = process.platform === "linux" ? await lookOnLinux(pid).catch(() => undefined) : undefined;
  if (look?.isPaused === true)
    return found(
      "NODE_PAUSED",
      "problem",
      `process ${pid} is stopped by a signal (SIGSTOP), so the node at ${api} answers nothing`,
      `let it go on: kill -CONT ${pid}`,
      { pid },
    );
  return found(
    "NODE_SILENT",
    "problem",
    `process ${pid} runs, and its API at ${api} does not answer`,
    "it may be busy: ask again; else see its log, and start it again",
    { pid, api },
  );
}

/** What a directory shows of its node. Empty: the node should answer, so ask it. */
export async function lookAtDirectory(data: string, defaultPort: number): Promise<Finding[]> {
  const wrong = await directoryFinding(data);
  if (wrong !== undefined) return [wrong];
  const note = await noteOf(data);
  const pid = typeof note?.pid === "number" ? note.pid : undefined;
  const started = pid === undefined ? undefined : await processStart(pid).catch(() => note?.started);
  const runs = started !== undefined && (typeof note?.started !== "string" || note.started === started);
  if (runs) return [];
  return [
    await endedFinding(data, note),
    ...(await diskFindings(data)),
    ...(await portFindings(defaultPort)),
  ];
}

/** Why a node that should answer does not. */
export async function lookAtSilence(data: string | undefined, url: string, code: string): Promise<Finding[]> {
  if (code === "API_ANSWER_INVALID")
    return [
      found(
        "PORT_BUSY",
        "problem",
        `another program answers at ${url}, and not as a Cumulo node would`,
        "name the node's own address with --api URL or --data DIR; start it on another port with --api HOST:PORT",
        { url },
      ),
    ];
  const note = data === undefined ? undefined : await noteOf(data);
  if (typeof note?.pid === "number") return [await silentFinding(note.pid, url)];
  if (code === "API_TIMEOUT")
    return [
      found(
        "NODE_SILENT",
        "problem",
        `${url} takes the question and does not answer`,
        "it may be busy or paused: ask again; else see its log",
        { api: url },
      ),
    ];
  return [
    found(
      "NODE_NOT_RUNNING",
      "problem",
      `no node answers at ${url}`,
      "start one (cumulo node start --data DIR), or name it with --api URL or --data DIR; of a stopped one, --data DIR tells more",
      { api: url },
    ),
  ];
}
