import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createKeyStore, generateKey } from "../../../src/keys/index.ts";
import { sealSecret } from "../../../src/keys/sealed-secret.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

/** The least that a file may cost, but for a test of its own. */
const cost = { n: 1_024, r: 8, p: 1 };
const passphrase = async (): Promise<string> => "a passphrase";
const wrong = async (): Promise<string> => "incorrect horse";
const never = async (): Promise<string> => assert.fail("no passphrase is needed here");

describe("key store", () => {
  it("a created key is listed, loaded by name and found by address", async (t) => {
    const store = createKeyStore(join(await temporaryDirectory(t), "keys"));
    assert.deepEqual(await store.list(), { keys: [], damaged: [] });
    const bob = await store.create("bob");
    const alice = await store.create("alice");
    const { address, publicKey } = alice;
    assert.deepEqual(await store.list(), {
      keys: [
        { name: "alice", address, publicKey, encrypted: false },
        { name: "bob", address: bob.address, publicKey: bob.publicKey, encrypted: false },
      ],
      damaged: [],
    });
    assert.equal((await store.load("bob")).secretHex(), bob.secretHex());
    assert.equal((await store.loadByAddress(alice.address)).name, "alice");
  });

  it("files are for their owner only and nothing temporary is left", async (t) => {
    const directory = join(await temporaryDirectory(t), "keys");
    const key = await createKeyStore(directory).create("reward", { key: generateKey(createSeededRandom(1)) });
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.equal((await stat(join(directory, "reward.json"))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ["reward.json"]);
    assert.deepEqual(JSON.parse(await readFile(join(directory, "reward.json"), "utf8")), {
      version: 1,
      name: "reward",
      address: key.address,
      secret: key.secretHex(),
    });
  });

  it("of many that create the same name at once one wins, and its key stays", async (t) => {
    const store = createKeyStore(await temporaryDirectory(t));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => store.create("one")));
    const won = results.filter((result) => result.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of results)
      if (result.status === "rejected") assert.equal(result.reason.code, "KEY_EXISTS");
    assert.equal((await store.load("one")).address, won[0]?.value.address);
  });

  it("names outside a-z, 0-9, - and _ are refused, so that no name leaves the directory", async (t) => {
    const directory = await temporaryDirectory(t);
    const store = createKeyStore(directory, { cost });
    await store.create("good");
    const exported = join(directory, "good.json");
    for (const name of ["", "../x", "a/b", "A", "a.b", "x".repeat(65), "ä"]) {
      await assert.rejects(store.create(name), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.load(name), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.entry(name), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.encrypt(name, passphrase), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.exportTo("never", name), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.importFrom(exported, { name, open: passphrase }), {
        code: "KEY_NAME_INVALID",
      });
    }
  });

  it("a missing key is named, and a broken file is never half believed nor quoted", async (t) => {
    const directory = await temporaryDirectory(t);
    const store = createKeyStore(directory);
    await assert.rejects(store.load("nobody"), { code: "KEY_NOT_FOUND", message: /nobody/ });
    await assert.rejects(store.loadByAddress("cum1x"), { code: "KEY_NOT_FOUND" });
    const { secretHex, address } = await store.create("good");
    const broken = [
      `{ "version": 1, "secret": "${secretHex()}`,
      "null",
      JSON.stringify({ version: 2, secret: secretHex(), address }),
      JSON.stringify({ version: 1, secret: "xyz", address }),
      JSON.stringify({ version: 1, secret: secretHex(), address: generateKey().address }),
    ];
    for (const text of broken) {
      await writeFile(join(directory, "bad.json"), text);
      await assert.rejects(store.load("bad"), (error: Error & { code: string }) => {
        assert.equal(error.code, "KEY_FILE_INVALID");
        assert.ok(!error.message.includes(secretHex()));
        return true;
      });
    }
  });
});

