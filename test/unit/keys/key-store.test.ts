import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createKeyStore, generateKey } from "../../../src/keys/index.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

describe("key store", () => {
  it("a created key is listed, loaded by name and found by address", async (t) => {
    const store = createKeyStore(join(await temporaryDirectory(t), "keys"));
    assert.deepEqual(await store.list(), []);
    const bob = await store.create("bob");
    const alice = await store.create("alice");
    assert.deepEqual(await store.list(), [
      { name: "alice", address: alice.address },
      { name: "bob", address: bob.address },
    ]);
    assert.equal((await store.load("bob")).secretHex(), bob.secretHex());
    assert.equal((await store.loadByAddress(alice.address)).name, "alice");
  });

  it("files are for their owner only and nothing temporary is left", async (t) => {
    const directory = join(await temporaryDirectory(t), "keys");
    const key = await createKeyStore(directory).create("reward", generateKey(createSeededRandom(1)));
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
    const store = createKeyStore(await temporaryDirectory(t));
    for (const name of ["", "../x", "a/b", "A", "a.b", "x".repeat(65), "ä"]) {
      await assert.rejects(store.create(name), { code: "KEY_NAME_INVALID" });
      await assert.rejects(store.load(name), { code: "KEY_NAME_INVALID" });
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
