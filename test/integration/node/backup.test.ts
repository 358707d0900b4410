import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type BackupPart, decodeBackup, encodeBackup } from "../../../src/chain/index.ts";
import { createKeyStore } from "../../../src/keys/index.ts";
import { backupData, checkData, reindexData, restoreData } from "../../../src/node/index.ts";
import { MAX_GENESIS_BYTES } from "../../../src/primitives/index.ts";
import { buildChain, openBuilt } from "../../support/built-chain.ts";

const signal = new AbortController().signal;
const noNode = async (): Promise<never> => assert.fail("no node runs here");

async function lab(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), "cumulo-backup-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const dataDir = join(root, "node");
  await mkdir(dataDir);
  const { genesis, head } = await buildChain({ dataDir, blocks: 40, transfersAt: () => 5 });
  const file = join(root, "it.backup");
  const backup = (withKeys = false, output = file) =>
    backupData({ dataDir, output, withKeys, fromNode: noNode, signal });
  const restore = (from = file, to = "new", trusted = false, withKeys = false) =>
    restoreData({ file: from, dataDir: join(root, to), trusted, withKeys, signal });
  return { root, genesis, dataDir, head, file, backup, restore };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
const bytesOf = async function* (...bytes: Uint8Array[]) {
  yield* bytes;
};
async function partsOf(file: string): Promise<BackupPart[]> {
  return await collect(decodeBackup(bytesOf(await readFile(file))));
}
async function write(file: string, parts: readonly BackupPart[]): Promise<void> {
  const whole = async function* () {
    yield* parts;
  };
  await writeFile(file, Buffer.concat(await collect(encodeBackup(whole()))));
}

test("a backup of a stopped node restores to the same database, byte for byte, without keys unless asked for", async (t) => {
  const { root, dataDir, head, file, backup, restore } = await lab(t);
  await createKeyStore(join(dataDir, "keys")).create("mine");
  await writeFile(join(dataDir, "network-key"), `${"ab".repeat(32)}\n`);
  await writeFile(join(dataDir, "api-token"), `${"cd".repeat(32)}\n`);
  const made = await backup();
  assert.deepEqual([made.head, made.keys, made.online], [{ id: head.id, height: 40 }, [], false]);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual((await restore()).head, made.head);
  assert.deepEqual((await readdir(join(root, "new"))).sort(), ["chain", "genesis.json"]);
  const report = await checkData({ dataDir: join(root, "new"), withSignatures: false });
  assert.deepEqual([report.head, report.transactions, report.findings], [head.id, 200, []]);
  const again = join(root, "again.backup");
  await backupData({ dataDir: join(root, "new"), output: again, withKeys: false, fromNode: noNode, signal });
  const rows = (parts: BackupPart[]) => parts.filter(({ kind }) => kind === "rows");
  assert.deepEqual(rows(await partsOf(again)), rows(await partsOf(file)));

  const secret = join(root, "secret.backup");
  assert.deepEqual((await backup(true, secret)).keys, ["mine"]);
  const { leftOut, keys } = await restore(secret, "without-keys");
  assert.deepEqual([leftOut.keys, leftOut.identity, keys], [1, true, 0]);
  assert.deepEqual((await readdir(join(root, "without-keys"))).sort(), ["chain", "genesis.json"]);
  const restored = await restore(secret, "with-keys", false, true);
  assert.deepEqual([restored.keys, restored.identity], [1, true]);
  const names = ["keys/mine.json", "network-key"];
  for (const name of names)
    assert.deepEqual(await readFile(join(root, "with-keys", name)), await readFile(join(dataDir, name)));
  assert.ok(!existsSync(join(root, "with-keys", "api-token")), "a token is made anew, never copied");
});