describe("encrypted keys", () => {
  const setUp = async (t: TestContext) => {
    const directory = await temporaryDirectory(t);
    return { directory, store: createKeyStore(directory, { cost }), text: () => textOf(directory) };
  };
  const textOf = (directory: string): Promise<string> => readFile(join(directory, "alice.json"), "utf8");

  it("a created key opens with its passphrase only, and its secret is not in the file", async (t) => {
    const { store, text } = await setUp(t);
    const { address, publicKey, secretHex } = await store.create("alice", { passphrase });
    assert.equal((await store.load("alice", passphrase)).secretHex(), secretHex());
    assert.equal((await store.loadByAddress(address, passphrase)).name, "alice");
    await assert.rejects(store.load("alice", wrong), (error: Error & { code: string }) => {
      assert.equal(error.code, "KEY_PASSPHRASE_WRONG");
      assert.ok(!error.message.includes("incorrect horse"), "the passphrase is not quoted");
      return true;
    });
    await assert.rejects(store.load("alice"), { code: "KEY_PASSPHRASE_NEEDED", message: /alice\.json/ });
    assert.deepEqual(await store.entry("alice"), { name: "alice", address, publicKey, encrypted: true });
    assert.ok(!(await text()).includes(secretHex()));
    assert.equal(JSON.parse(await text()).version, 2);
  });

  it("without a cost of their own they take 2^17 rounds, 8 and 1", async (t) => {
    const directory = await temporaryDirectory(t);
    const store = createKeyStore(directory);
    const { secretHex } = await store.create("alice", { passphrase });
    const { n, r, p } = JSON.parse(await textOf(directory)).kdf;
    assert.deepEqual([n, r, p], [131_072, 8, 1]);
    assert.equal((await store.load("alice", passphrase)).secretHex(), secretHex());
  });

  it("of a plain key no passphrase is asked", async (t) => {
    const { store } = await setUp(t);
    const { secretHex } = await store.create("alice");
    assert.equal((await store.load("alice", never)).secretHex(), secretHex());
  });

  it("one with another's address is refused: by its tag, or when whoever sealed it lied", async (t) => {
    const { directory, store, text } = await setUp(t);
    await store.create("alice", { passphrase });
    const other = generateKey();
    const file = JSON.parse(await text());
    await writeFile(join(directory, "alice.json"), JSON.stringify({ ...file, address: other.address }));
    await assert.rejects(store.load("alice", passphrase), { code: "KEY_PASSPHRASE_WRONG" });

    const { address } = other;
    const sealed = await sealSecret(createSeededRandom(1).bytes(32), {
      address,
      passphrase: await passphrase(),
      cost,
    });
    await writeFile(join(directory, "alice.json"), JSON.stringify({ version: 2, address, ...sealed }));
    await assert.rejects(store.load("alice", passphrase), {
      code: "KEY_FILE_INVALID",
      message: /its address does not belong to its secret/,
    });
    await writeFile(
      join(directory, "alice.json"),
      JSON.stringify({ ...file, address: file.address.toUpperCase() }),
    );
    await assert.rejects(store.entry("alice"), { code: "KEY_FILE_INVALID" });
  });

  it("a plain one is encrypted in place, whole, also behind a link; an encrypted one stays as it is", async (t) => {
    const { directory, store, text } = await setUp(t);
    const { secretHex, address } = await store.create("alice");
    const target = join(await temporaryDirectory(t), "elsewhere");
    await rename(join(directory, "alice.json"), target);
    await symlink(target, join(directory, "alice.json"));
    assert.equal((await store.encrypt("alice", passphrase)).encrypted, true);
    assert.ok(!(await readFile(target, "utf8")).includes(secretHex()));
    assert.equal((await stat(target)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ["alice.json"]);
    const key = await store.load("alice", passphrase);
    assert.deepEqual([key.secretHex(), key.address], [secretHex(), address]);
    const before = await text();
    await assert.rejects(store.encrypt("alice", never), { code: "KEY_ENCRYPTED" });
    assert.equal(await text(), before);
    await assert.rejects(store.encrypt("nobody", never), { code: "KEY_NOT_FOUND" });
  });

  it("a passphrase that cannot be had leaves the plain file as it was", async (t) => {
    const { directory, store, text } = await setUp(t);
    await store.create("alice");
    const before = await text();
    await assert.rejects(
      store.encrypt("alice", () => Promise.reject(new Error("none"))),
      /none/,
    );
    await assert.rejects(
      store.encrypt("alice", async () => ""),
      { code: "KEY_PASSPHRASE_INVALID" },
    );
    assert.equal(await text(), before);
    assert.deepEqual(await readdir(directory), ["alice.json"]);
  });

  it("damaged files are told beside the keys, and a key is found in spite of them", async (t) => {
    const { directory, store } = await setUp(t);
    const alice = await store.create("alice");
    const zoe = await store.create("zoe", { passphrase });
    await writeFile(join(directory, "bad.json"), "{");
    await mkdir(join(directory, "folder.json"));
    const { keys, damaged } = await store.list();
    assert.deepEqual(
      keys.map(({ name, encrypted }) => [name, encrypted]),
      [
        ["alice", false],
        ["zoe", true],
      ],
    );
    const file = (name: string) => join(directory, name);
    assert.deepEqual(damaged, [
      { name: "bad", file: file("bad.json"), code: "KEY_FILE_INVALID", problem: "it is not JSON" },
      { name: "folder", file: file("folder.json"), code: "KEY_FILE_IO", problem: "it is a directory" },
    ]);
    assert.equal((await store.loadByAddress(alice.address)).name, "alice");
    await assert.rejects(store.loadByAddress(zoe.address), { code: "KEY_PASSPHRASE_NEEDED" });
    await assert.rejects(store.loadByAddress(generateKey().address), {
      code: "KEY_NOT_FOUND",
      message: /2 of its files cannot be read/,
    });
  });
});

describe("keys that travel", () => {
  const setUp = async (t: TestContext) => {
    const directory = await temporaryDirectory(t);
    const [from, to] = ["from", "to"].map((name) => createKeyStore(join(directory, name), { cost }));
    assert.ok(from && to);
    return { from, to, file: join(directory, "exported"), toDirectory: join(directory, "to") };
  };

  it("a plain one goes plain, or is encrypted on its way out or in", async (t) => {
    const { from, to, file } = await setUp(t);
    const { secretHex, address } = await from.create("alice");
    assert.equal((await from.exportTo(file, "alice")).encrypted, false);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await to.importFrom(file, { open: never })).name, "alice");
    const sealed = await to.importFrom(file, { name: "sealed", open: never, seal: passphrase });
    assert.deepEqual([sealed.encrypted, sealed.address], [true, address]);
    assert.equal((await to.load("sealed", passphrase)).secretHex(), secretHex());
    assert.equal((await from.exportTo(`${file}2`, "alice", passphrase)).encrypted, true);
    assert.equal((await to.importFrom(`${file}2`, { name: "two", open: passphrase })).encrypted, true);
    assert.equal((await to.load("two", passphrase)).secretHex(), secretHex());
    assert.equal((await from.entry("alice")).encrypted, false, "the key itself stays as it was");
  });

  it("an encrypted one stays under its passphrase, which is held against it", async (t) => {
    const { from, to, file, toDirectory } = await setUp(t);
    const { secretHex } = await from.create("alice", { passphrase });
    await assert.rejects(from.exportTo(file, "alice", wrong), { code: "KEY_PASSPHRASE_WRONG" });
    await assert.rejects(stat(file), { code: "ENOENT" });
    await from.exportTo(file, "alice", passphrase);
    await from.exportTo(`${file}2`, "alice");
    assert.equal(await readFile(file, "utf8"), await readFile(`${file}2`, "utf8"));
    await assert.rejects(to.importFrom(file, { open: wrong }), { code: "KEY_PASSPHRASE_WRONG" });
    await assert.rejects(readdir(toDirectory), { code: "ENOENT" });
    await to.importFrom(file, { name: "again", open: passphrase });
    assert.equal((await to.load("again", passphrase)).secretHex(), secretHex());
    const { name, ...rest } = JSON.parse(await readFile(join(toDirectory, "again.json"), "utf8"));
    assert.deepEqual([name, rest], ["again", withoutName(JSON.parse(await readFile(file, "utf8")))]);
  });

  it("nothing that exists is replaced, and nothing that is no key comes in", async (t) => {
    const { from, to, file, toDirectory } = await setUp(t);
    const { address } = await from.create("alice");
    await to.create("alice");
    await from.exportTo(file, "alice");
    const before = await readFile(file, "utf8");
    await assert.rejects(from.exportTo(file, "alice"), { code: "KEY_EXISTS", message: /exported exists/ });
    await assert.rejects(to.importFrom(file, { open: never }), { code: "KEY_EXISTS" });
    assert.equal(await readFile(file, "utf8"), before);
    await assert.rejects(from.exportTo(join(file, "x"), "alice"), { code: "KEY_FILE_IO" });
    await assert.rejects(to.importFrom(`${file}-not`, { open: never }), { code: "KEY_FILE_IO" });
    const { version, secret } = JSON.parse(before);
    for (const [content, code] of [
      [{ version, secret, address }, "KEY_NAME_INVALID"],
      [{ version, secret, address, name: "../x" }, "KEY_NAME_INVALID"],
      [{ version, secret, address: generateKey().address, name: "x" }, "KEY_FILE_INVALID"],
      [{ version: 3, secret, address, name: "x" }, "KEY_FILE_NEWER"],
      [{ version: "3", secret, address, name: "x" }, "KEY_FILE_INVALID"],
      [{ version: 2, secret, address, name: "x" }, "KEY_FILE_INVALID"],
    ] as const) {
      await writeFile(file, JSON.stringify(content));
      await assert.rejects(to.importFrom(file, { open: never }), { code });
    }
    assert.deepEqual(await readdir(toDirectory), ["alice.json"]);
  });
});

const withoutName = ({ name: _, ...rest }: { readonly name: string }): object => rest;
