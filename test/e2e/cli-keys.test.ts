import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createKeyStore } from "../../src/keys/index.ts";
import type { SealedTransaction } from "../../src/primitives/index.ts";
import { startApi, TOKEN } from "../support/api-server.ts";
import { runCli } from "../support/cli.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const SECRET = "correct horse battery staple";

/** A data directory, a file with the passphrase, one with a wrong one, and `cumulo key` on it. */
async function setUp(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const [data, right, wrong] = ["node", "right", "wrong"].map((name) => join(directory, name));
  assert.ok(data && right && wrong);
  await mkdir(data);
  await writeFile(right, `${SECRET}\nnot a part of it\n`);
  await writeFile(wrong, "incorrect horse\n");
  const key = async (...args: readonly string[]) => {
    const result = await runCli(["key", ...args, "--data", data]);
    const said = result.stdout + result.stderr;
    assert.ok(!said.includes("correct horse"), "no output has a passphrase");
    return result;
  };
  return { directory, data, right, wrong, key, store: createKeyStore(join(data, "keys")) };
}

describe("keys on the command line", { concurrency: 2 }, () => {
  it("new ones are plain, which is said, or encrypted where a passphrase is given; list tells them apart", async (t) => {
    const { key, right, store } = await setUp(t);
    const plain = await key("new", "alice");
    assert.match(
      plain.stdout,
      /^alice {2}cum1\w+ {2}\(not encrypted; --passphrase-file FILE encrypts it\)\n$/,
    );
    const encrypted = await key("new", "bob", "--passphrase-file", right);
    assert.match(encrypted.stdout, /^bob {2}cum1\w+ {2}\(encrypted\)\n$/);
    const { stdout, code } = await key("list");
    assert.match(stdout, /alice +cum1\w+ +plain\nbob +cum1\w+ +encrypted\n$/);
    assert.equal(code, 0);
    const { address } = await store.load("bob", async () => SECRET);
    const listed = JSON.parse((await key("list", "--json")).stdout);
    assert.deepEqual(listed[1], { name: "bob", address, encrypted: true });
  });

  it("a damaged file is listed with its problem, beside the others, and the exit code is 1", async (t) => {
    const { key, data } = await setUp(t);
    await key("new", "alice");
    await writeFile(join(data, "keys", "bad.json"), "{");
    const list = await key("list");
    assert.equal(list.code, 1);
    assert.match(list.stdout, /alice +cum1\w+ +plain\nbad +- +damaged: it is not JSON\n$/);
    assert.match(
      list.stderr,
      /^cumulo: one file cannot be used as a key: \S+bad\.json \(it is not JSON\); [^\n]+\n$/,
    );
    const json = await key("list", "--json");
    const rows = JSON.parse(json.stdout) as { name: string }[];
    assert.deepEqual([json.code, rows.map(({ name }) => name)], [1, ["alice", "bad"]]);
  });

  it("one is exported into a new file of its owner's, encrypted on the way, and imported elsewhere", async (t) => {
    const { key, right, wrong, directory, store, data } = await setUp(t);
    const { secretHex } = await store.create("alice");
    const file = join(directory, "alice.backup");
    const exported = await key("export", "alice", "-o", file, "--passphrase-file", right);
    assert.equal(exported.stdout, `wrote ${file}  (encrypted)\n`);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const again = await key("export", "alice", "-o", file);
    assert.deepEqual([again.code, again.stdout], [1, ""]);
    assert.match(again.stderr, /alice\.backup exists already/);

    const unasked = await key("import", file, "--name", "copy");
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /the passphrase of \S+alice\.backup is needed; .*--passphrase-file FILE/);
    const refused = await key("import", file, "--name", "copy", "--passphrase-file", wrong, "--json");
    assert.deepEqual([refused.code, JSON.parse(refused.stderr).code], [1, "KEY_PASSPHRASE_WRONG"]);
    const imported = await key("import", file, "--name", "copy", "--passphrase-file", right);
    assert.match(imported.stdout, /^copy {2}cum1\w+ {2}\(encrypted\)\n$/);
    assert.equal((await store.load("copy", async () => SECRET)).secretHex(), secretHex());

    const plain = await key("export", "alice", "-o", `${file}2`);
    assert.match(plain.stdout, /not encrypted: whoever reads it can spend; --passphrase-file FILE encrypts/);
    assert.ok(!plain.stdout.includes(secretHex()));
    const kept = await key("import", `${file}2`, "--name", "kept");
    assert.ok(
      kept.stdout.includes(`(not encrypted; encrypt it with: cumulo key encrypt kept --data ${data})`),
    );
  });

  it("a plain one is encrypted, once", async (t) => {
    const { key, right, store, data } = await setUp(t);
    const { secretHex } = await store.create("alice");
    const unasked = await key("encrypt", "alice");
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /a passphrase for alice is needed; .*--passphrase-file FILE/);
    assert.equal((await key("encrypt", "alice", "--passphrase-file", right)).code, 0);
    assert.ok(!(await readFile(join(data, "keys", "alice.json"), "utf8")).includes(secretHex()));
    assert.equal((await store.load("alice", async () => SECRET)).secretHex(), secretHex());
    const again = await key("encrypt", "alice", "--passphrase-file", right);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /alice\.json is encrypted already/);
  });

  it("an encrypted one gets another passphrase, or none, each with its own passphrase only; a plain one is refused", async (t) => {
    const { key, right, wrong, store, data } = await setUp(t);
    const { secretHex } = await store.create("alice", { passphrase: async () => SECRET });
    const file = join(data, "keys", "alice.json");
    const before = await readFile(file, "utf8");
    const unasked = await key("passphrase", "alice", "--passphrase-file", right);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /a new passphrase for alice is needed; .*--new-passphrase-file FILE/);
    const refused = await key(
      ...["passphrase", "alice", "--passphrase-file", wrong, "--new-passphrase-file", right, "--json"],
    );
    assert.deepEqual([refused.code, JSON.parse(refused.stderr).code], [1, "KEY_PASSPHRASE_WRONG"]);
    assert.equal(await readFile(file, "utf8"), before);
    const changed = await key(
      ...["passphrase", "alice", "--passphrase-file", right, "--new-passphrase-file", wrong],
    );
    assert.match(
      changed.stdout,
      /^alice {2}cum1\w+ {2}\(another passphrase; backups still open with the old one\)\n$/,
    );
    assert.equal((await key("decrypt", "alice", "--passphrase-file", right)).code, 1, "the old one is gone");
    const plain = await key("decrypt", "alice", "--passphrase-file", wrong);
    assert.match(plain.stdout, /NOT encrypted any more: whoever reads its file can spend/);
    assert.equal((await store.load("alice")).secretHex(), secretHex());
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const again = await key("decrypt", "alice", "--passphrase-file", right, "--json");
    assert.deepEqual([again.code, JSON.parse(again.stderr).code], [1, "KEY_NOT_ENCRYPTED"]);
  });

  it("one is removed only where that is said twice, damaged or not, and never by a path", async (t) => {
    const { key, store, data } = await setUp(t);
    await store.create("alice");
    const unsure = await key("remove", "alice");
    assert.equal(unsure.code, 2);
    assert.match(unsure.stderr, /export it first .* remove it with --yes\n$/);
    assert.equal((await key("remove", "../network-key", "--yes")).code, 2);
    await writeFile(join(data, "keys", "bad.json"), "{");
    for (const name of ["alice", "bad"]) assert.equal((await key("remove", name, "--yes")).code, 0);
    assert.deepEqual(await store.list(), { keys: [], damaged: [] });
    const gone = await key("remove", "alice", "--yes", "--json");
    assert.deepEqual([gone.code, JSON.parse(gone.stderr).code], [1, "KEY_NOT_FOUND"]);
  });

  it("an encrypted one receives by its name, and sends with its passphrase only", async (t) => {
    const sent: SealedTransaction[] = [];
    const { url } = await startApi(t, {
      submit: async (transactions) => {
        sent.push(...transactions);
        return transactions.map(({ txid }) => ({ id: txid, accepted: true }));
      },
    });
    const { store, data, right, wrong } = await setUp(t);
    const { publicKey } = await store.create("bob", { passphrase: async () => SECRET });
    const send = (...more: readonly string[]) => {
      const args = ["send", "--from", "bob", "--to", "bob", "--amount", "1", "--data", data, "--api", url];
      return runCli([...args, ...more], { env: { CUMULO_TOKEN: TOKEN } });
    };
    const unasked = await send();
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /^cumulo: the passphrase of bob is needed; .*--passphrase-file FILE\n$/);
    const refused = await send("--passphrase-file", wrong);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^cumulo: the passphrase does not open \S+bob\.json: [^\n]+\n$/);
    assert.equal(sent.length, 0);
    const done = await send("--passphrase-file", right);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(sent[0]?.transaction.body.sender, publicKey);
  });
});
