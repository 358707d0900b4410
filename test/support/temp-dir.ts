import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh directory, removed with everything in it by `remove`. */
export async function createTempDir(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "cumulo-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
