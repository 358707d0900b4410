import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeyStore } from "../../../src/keys/index.ts";
import {
  createLevelStore,
  type NodeOptions,
  type RunningNode,
  startNode as start,
} from "../../../src/node/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

/** A place for a node, and a genesis file beside it. */
async function setUp(t: TestContext, spec: object = { name: "given" }) {
  // Before the directory goes: also where an assertion fails while a node runs.
  const running: RunningNode[] = [];
  t.after(() => Promise.all(running.map((node) => node.stop())));
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
  async function startNode(given: NodeOptions): Promise<RunningNode> {
    const node = await start(given);
    running.push(node);
    return node;
  }
  return { dataDir, genesisFile, options, kept, startNode };
}

test("the first start keeps the network's genesis file, and later ones run it, given or not", async (t) => {
  const { options, genesisFile, kept, startNode } = await setUp(t);
  await (await startNode({ ...options, genesisFile })).stop();
  const first = await kept();
  assert.equal(JSON.parse(first).name, "given");
  for (const again of [options, { ...options, genesisFile }]) {
    await (await startNode(again)).stop();
    assert.equal(await kept(), first);
  }
});

test("another network's genesis file is refused, and the directory stays as it was", async (t) => {
  const { options, genesisFile, dataDir, kept, startNode } = await setUp(t);
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
  const { options, genesisFile, dataDir, kept, startNode } = await setUp(t);
  await mkdir(dataDir);
  const other = await createLevelStore({ directory: join(dataDir, "chain") });
  t.after(() => other.close());
  await assert.rejects(startNode({ ...options, genesisFile }), { code: "NODE_DATA_LOCKED" });
  await assert.rejects(kept(), { code: "ENOENT" });
});

test("a genesis file of another network than the database's is not kept, and the store is closed again", async (t) => {
  const { options, genesisFile, dataDir, kept, startNode } = await setUp(t);
  await (await startNode(options)).stop();
  const devnet = await kept();
  await rm(join(dataDir, "genesis.json"));
  await assert.rejects(startNode({ ...options, genesisFile }), { code: "CHAIN_OTHER_NETWORK" });
  await assert.rejects(kept(), { code: "ENOENT" });
  await writeFile(join(dataDir, "genesis.json"), devnet);
  await (await startNode(options)).stop();
});

/** A port on loopback that another program has. */
async function busyPort(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("a start that fails late takes away what it made, its parents too, and nothing else", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  const port = await busyPort(t);
  const failures: [Partial<NodeOptions>, string][] = [
    [{ api: { host: "127.0.0.1", port } }, "API_PORT_BUSY"],
    [{ listen: [`/ip4/127.0.0.1/tcp/${port}`] }, "NETWORK_PORT_BUSY"],
    [{ tokenFile: join(dirname(dataDir), "none", "token") }, "NODE_DATA_UNUSABLE"],
  ];
  for (const [wrong, code] of failures) {
    const deep = join(dataDir, "a", "b");
    await assert.rejects(startNode({ ...options, dataDir: deep, ...wrong }), { code }, code);
    assert.deepEqual(await readdir(dirname(dataDir)), ["given.json"], code);
  }
  await mkdir(join(dataDir, "keys"), { recursive: true });
  await writeFile(join(dataDir, "genesis.json"), JSON.stringify({ name: "own" }));
  for (const [wrong, code] of failures) {
    await assert.rejects(startNode({ ...options, ...wrong }), { code });
    assert.deepEqual(await readdir(dataDir, { recursive: true }), ["genesis.json", "keys"], code);
  }
});

test("a start that fails late leaves the files of earlier ones, and the next one goes on", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  await (await startNode(options)).stop();
  const secrets = async () =>
    Promise.all(
      ["api-token", "network-key", "keys/reward.json"].map((f) => readFile(join(dataDir, f), "utf8")),
    );
  const before = [await readdir(dataDir), await secrets()];
  const port = await busyPort(t);
  await assert.rejects(startNode({ ...options, api: { host: "127.0.0.1", port } }), {
    code: "API_PORT_BUSY",
  });
  assert.deepEqual([await readdir(dataDir), await secrets()], before);
  await (await startNode(options)).stop();
});

test("of two starts on one new directory at once one runs, and the other leaves its files alone", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  const results = await Promise.allSettled([startNode(options), startNode(options)]);
  const refused = results.filter((result) => result.status === "rejected");
  const running = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  assert.deepEqual([refused.map(({ reason }) => reason.code), running.length], [["NODE_DATA_LOCKED"], 1]);
  const files = ["api-token", "chain", "genesis.json", "history", "keys", "network-key", "timeline"];
  assert.deepEqual((await readdir(dataDir)).sort(), [...files, "node.json"].sort());
  assert.ok((await readdir(join(dataDir, "chain"))).includes("LOCK"), "the one that runs still has its lock");
  await running[0]?.stop();
  assert.deepEqual((await readdir(dataDir)).sort(), files);
});

