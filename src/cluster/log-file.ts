import { closeSync, fstatSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** A log that grows over it is put aside, and so many old ones are kept: a node's logs take 32 MiB and a line at most. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024;
export const KEPT_LOGS = 3;
/** A line that is longer is cut into several. */
const MAX_LINE_BYTES = 64 * 1024;
/** Of lines that are asked for from the end, and of those that came since. */
const MAX_END_BYTES = 4 * 1024 * 1024;
const MAX_NEXT_BYTES = 256 * 1024;
const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** What the old parts of a log are called, the youngest first. */
export const oldLogsOf = (file: string): string[] =>
  Array.from({ length: KEPT_LOGS }, (_, i) => `${file}.${i + 1}`);

export const SUPERVISOR_LOG = "supervisor.log";
export const supervisorLogOf = (directory: string): string => join(directory, SUPERVISOR_LOG);

/** Makes NAME.1 of a log, NAME.2 of NAME.1 and so on; the oldest goes. */
function putAside(file: string): void {
  const names = [file, ...oldLogsOf(file)];
  for (const [i, name] of [...names.entries()].slice(0, -1).reverse()) {
    if (statSync(name, { throwIfNoEntry: false }) !== undefined) renameSync(name, names[i + 1] as string);
  }
}

/** Opens a log to write after what it holds; one over `maxBytes` is put aside before. */
export function openLog(file: string, maxBytes = MAX_LOG_BYTES): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() && found.size > maxBytes) putAside(file);
  return openSync(file, "a", 0o600);
}

/** A log that is written here, and put aside whenever it has grown too long. */
export interface LogWriter {
  /** Writes whole lines as they come, until the stream ends; a last one without an end gets it. */
  follow(stream: Readable): void;
  /** Writes whole lines, with their ends. */
  write(lines: string): void;
  /** After it nothing is written any more. */
  close(): void;
}

/**
 * Opens a log as `openLog` does. What cannot be written later, as on a full disk, is lost; how many lines, stands in the
 * log as soon as it can be written again, and `onLost` is told once each time that begins.
 */
export function createLogWriter(
  file: string,
  onLost: (error: unknown) => void,
  maxBytes = MAX_LOG_BYTES,
): LogWriter {
  let log: number | undefined = openLog(file, maxBytes);
  let size = fstatSync(log).size;
  let lost = 0;
  /** What was written last is a part of a line. */
  let isTorn = false;
  let isClosed = false;

  function append(lines: Buffer): void {
    if (size > maxBytes && log !== undefined) {
      closeSync(log);
      log = undefined;
    }
    if (log === undefined) {
      log = openLog(file, maxBytes);
      size = fstatSync(log).size;
    }
    for (let at = 0; at < lines.length; ) {
      const written = writeSync(log, lines, at);
      at += written;
      size += written;
      isTorn = lines[at - 1] !== NEWLINE;
    }
  }

  function write(lines: Buffer): void {
    if (isClosed) return;
    try {
      const note = { msg: "lines were lost, as the log could not be written", lines: lost };
      if (lost > 0) append(Buffer.from(`${isTorn ? "\n" : ""}${JSON.stringify(note)}\n`));
      lost = 0;
      append(lines);
    } catch (error) {
      if (lost === 0) onLost(error);
      for (const byte of lines) if (byte === NEWLINE) lost++;
    }
  }

  return {
    follow(stream) {
      let begun = Buffer.alloc(0);
      stream.on("data", (chunk: Buffer) => {
        const all = Buffer.concat([begun, chunk]);
        const whole = all.lastIndexOf(NEWLINE) + 1;
        begun = all.subarray(whole);
        if (whole > 0) write(all.subarray(0, whole));
        if (begun.length <= MAX_LINE_BYTES) return;
        write(Buffer.concat([begun, Buffer.of(NEWLINE)]));
        begun = Buffer.alloc(0);
      });
      stream.on("end", () => {
        if (begun.length > 0) write(Buffer.concat([begun, Buffer.of(NEWLINE)]));
      });
      // Its writer is gone, which its end tells too.
      stream.on("error", () => {});
    },
    write: (lines) => write(Buffer.from(lines)),
    close() {
      isClosed = true;
      if (log !== undefined) closeSync(log);
      log = undefined;
    },
  };
}

