import { randomBytes } from "node:crypto";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Its owner's only. */
const PRIVATE = 0o600;

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes and syncs the text under a name that nobody reads, hands that over to be given its name, and syncs the name. */
async function writeThen(
  file: string,
  text: string,
  mode: number,
  giveName: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(text);
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

/**
 * Writes a file that must not exist yet: it appears whole or not at all, also across a power cut, and is on the disk
 * when this settles. Fails with EEXIST where the name is taken: `link` does so, `rename` would replace it.
 */
export function createWhole(file: string, text: string, mode = PRIVATE): Promise<void> {
  return writeThen(file, text, mode, (temporary) => link(temporary, file));
}

/** Replaces a file whole, or makes it: readers see the old or the new one, also after a power cut. */
export function replaceWhole(file: string, text: string, mode = PRIVATE): Promise<void> {
  return writeThen(file, text, mode, (temporary) => rename(temporary, file));
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