test("an empty API token is made anew; any other damage to a secret is refused with what to do", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  await (await startNode(options)).stop();
  const [token, networkKey] = [join(dataDir, "api-token"), join(dataDir, "network-key")];
  await writeFile(token, "");
  await (await startNode(options)).stop();
  assert.match(await readFile(token, "utf8"), /^[0-9a-f]{64}\n$/);
  for (const [file, text, message] of [
    [token, "abc", /API token .*api-token does not hold 64 hex digits; remove it/],
    [networkKey, "", /network key .*network-key does not hold 64 hex digits; restore it.*another name/],
  ] as const) {
    const whole = await readFile(file, "utf8");
    await writeFile(file, text);
    await assert.rejects(startNode(options), { code: "NODE_DATA_UNUSABLE", message });
    assert.equal(await readFile(file, "utf8"), text);
    await writeFile(file, whole);
  }
});

test("a path that cannot be used is named, with the reason in words and what to do", async (t) => {
  const { options, dataDir, genesisFile, startNode } = await setUp(t);
  const empty = join(dirname(dataDir), "empty");
  await writeFile(empty, "");
  const cases: [Partial<NodeOptions>, RegExp][] = [
    [
      { tokenFile: dirname(dataDir) },
      /^cannot read the token file \/.*: it is a directory; choose another --token-file/,
    ],
    [
      { tokenFile: empty },
      /^the token file .*empty does not hold 64 hex digits; choose another --token-file/,
    ],
    [
      { tokenFile: join(dataDir, "no", "token") },
      /^cannot write the token file .*: its directory does not exist; choose/,
    ],
    [
      { dataDir: genesisFile },
      /^cannot use .*given\.json as data directory: .*a file and not a directory; choose another --data/,
    ],
    [{ dataDir: join(genesisFile, "x") }, /^cannot use .*given\.json\/x as data directory: .*a file and not/],
  ];
  if (process.platform === "linux")
    cases.push([{ dataDir: "/proc" }, /^cannot use \/proc as data directory: /]);
  if (process.getuid?.() !== 0) {
    const closed = join(dirname(dataDir), "closed");
    await mkdir(closed, { mode: 0o500 });
    t.after(() => chmod(closed, 0o700));
    cases.push([{ dataDir: join(closed, "x") }, /^cannot use .*: this user is not permitted to; choose/]);
  }
  for (const [wrong, message] of cases) {
    await assert.rejects(startNode({ ...options, ...wrong }), { code: "NODE_DATA_UNUSABLE", message });
    await assert.rejects(readdir(dataDir), { code: "ENOENT" }, String(message));
  }
});

test("a network that switches to rules this program does not know is refused with what to do", async (t) => {
  const activations = [{ rulesVersion: 2, height: 100_000 }];
  const { options, genesisFile, kept, startNode } = await setUp(t, { name: "later", activations });
  await assert.rejects(startNode({ ...options, genesisFile }), {
    code: "NODE_RULES_UNSUPPORTED",
    message: /rules version 2 at height 100000.*use a newer cumulo$/,
  });
  await assert.rejects(kept(), { code: "ENOENT" });
});

test("a node whose reward key is encrypted starts without a passphrase, and collects for that key", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  const keys = createKeyStore(join(dataDir, "keys"), { cost: { n: 1_024, r: 8, p: 1 } });
  const { address } = await keys.create("reward", { passphrase: async () => "a passphrase" });
  const node = await startNode(options);
  const status = await fetch(`${node.api}/v1/status`);
  assert.equal(((await status.json()) as { mining: { rewardTo: string } }).mining.rewardTo, address);
});

test("a damaged key that nobody asked for stops no start; the reward's own does, by name", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  await (await startNode(options)).stop();
  const keys = join(dataDir, "keys");
  await writeFile(join(keys, "zoe.json"), '{"x');
  await (await startNode(options)).stop();
  await writeFile(join(keys, "reward.json"), '{"x');
  await assert.rejects(startNode(options), {
    code: "KEY_FILE_INVALID",
    message: /reward\.json is not a key file/,
  });
});

test("a file of its own that a start cannot write is named, with what to do", async (t) => {
  const { options, dataDir, startNode } = await setUp(t);
  const nodeFile = join(dataDir, "node.json");
  await mkdir(nodeFile, { recursive: true });
  await assert.rejects(startNode(options), {
    code: "NODE_DATA_UNUSABLE",
    message: /^cannot write .*node\.json: .*; choose another --data directory/,
  });
  await rm(nodeFile, { recursive: true });
  await (await startNode(options)).stop();
});
