import { join } from "node:path";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createMemoryStore, type MemoryStoreData } from "../../src/ports/index.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { describeKeyValueStore } from "./key-value-store.ts";

describeKeyValueStore("in memory", async () => {
  const data: MemoryStoreData = new Map();
  return { open: async () => createMemoryStore(data), remove: async () => {} };
});

describeKeyValueStore("LevelDB", async () => {
  const directory = await createTempDir();
  return {
    open: () => createLevelStore({ directory: join(directory.path, "db") }),
    remove: directory.remove,
  };
});
