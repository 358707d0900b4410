import { mkdir, stat } from "node:fs/promises";
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

/**
 * Makes a directory and its missing parents, for their owner only (mode 0700); one that exists stays as it is. Fails
 * with the system's error, and as ENOTDIR where a file is in the way. Not by `mkdir`'s own `recursive`: under /proc and the like, where a directory can exist and
 * nothing be made in it, Node 24 asks for ever (`mkdir("/proc/x", { recursive: true })` never settles).
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  const missing: string[] = [];
  let directory = resolve(path);
  while (!(await isDirectory(directory)) && dirname(directory) !== directory) {
    missing.push(directory);
    directory = dirname(directory);
  }
  for (const one of missing.reverse()) {
    await mkdir(one, { mode: 0o700 }).catch(async (error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
      // Somebody else may have made it meanwhile.
      if (await isDirectory(one)) return;
      throw Object.assign(new Error(`${one} is a file, not a directory`), { code: "ENOTDIR", cause: error });
    });
  }
}
