import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLevelStore } from "../../../../src/node/adapters/level-store.ts";
import { createTempDir } from "../../../support/temp-dir.ts";

const hasCode = (code: string) => (error: unknown) => (error as { code?: unknown }).code === code;

test("a second store on the same directory is refused as locked, and the first goes on", async () => {
  const directory = await createTempDir();
  const first = await createLevelStore({ directory: directory.path });
  await assert.rejects(createLevelStore({ directory: directory.path }), hasCode("STORE_LOCKED"));
  await first.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }], { sync: true });
  await first.close();
  const again = await createLevelStore({ directory: directory.path });
  assert.deepEqual(await again.get(Uint8Array.of(1)), Uint8Array.of(2));
  await again.close();
  await directory.remove();
});

test("a damaged directory is reported as corrupt, one that cannot be made as an I/O error", async () => {
  const directory = await createTempDir();
  const store = await createLevelStore({ directory: directory.path });
  await store.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }], { sync: true });
  await store.close();
  for (const name of await readdir(directory.path)) {
    if (name.startsWith("MANIFEST")) await writeFile(join(directory.path, name), "nonsense");
  }
  await assert.rejects(createLevelStore({ directory: directory.path }), hasCode("STORE_CORRUPT"));
  const insideFile = join(directory.path, "CURRENT", "db");
  await assert.rejects(createLevelStore({ directory: insideFile }), hasCode("STORE_IO"));
  await directory.remove();
});