test("a backup that is cut off, changed, foreign or newer is refused with what to do, and leaves nothing behind", async (t) => {
  const { root, file, backup, restore } = await lab(t);
  await backup();
  const whole = await readFile(file);
  const parts = await partsOf(file);
  const [header] = parts;
  assert.ok(header?.kind === "header");
  const other = join(root, "other.backup");
  const refused = async (content: Uint8Array | readonly BackupPart[], code: string, words: RegExp) => {
    if (content instanceof Uint8Array) await writeFile(other, content);
    else await write(other, content);
    await assert.rejects(restore(other), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, words);
      return true;
    });
    assert.ok(!existsSync(join(root, "new")), "no directory stays");
  };
  for (const length of [whole.length - 1, whole.length - 40, whole.length >> 1, 200, 20])
    await refused(whole.subarray(0, length), "BACKUP_DAMAGED", /end is missing|another digest/);
  await refused(new Uint8Array(0), "BACKUP_INVALID", /name a file that "cumulo backup" wrote/);
  await refused(Buffer.from('{"not":"a backup, but long enough"}'), "BACKUP_INVALID", /no backup/);
  await refused(Buffer.concat([whole, Buffer.from([0])]), "BACKUP_DAMAGED", /follows its end/);
  for (let at = 16; at < whole.length; at += Math.ceil(whole.length / 25)) {
    const changed = new Uint8Array(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await refused(changed, "BACKUP_DAMAGED", /use another copy/);
  }
  const newer = new Uint8Array(whole);
  newer.set(Buffer.from("2"), 14);
  await refused(newer, "BACKUP_NEWER", /use a newer cumulo/);
  const { header: said } = header;
  const withHeader = (more: Partial<typeof said>): BackupPart[] => [
    { kind: "header", header: { ...said, ...more } },
    ...parts.slice(1),
  ];
  await refused(withHeader({ schema: 99 }), "BACKUP_NEWER", /schema 99/);
  await refused(withHeader({ chain: "0".repeat(64) }), "BACKUP_DAMAGED", /do not fit together/);
  await refused(withHeader({ network: "another" }), "BACKUP_DAMAGED", /do not fit together/);
  await refused(withHeader({ network: "\u001b[2J" }), "BACKUP_DAMAGED", /name is none/);
  await refused(withHeader({ head: { id: "0".repeat(64), height: 1 } }), "BACKUP_DAMAGED", /do not fit/);
  await refused(withHeader({ head: { ...said.head, height: 41 } }), "BACKUP_DAMAGED", /do not fit/);
  const noFiles = parts.filter(({ kind }) => kind !== "file");
  await refused(noFiles, "BACKUP_DAMAGED", /no genesis.json/);
  const large = {
    kind: "file",
    name: "genesis.json",
    content: new Uint8Array(MAX_GENESIS_BYTES + 1),
  } as const;
  await refused([...noFiles, large], "BACKUP_DAMAGED", /no genesis.json that can be used/);
  for (const key of [[], [0x80], [0xff, 0xff]]) {
    const row = { key: Uint8Array.from(key), value: new Uint8Array(1) };
    await refused([...parts, { kind: "rows", rows: [row] }], "BACKUP_DAMAGED", /a row is of no table/);
  }
  await refused([header, ...parts.slice(2)], "BACKUP_DAMAGED", /start the node once|do not fit/);
  for (const name of ["../outside", "/etc/passwd", "keys/../../x.json", "api-token"])
    await refused(
      [...parts, { kind: "file", name, content: new Uint8Array(1) }],
      "BACKUP_DAMAGED",
      /none may/,
    );
  assert.ok(!existsSync(join(root, "outside")));
});

test("a backup of a pruned chain carries its base, and one whose base is not the state is refused", async (t) => {
  const { root, genesis, dataDir, head, file, backup, restore } = await lab(t);
  const chain = await openBuilt(genesis, join(dataDir, "chain"), 12);
  await chain.prune();
  assert.equal(chain.firstHeight, 29);
  await chain.close();
  assert.equal((await backup()).firstHeight, 29);
  assert.equal((await restore()).firstHeight, 29);
  const report = await checkData({ dataDir: join(root, "new"), withSignatures: true });
  assert.deepEqual([report.head, report.firstHeight, report.blocks], [head.id, 29, 13]);
  assert.deepEqual([report.findings, report.unchecked.length], [[], 1]);
  const { height, wentOn } = await reindexData({ dataDir: join(root, "new") });
  assert.deepEqual([height, wentOn], [40, false]);

  const base = "c".charCodeAt(0);
  const parts = (await partsOf(file)).map((part): BackupPart => {
    if (part.kind !== "rows") return part;
    const rows = part.rows.map(({ key, value }) => ({
      key,
      value: key[0] === base ? value.with(32, 9) : value,
    }));
    return { kind: "rows", rows };
  });
  const other = join(root, "other.backup");
  await write(other, parts);
  await assert.rejects(restore(other, "other"), { code: "BACKUP_DAMAGED", message: /state root/ });
  assert.ok(!existsSync(join(root, "other")));
});

