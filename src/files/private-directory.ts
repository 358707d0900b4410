import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Removes directories that were made just now, the last first; one that somebody has put something into stays. */
export async function removeDirectories(made: readonly string[]): Promise<void> {
  for (const one of made.toReversed()) await rmdir(one).catch(() => {});
}

/**
 * Makes a directory and its missing parents, for their owner only (mode 0700); one that exists stays as it is. Settles
 * with those it made, from the top; fails with the system's error, as ENOTDIR where a file is in the way, and then leaves
 * none of them. Not by `mkdir`'s own `recursive`: under /proc and the like, where a directory can exist and nothing be
 * made in it, Node 24 asks for ever (`mkdir("/proc/x", { recursive: true })` never settles).
 */
export async function makePrivateDirectory(path: string): Promise<readonly string[]> {
  const missing: string[] = [];
  let directory = resolve(path);
  while (!(await isDirectory(directory)) && dirname(directory) !== directory) {
    missing.push(directory);
    directory = dirname(directory);
  }
  const made: string[] = [];
  try {
    for (const one of missing.reverse()) {
      const isMade = await mkdir(one, { mode: 0o700 }).then(
        () => true,
        async (error: unknown) => {
          if (codeOf(error) !== "EEXIST") throw error;
          // Somebody else may have made it meanwhile.
          if (await isDirectory(one)) return false;
          throw Object.assign(new Error(`${one} is a file, not a directory`), { code: "ENOTDIR" });
        },
      );
      if (isMade) made.push(one);
    }
  } catch (error) {
    await removeDirectories(made);
    throw error;
  }
  return made;
}
