import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A fresh directory, removed with everything in it by `remove`. */
export async function createTempDir(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "cumulo-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** A fresh directory that is removed when the test ends. */
export async function temporaryDirectory(t: Pick<TestContext, "after">): Promise<string> {
  const { path, remove } = await createTempDir();
  t.after(remove);
  return path;
}
