import { join } from "node:path";
import type { Command } from "commander";
import type { Client } from "../client/index.ts";
import { fileProblem, processStart, readBounded } from "../files/index.ts";
import { type CliError, failure, usageError } from "./failure.ts";
import { shellWord } from "./output.ts";
import { apiUrl, path, quoted } from "./values.ts";

export const DEFAULT_API = "http://127.0.0.1:7070";

export interface ConnectionOptions {
  readonly api?: string;
  readonly data?: string;
  readonly tokenFile?: string;
}

/** Adds the options by which a command finds its node. */
export function connected(command: Command): Command {
  return command
    .option(
      "--api <url>",
      `the node's API (default: the node of --data, CUMULO_API, or ${DEFAULT_API})`,
      apiUrl,
    )
    .option(
      "--data <dir>",
      "the node's data directory: its API address and token are read from there (or CUMULO_DATA)",
      path,
    )
    .option(
      "--token-file <file>",
      "file with the bearer token (default: api-token in --data, or CUMULO_TOKEN)",
      path,
    );
}

const MISSING = "FILE_NOT_FOUND";
/** A token, or a node's note of its addresses. */
const MAX_NOTE_BYTES = 64 * 1024;

async function readText(file: string, what: string): Promise<string> {
  try {
    return (await readBounded(file, MAX_NOTE_BYTES)).trim();
  } catch (error) {
    const message = `cannot read ${what} ${file}: ${fileProblem(error)}`;
    throw failure((error as NodeJS.ErrnoException).code === "ENOENT" ? MISSING : "FILE_UNREADABLE", message);
  }
}

interface NodeNote {
  readonly pid?: unknown;
  readonly started?: unknown;
  readonly api?: unknown;
}

/**
 * Whether the process still runs that wrote a note. After a kill -9 the note stays, and its port may be anybody's, who is
 * to get no token. A note without what this needs is taken for one of a node that runs.
 */
async function isRunning({ pid, started }: NodeNote): Promise<boolean> {
  if (typeof pid !== "number") return true;
  // Where the system does not tell, the note is all there is.
  const now = await processStart(pid).catch(() => started ?? "running");
  return now !== undefined && (typeof started !== "string" || now === started);
}

/** The running node's own note of where its API is. */
async function apiOfData(data: string): Promise<string> {
  const file = join(data, "node.json");
  const start = `start it with "cumulo node start --data ${shellWord(data)}"`;
  const text = await readText(file, "the running node's address in").catch((error: CliError) => {
    if (error.code !== MISSING) throw error;
    throw failure("NODE_NOT_RUNNING", `no node runs on ${data} (${file} is missing); ${start}`);
  });
  let note: NodeNote;
  let api: string;
  try {
    note = JSON.parse(text) as NodeNote;
    api = apiUrl(String(note.api));
  } catch {
    throw failure("FILE_INVALID", `${file} does not name an API; stop the node and start it again`);
  }
  if (await isRunning(note)) return api;
  throw failure(
    "NODE_NOT_RUNNING",
    `no node runs on ${data}: process ${note.pid}, which ${file} names, has ended; ${start}, or name one that runs elsewhere with --api URL and --token-file FILE`,
  );
}

export const dataDirectory = ({ data }: ConnectionOptions): string | undefined =>
  data ?? (process.env["CUMULO_DATA"] || undefined);

/** The options that named the node, for a command that a hint tells to copy. */
export function nodeFlags({ api, data, tokenFile }: ConnectionOptions): string {
  const given = [
    ["--api", api],
    ["--data", data],
    ["--token-file", tokenFile],
  ] as const;
  return given.map(([flag, value]) => (value === undefined ? "" : ` ${flag} ${shellWord(value)}`)).join("");
}

/** A token travels in a header, where nothing but visible ASCII may stand. Not quoted: it may be another secret. */
function tokenIn(text: string, where: string): string {
  if (/^[!-~]{1,512}$/.test(text)) return text;
  throw failure("TOKEN_INVALID", `${where} holds no token: it must be one word of at most 512 characters`);
}

async function findToken(
  options: ConnectionOptions,
  data: string | undefined,
  url: string,
): Promise<string | undefined> {
  if (options.tokenFile !== undefined)
    return tokenIn(await readText(options.tokenFile, "the token file"), options.tokenFile);
  const environment = process.env["CUMULO_TOKEN"];
  if (environment) return tokenIn(environment, "CUMULO_TOKEN");
  if (data === undefined) return undefined;
  // A token goes to the node it belongs to, and to no other server that --api or CUMULO_API may name.
  if ((await apiOfData(data).catch(() => undefined)) !== url) return undefined;
  // Reading commands need no token on loopback, so its absence is the node's to complain about.
  const file = join(data, "api-token");
  const text = await readText(file, "the token").catch(() => undefined);
  return text === undefined ? undefined : tokenIn(text, file);
}

function ofEnvironment(url: string): string {
  try {
    return apiUrl(url);
  } catch (error) {
    throw usageError(`CUMULO_API is ${quoted(url)}. ${(error as Error).message}`);
  }
}

/** Where the node is that the options name, and its token where it is known. */
export async function locateNode(
  options: ConnectionOptions,
): Promise<{ readonly url: string; readonly token?: string }> {
  const data = dataDirectory(options);
  const environment = process.env["CUMULO_API"];
  const named =
    options.api ?? (options.data === undefined && environment ? ofEnvironment(environment) : undefined);
  const url = named ?? (data === undefined ? DEFAULT_API : await apiOfData(data));
  const token = await findToken(options, data, url);
  return { url, ...(token === undefined ? {} : { token }) };
}

/** A client for the node that the options name. */
export async function openClient(options: ConnectionOptions, timeoutMs?: number): Promise<Client> {
  const located = await locateNode(options);
  const { createClient } = await import("../client/index.ts");
  return createClient({ ...located, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

export interface JsonOption {
  readonly json?: boolean;
}
