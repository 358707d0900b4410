import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLevelStore } from "../../../../src/node/adapters/level-store.ts";
import { copyWithTailLost } from "../../../support/log-damage.ts";
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

test("a store whose CURRENT is gone, or names nothing, is reported as corrupt and keeps its tables", async () => {
  const directory = await createTempDir();
  const store = await createLevelStore({ directory: directory.path });
  await store.write([{ key: Uint8Array.of(1), value: Uint8Array.of(2) }], { sync: true });
  await store.close();
  const current = join(directory.path, "CURRENT");
  const names = await readFile(current);
  await writeFile(current, "MANIFEST-999999\n");
  await assert.rejects(createLevelStore({ directory: directory.path }), hasCode("STORE_CORRUPT"));
  await rm(current);
  await assert.rejects(createLevelStore({ directory: directory.path }), hasCode("STORE_CORRUPT"));
  await writeFile(current, names);
  const again = await createLevelStore({ directory: directory.path });
  assert.deepEqual(await again.get(Uint8Array.of(1)), Uint8Array.of(2));
  await again.compact([]);
  await again.close();
  await rm(current);
  const before = await readdir(directory.path);
  assert.ok(before.some((name) => name.endsWith(".ldb")));
  await assert.rejects(createLevelStore({ directory: directory.path }), hasCode("STORE_CORRUPT"));
  // Whatever would have gone on beside the refusal has ended when another store was opened and closed.
  const beside = await createTempDir();
  await (await createLevelStore({ directory: beside.path })).close();
  await beside.remove();
  assert.deepEqual(await readdir(directory.path), before);
  await directory.remove();
});

test("a store whose making was cut short is made at the next opening", async () => {
  const directory = await createTempDir();
  await writeFile(join(directory.path, "MANIFEST-000001"), "cut");
  const store = await createLevelStore({ directory: directory.path });
  await store.close();
  await directory.remove();
});

test("what was compacted outlives the loss of the whole log, and what came later does not", async () => {
  const directory = await createTempDir();
  const [before, after] = [Uint8Array.of(1), Uint8Array.of(2)];
  const live = join(directory.path, "live");
  const store = await createLevelStore({ directory: live });
  await store.write([{ key: before, value: before }], { sync: false });
  await store.compact([]);
  await store.write([{ key: after, value: after }], { sync: true });
  const copy = join(directory.path, "copy");
  await copyWithTailLost(live, copy, 0);
  const damaged = await createLevelStore({ directory: copy });
  assert.deepEqual(await damaged.getMany([before, after]), [before, undefined]);
  await damaged.close();
  await store.close();
  await directory.remove();
});

test("compacting gives the room of deleted rows back to the file system", async () => {
  const directory = await createTempDir();
  const store = await createLevelStore({ directory: directory.path, writeBufferBytes: 64 * 1024 });
  const keys = Array.from({ length: 200 }, (_, i) => Uint8Array.of(1, i));
  const noise = (i: number): Uint8Array => crypto.getRandomValues(new Uint8Array(10_000)).fill(i, 0, 1);
  await store.write(
    keys.map((key, i) => ({ key, value: noise(i) })),
    { sync: true },
  );
  await store.write(
    keys.map((key) => ({ key, value: undefined })),
    { sync: true },
  );
  const tables = async (): Promise<number> => {
    const names = (await readdir(directory.path)).filter((name) => name.endsWith(".ldb"));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory.path, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  await store.compact([]);
  assert.ok((await tables()) > 1_000_000);
  await store.compact([{ gte: Uint8Array.of(1), lt: Uint8Array.of(2) }]);
  assert.ok((await tables()) < 100_000);
  await store.close();
  await directory.remove();
});
