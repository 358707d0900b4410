import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLevelStore, type NodeOptions, startNode } from "../../../src/node/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

/** A place for a node, and a genesis file beside it. */
async function setUp(t: TestContext, spec: object = { name: "given" }) {
  const directory = await temporaryDirectory(t);
  const dataDir = join(directory, "node");
  const genesisFile = join(directory, "given.json");
  await writeFile(genesisFile, JSON.stringify(spec));
  const options: NodeOptions = {
    dataDir,
    listen: [],
    announce: [],
    api: { host: "127.0.0.1", port: 0 },
    apiRead: "open",
    peers: [],
    mine: false,
    logLevel: "silent",
  };
  const kept = (): Promise<string> => readFile(join(dataDir, "genesis.json"), "utf8");
  return { dataDir, genesisFile, options, kept };
}

test("the first start keeps the network's genesis file, and later ones run it, given or not", async (t) => {
  const { options, genesisFile, kept } = await setUp(t);
  await (await startNode({ ...options, genesisFile })).stop();
  const first = await kept();
  assert.equal(JSON.parse(first).name, "given");
  for (const again of [options, { ...options, genesisFile }]) {
    await (await startNode(again)).stop();
    assert.equal(await kept(), first);
  }
});

test("another network's genesis file is refused, and the directory stays as it was", async (t) => {
  const { options, genesisFile, dataDir, kept } = await setUp(t);
  await mkdir(dataDir);
  const own = JSON.stringify({ name: "own" });
  await writeFile(join(dataDir, "genesis.json"), own);
  await assert.rejects(startNode({ ...options, genesisFile }), {
    code: "NODE_GENESIS_OTHER",
    message: /another network.*start without --genesis.*or choose another --data directory$/,
  });
  assert.equal(await kept(), own);
  assert.deepEqual(await readdir(dataDir), ["genesis.json"]);
});

test("a genesis file is not kept in a directory that another node has in use", async (t) => {
  const { options, genesisFile, dataDir, kept } = await setUp(t);
  await mkdir(dataDir);
  const other = await createLevelStore({ directory: join(dataDir, "chain") });
  t.after(() => other.close());
  await assert.rejects(startNode({ ...options, genesisFile }), { code: "NODE_DATA_LOCKED" });
  await assert.rejects(kept(), { code: "ENOENT" });
});

test("a genesis file of another network than the database's is not kept, and the store is closed again", async (t) => {
  const { options, genesisFile, dataDir, kept } = await setUp(t);
  await (await startNode(options)).stop();
  const devnet = await kept();
  await rm(join(dataDir, "genesis.json"));
  await assert.rejects(startNode({ ...options, genesisFile }), { code: "CHAIN_OTHER_NETWORK" });
  await assert.rejects(kept(), { code: "ENOENT" });
  await writeFile(join(dataDir, "genesis.json"), devnet);
  await (await startNode(options)).stop();
});

test("a network that switches to rules this program does not know is refused with what to do", async (t) => {
  const activations = [{ rulesVersion: 2, height: 100_000 }];
  const { options, genesisFile, kept } = await setUp(t, { name: "later", activations });
  await assert.rejects(startNode({ ...options, genesisFile }), {
    code: "NODE_RULES_UNSUPPORTED",
    message: /rules version 2 at height 100000.*use a newer cumulo$/,
  });
  await assert.rejects(kept(), { code: "ENOENT" });
});
