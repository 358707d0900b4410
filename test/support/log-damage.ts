import { cp, open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

/** The newest write-ahead log of a LevelDB directory, with its size. */
export async function newestLog(directory: string): Promise<{ path: string; sizeBytes: number }> {
  const logs = (await readdir(directory)).filter((name) => /^\d+\.log$/.test(name)).sort();
  const name = logs.at(-1);
  if (name === undefined) throw new Error(`there is no log in ${directory}`);
  const path = join(directory, name);
  return { path, sizeBytes: (await stat(path)).size };
}

/** A copy whose newest log ends at `lengthBytes`, as after a power cut that lost its tail. */
export async function copyWithTailLost(from: string, to: string, lengthBytes: number): Promise<void> {
  await cp(from, to, { recursive: true });
  await truncate((await newestLog(to)).path, lengthBytes);
}

/** Zeros in the middle of the newest log, as after a power cut that lost pages there. */
export async function punchHole(directory: string, at: number, lengthBytes: number): Promise<void> {
  const { path, sizeBytes } = await newestLog(directory);
  const file = await open(path, "r+");
  await file.write(new Uint8Array(Math.max(0, Math.min(lengthBytes, sizeBytes - at))), 0, undefined, at);
  await file.close();
}

/** A copy with such a hole. */
export async function copyWithHole(from: string, to: string, at: number, lengthBytes: number): Promise<void> {
  await cp(from, to, { recursive: true });
  await punchHole(to, at, lengthBytes);
}