/** Lines of a log, and where those after them begin: file and place in it. */
export interface LogPage {
  readonly items: readonly string[];
  readonly next: string;
}

/** One file of a log. */
interface Part {
  readonly handle: FileHandle;
  readonly id: string;
  readonly size: number;
}

async function readAt({ handle }: Part, from: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, from);
  return buffer.subarray(0, bytesRead);
}

/** Hands over the files of a log, the oldest first. Opened from the youngest on: one that is put aside meanwhile is met later. */
async function withParts<T>(file: string, read: (parts: readonly Part[]) => Promise<T>): Promise<T> {
  const handles: FileHandle[] = [];
  try {
    const parts = new Map<string, Part>();
    for (const name of [file, ...oldLogsOf(file)]) {
      const handle = await open(name, "r").catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      if (handle === undefined) continue;
      handles.push(handle);
      const { ino, size } = await handle.stat({ bigint: true });
      const id = String(ino);
      if (!parts.has(id)) parts.set(id, { handle, id, size: Number(size) });
    }
    return await read([...parts.values()].reverse());
  } finally {
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** The last lines of one file: it is read from its end, and of it no more than `maxBytes` and a block. */
async function endOf(
  part: Part,
  lines: number,
  maxBytes: number,
): Promise<{ items: string[]; read: number }> {
  const blocks: Buffer[] = [];
  let from = part.size;
  let newlines = 0;
  // One more than asked for: the first line of what was read may have begun before it.
  while (from > 0 && newlines <= lines && part.size - from < maxBytes) {
    const bytes = Math.min(BLOCK_BYTES, from);
    from -= bytes;
    const block = await readAt(part, from, bytes);
    for (const byte of block) if (byte === NEWLINE) newlines++;
    blocks.unshift(block);
  }
  const all = linesOf(Buffer.concat(blocks).toString("utf8"));
  const whole = from > 0 && all.length > 1 ? all.slice(1) : all;
  return { items: whole.slice(-lines), read: part.size - from };
}

/** The last lines of a log, however long it has grown: 4 MiB of it are read at most, over its files. */
export function readLogEnd(file: string, lines: number): Promise<LogPage> {
  return withParts(file, async (parts) => {
    const items: string[] = [];
    let left = MAX_END_BYTES;
    for (const part of parts.toReversed()) {
      if (items.length >= lines || left <= 0) break;
      const end = await endOf(part, lines - items.length, left);
      items.unshift(...end.items);
      left -= end.read;
    }
    const last = parts.at(-1);
    return { items, next: last === undefined ? "0-0" : `${last.id}-${last.size}` };
  });
}

/** Lines of one file from a place on, 256 KiB at most. One that `isWritten` may end in a line that has no end yet. */
async function readFrom(part: Part, from: number, isWritten: boolean): Promise<LogPage> {
  // Somebody has emptied it.
  const start = from > part.size ? 0 : from;
  const block = await readAt(part, start, MAX_NEXT_BYTES);
  const end = block.lastIndexOf(NEWLINE) + 1;
  const isWhole = block.length < MAX_NEXT_BYTES && !isWritten;
  // A line that is longer than what is read at once comes in pieces.
  const taken = isWhole || (end === 0 && block.length === MAX_NEXT_BYTES) ? block.length : end;
  return { items: linesOf(block.subarray(0, taken).toString("utf8")), next: `${part.id}-${start + taken}` };
}

export const isLogPlace = (text: string): boolean => /^\d{1,20}-\d{1,16}$/.test(text);

/** The lines that came after a page, also where the log was put aside meanwhile; all that is kept, where more has come. */
export function readLogAfter(file: string, place: string): Promise<LogPage> {
  const [id = "", from = "0"] = place.split("-");
  return withParts(file, async (parts) => {
    const found = parts.findIndex((part) => part.id === id);
    let page: LogPage = { items: [], next: place };
    for (const [i, part] of parts.entries()) {
      if (i < found) continue;
      page = await readFrom(part, i === found ? Number(from) : 0, i === parts.length - 1);
      if (page.items.length > 0) break;
    }
    return page;
  });
}