test("a backup from before there was pruning is restored, and its chain brought to the present schema", async (t) => {
  const { root, genesis, file, head, backup, restore } = await lab(t);
  await backup();
  const [header, ...rest] = await partsOf(file);
  assert.ok(header?.kind === "header");
  const { firstHeight: _, ...said } = { ...header.header, schema: 2 };
  const schemaKey = Buffer.from("mschema");
  const older = rest.map((part): BackupPart => {
    if (part.kind !== "rows") return part;
    const rows = part.rows.map(({ key, value }) => ({
      key,
      value: schemaKey.equals(key) ? new TextEncoder().encode("2") : value,
    }));
    return { kind: "rows", rows };
  });
  const before = join(root, "before.backup");
  await write(before, [{ kind: "header", header: said as typeof header.header }, ...older]);
  assert.deepEqual([(await restore(before)).firstHeight, (await restore(before, "b")).head.id], [0, head.id]);
  const chain = await openBuilt(genesis, join(root, "new", "chain"));
  assert.deepEqual([chain.head.id, chain.rebuilt], [head.id, false]);
  await chain.close();
  assert.deepEqual((await checkData({ dataDir: join(root, "new"), withSignatures: false })).findings, []);
});

test("restore refuses a directory with something in it, and a backup never replaces a file", async (t) => {
  const { root, dataDir, file, backup, restore } = await lab(t);
  await backup();
  const before = await readFile(file);
  await assert.rejects(backup(), { code: "NODE_BACKUP_FAILED", message: /exists; choose another name/ });
  assert.deepEqual(await readFile(file), before);
  await assert.rejects(restore(file, "node"), { code: "NODE_RESTORE_REFUSED", message: /is not empty/ });
  assert.deepEqual((await readdir(dataDir)).sort(), ["chain", "genesis.json"]);
  await assert.rejects(restore(join(root, "none")), { code: "NODE_RESTORE_REFUSED", message: /cannot read/ });
  await assert.rejects(backup(false, join(root, "no", "where")), { message: /its directory does not exist/ });
  const named = await backup(false, root);
  assert.match(named.file, /cumulo-[a-z0-9-]+-40-\d{8}T\d{6}\.backup$/);
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.includes(".tmp")),
    [],
  );
});

test("case 37: a restore that was interrupted looks like no node, and the next one begins anew or ends it", async (t) => {
  const { root, head, file, backup, restore } = await lab(t);
  await backup();
  // As a kill -9 leaves it in the middle: some of the database, under a name of its own.
  const dataDir = join(root, "new");
  await restore();
  await mkdir(join(dataDir, "restoring"));
  await rename(join(dataDir, "chain"), join(dataDir, "restoring", "chain"));
  await rm(join(dataDir, "genesis.json"));
  await assert.rejects(checkData({ dataDir, withSignatures: false }), { code: "NODE_DATA_UNUSABLE" });
  assert.deepEqual((await restore()).head.id, head.id);
  // And in the middle of the last moves.
  const header = (await partsOf(file))[0];
  assert.ok(header?.kind === "header");
  await mkdir(join(dataDir, "restored"));
  await rename(join(dataDir, "chain"), join(dataDir, "restored", "chain"));
  await writeFile(
    join(dataDir, "restored", "backup.json"),
    JSON.stringify({ ...header.header, createdMs: 1 }),
  );
  await assert.rejects(restore(), { code: "NODE_RESTORE_REFUSED", message: /of another backup/ });
  const note = JSON.stringify({ ...header.header, trusted: false, withKeys: false });
  const filled = {
    rows: 5,
    keys: 0,
    identity: false,
    judged: true,
    leftOut: { reorgs: 1, marks: 2, keys: 3, identity: true },
  };
  await writeFile(join(dataDir, "restored", "backup.json"), `${note}\n${JSON.stringify(filled)}`);
  await assert.rejects(restore(file, "new", true), { message: /with other options; run it again as it was/ });
  const ended = await restore();
  assert.deepEqual(ended, { ...ended, ...filled }, "what was left out before it was interrupted is told");
  await mkdir(join(dataDir, "restored"));
  assert.equal((await restore()).judged, false, "nobody knows how the first call was told to treat it");
  assert.deepEqual((await readdir(dataDir)).sort(), ["chain", "genesis.json"]);
  assert.deepEqual((await checkData({ dataDir, withSignatures: false })).findings, []);
  await mkdir(join(root, "none", "restored"), { recursive: true });
  await assert.rejects(restore(file, "none"), { code: "NODE_RESTORE_REFUSED" }, "there is nothing to end");
  const stopped = AbortSignal.abort();
  await assert.rejects(
    restoreData({ file, dataDir: join(root, "never"), trusted: false, withKeys: false, signal: stopped }),
  );
  assert.ok(!existsSync(join(root, "never")));
});
