import { openSync, renameSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A log that is longer when it is opened again is put aside, so that none grows without bound over many starts. */
export const MAX_LOG_BYTES = 16 * 1024 * 1024;
/** Of lines that are asked for from the end, and of those that came since. */
const MAX_END_BYTES = 4 * 1024 * 1024;
const MAX_NEXT_BYTES = 256 * 1024;
const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** What the old part of a log is called; one is kept. */
export const oldLogOf = (file: string): string => `${file}.1`;

/** Opens a log to write after what it holds; one over 16 MiB becomes NAME.1 before, in the place of an older one. */
export function openLog(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() && found.size > MAX_LOG_BYTES) renameSync(file, oldLogOf(file));
  return openSync(file, "a", 0o600);
}

/** Lines of a log, and where those after them begin: file and place in it. */
export interface LogPage {
  readonly items: readonly string[];
  readonly next: string;
}

async function readAt(handle: FileHandle, from: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, from);
  return buffer.subarray(0, bytesRead);
}

async function withFile<T>(
  file: string,
  read: (handle: FileHandle, place: { readonly id: string; readonly size: number }) => Promise<T>,
): Promise<T | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { ino, size } = await handle.stat({ bigint: true });
    return await read(handle, { id: String(ino), size: Number(size) });
  } finally {
    await handle.close();
  }
}

const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** The last lines of a file, however long it has grown: it is read from its end, and 4 MiB of it at most. */
export async function readLogEnd(file: string, lines: number): Promise<LogPage> {
  const page = await withFile(file, async (handle, { id, size }) => {
    const blocks: Buffer[] = [];
    let from = size;
    let newlines = 0;
    // One more than asked for: the first line of what was read may have begun before it.
    while (from > 0 && newlines <= lines && size - from < MAX_END_BYTES) {
      const bytes = Math.min(BLOCK_BYTES, from);
      from -= bytes;
      const block = await readAt(handle, from, bytes);
      for (const byte of block) if (byte === NEWLINE) newlines++;
      blocks.unshift(block);
    }
    const all = linesOf(Buffer.concat(blocks).toString("utf8"));
    const whole = from > 0 && all.length > 1 ? all.slice(1) : all;
    return { items: whole.slice(-lines), next: `${id}-${size}` };
  });
  return page ?? { items: [], next: "0-0" };
}

/** Whole lines from a place on, 256 KiB at most; undefined where the file is not the one that the place is in. */
async function readFrom(file: string, wanted: string, from: number): Promise<LogPage | undefined> {
  return withFile(file, async (handle, { id, size }) => {
    if (id !== wanted && wanted !== "") return undefined;
    // Somebody has emptied it.
    const start = from > size ? 0 : from;
    const block = await readAt(handle, start, MAX_NEXT_BYTES);
    const end = block.lastIndexOf(NEWLINE) + 1;
    // What has no end yet is still being written, unless it is longer than what is read at once.
    const taken = end > 0 || block.length < MAX_NEXT_BYTES ? end : block.length;
    return {
      items: linesOf(block.subarray(0, taken).toString("utf8")),
      next: `${id}-${start + taken}`,
    };
  });
}

export const isLogPlace = (text: string): boolean => /^\d{1,20}-\d{1,16}$/.test(text);

/** The lines that came after a page, also where the log has been put aside meanwhile. */
export async function readLogAfter(file: string, place: string): Promise<LogPage> {
  const [id = "", from = "0"] = place.split("-");
  const old = await readFrom(oldLogOf(file), id, Number(from));
  if (old !== undefined && old.items.length > 0) return old;
  const same = old === undefined ? await readFrom(file, id, Number(from)) : undefined;
  return same ?? (await readFrom(file, "", 0)) ?? { items: [], next: "0-0" };
}
