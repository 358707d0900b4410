import { randomBytes } from "node:crypto";
import { constants, link, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Its owner's only. */
const PRIVATE = 0o600;
const READ_BYTES = 64 * 1024;
/** How long the writer of a pipe may leave us waiting, and how often we look. */
const SILENT_MS = 10_000;
const PIPE_PAUSE_MS = 20;

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** In pieces where it is long and made while it is written. */
type Content = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Writes and syncs the content under a name that nobody reads, hands that over to be given its name, and syncs the name. */
async function writeThen(
  file: string,
  content: Content,
  mode: number,
  giveName: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await giveName(temporary);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
  await syncDirectory(dirname(file));
}

/** How file systems without hard links, such as those of memory sticks (FAT, exFAT), answer `link`. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** Gives a file a name that nobody has; `rename` alone would replace another's. Fails with EEXIST. */
async function nameNew(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    // Takes the name first, and then puts the file there. A crash in between leaves an empty file.
    await (await open(file, "wx", PRIVATE)).close();
    await rename(temporary, file);
  }
}

/**
 * Writes a file that must not exist yet: it appears whole or not at all, also across a power cut, and is on the disk
 * when this settles (where there are no hard links, a crash may leave it empty). Fails with EEXIST where the name is taken.
 */
export function createWhole(file: string, content: Content, mode = PRIVATE): Promise<void> {
  return writeThen(file, content, mode, (temporary) => nameNew(temporary, file));
}

/** Replaces a file whole, or makes it: readers see the old or the new one, also after a power cut. */
export function replaceWhole(file: string, content: Content, mode = PRIVATE): Promise<void> {
  return writeThen(file, content, mode, (temporary) => rename(temporary, file));
}

/** What `writeThen` calls a file while it has no name yet. */
const TEMPORARY = /\.[0-9a-f]{12}\.tmp$/;

/** Removes what writers that were killed left behind. Only for the directory's owner, while nobody else writes there. */
export async function removeUnfinished(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names) if (TEMPORARY.test(name)) await rm(join(directory, name), { force: true });
}

/** Reads a text file as `readBytes` does. */
export async function readBounded(file: string, maxBytes: number): Promise<string> {
  return Buffer.from(await readBytes(file, maxBytes)).toString("utf8");
}

/**
 * Reads a file of at most `maxBytes`; fails with EFBIG where it is larger. Bounded while it is read, not by its
 * size: devices and pipes have none, and a pipe is a good way to hand over a secret. One that nobody writes to counts as
 * empty, and one whose writer is silent fails with ETIMEDOUT after 10 s.
 */
export async function readBytes(file: string, maxBytes: number): Promise<Uint8Array> {
  // Without waiting: opening a pipe would otherwise hold a thread until a writer comes.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Uint8Array[] = [];
    let total = 0;
    const endMs = performance.now() + SILENT_MS;
    for (;;) {
      const read = await handle.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      });
      if (read === undefined) {
        if (performance.now() > endMs)
          throw Object.assign(new Error(`nothing came from it in ${SILENT_MS / 1_000} s`), {
            code: "ETIMEDOUT",
          });
        await setTimeout(PIPE_PAUSE_MS);
        continue;
      }
      const { bytesRead, buffer } = read;
      if (bytesRead === 0) return new Uint8Array(Buffer.concat(chunks));
      total += bytesRead;
      if (total > maxBytes)
        throw Object.assign(new Error(`it has more than ${maxBytes} bytes`), { code: "EFBIG" });
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: "this user is not permitted to",
  EPERM: "this user is not permitted to",
  EISDIR: "it is a directory",
  ENOTDIR: "it, or a part of its path, is a file and not a directory",
  EROFS: "its file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENAMETOOLONG: "its name is too long",
  EMFILE: "too many files are open",
  ELOOP: "its symbolic links lead in a circle",
};

/**
 * Why a file or directory could not be used, for people: the system's own text names codes and calls. Whoever makes one
 * says what it means that something is missing.
 */
export function fileProblem(error: unknown, missing = "it does not exist"): string {
  const { code, message = String(error) } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ENOENT") return missing;
  return PROBLEMS[code ?? ""] ?? message;
}
