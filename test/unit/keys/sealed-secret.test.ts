import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  openSecret,
  parseSealedSecret,
  type SealedSecret,
  sealSecret,
} from "../../../src/keys/sealed-secret.ts";
import { aeadDecrypt, aeadEncrypt } from "../../../src/keys/xchacha20-poly1305.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import { encodeAddress, hexToBytes } from "../../../src/primitives/index.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly tests: readonly Readonly<
      Record<"key" | "iv" | "aad" | "msg" | "ct" | "tag" | "result", string> & { tcId: number }
    >[];
  }[];
}

const seed = createSeededRandom(1).bytes(32);
const address = encodeAddress(createSeededRandom(2).bytes(32));
const passphrase = "a passphrase";
/** The least that a file may cost: these tests are about the format. */
const cost = { n: 1_024, r: 8, p: 1 };
const seal = (): Promise<SealedSecret> => sealSecret(seed, { address, passphrase, cost });

describe("XChaCha20-Poly1305", () => {
  it("all 315 Wycheproof cases come out as the file says", () => {
    const file = new URL("../../vectors/wycheproof-xchacha20_poly1305_test.json", import.meta.url);
    const { testGroups } = JSON.parse(readFileSync(file, "utf8")) as Wycheproof;
    let count = 0;
    for (const { tcId, ...test } of testGroups.flatMap(({ tests }) => tests)) {
      const sealing = { key: hexToBytes(test.key), nonce: hexToBytes(test.iv), bound: hexToBytes(test.aad) };
      const ciphertext = hexToBytes(test.ct + test.tag);
      const message = aeadDecrypt(ciphertext, sealing);
      if (test.result === "valid") {
        assert.deepEqual(message && new Uint8Array(message), hexToBytes(test.msg), `case ${tcId}`);
        assert.deepEqual(aeadEncrypt(hexToBytes(test.msg), sealing), ciphertext, `case ${tcId}`);
      } else assert.equal(message, undefined, `case ${tcId}`);
      count++;
    }
    assert.equal(count, 315);
  });

  it("what is shorter than a tag, or has a key of another length, does not open", () => {
    const sealing = { key: new Uint8Array(32), nonce: new Uint8Array(24), bound: new Uint8Array() };
    assert.equal(aeadDecrypt(new Uint8Array(15), sealing), undefined);
    const ciphertext = aeadEncrypt(new Uint8Array(), sealing);
    assert.deepEqual(aeadDecrypt(ciphertext, sealing)?.length, 0);
    assert.equal(aeadDecrypt(ciphertext, { ...sealing, key: new Uint8Array(31) }), undefined);
  });
});

describe("sealed secrets", () => {
  it("open with their passphrase and with no other", async () => {
    const sealed = await seal();
    assert.deepEqual(new Uint8Array((await openSecret(sealed, { address, passphrase })) ?? []), seed);
    for (const other of ["a passphras", "a passphrase ", "A passphrase"])
      assert.equal(await openSecret(sealed, { address, passphrase: other }), undefined);
  });

  it("never have the same salt, nonce or ciphertext twice", async () => {
    const [one, two] = await Promise.all([seal(), seal()]);
    assert.notEqual(one.kdf.salt, two.kdf.salt);
    assert.notEqual(one.cipher.nonce, two.cipher.nonce);
    assert.notEqual(one.cipher.ciphertext, two.cipher.ciphertext);
  });

  it("do not open once anything in the file was changed", async () => {
    const sealed = await seal();
    const other = await seal();
    const { kdf, cipher } = sealed;
    const changed: SealedSecret[] = [
      { kdf: { ...kdf, n: 2_048 }, cipher },
      { kdf: { ...kdf, r: 9 }, cipher },
      { kdf: { ...kdf, p: 2 }, cipher },
      { kdf: { ...kdf, salt: other.kdf.salt }, cipher },
      { kdf, cipher: { ...cipher, nonce: other.cipher.nonce } },
      { kdf, cipher: { ...cipher, ciphertext: other.cipher.ciphertext } },
      { kdf, cipher: { ...cipher, ciphertext: `${cipher.ciphertext.slice(0, -2)}00` } },
      { kdf, cipher: other.cipher },
    ];
    for (const one of changed)
      assert.equal(await openSecret(one, { address, passphrase }), undefined, JSON.stringify(one));
    const stranger = encodeAddress(createSeededRandom(3).bytes(32));
    assert.equal(await openSecret(sealed, { address: stranger, passphrase }), undefined);
  });

  it("a passphrase has 1 to 1024 bytes, counted in UTF-8", async () => {
    for (const wrong of ["", "x".repeat(1_025), "ä".repeat(513)])
      await assert.rejects(sealSecret(seed, { address, passphrase: wrong, cost }), {
        code: "KEY_PASSPHRASE_INVALID",
      });
    const longest = "ä".repeat(512);
    const sealed = await sealSecret(seed, { address, passphrase: longest, cost });
    assert.ok(await openSecret(sealed, { address, passphrase: longest }));
  });

  it("the event loop turns while a key is derived", async () => {
    let turns = 0;
    let done = false;
    const sealing = sealSecret(seed, { address, passphrase, cost: { n: 2 ** 14, r: 8, p: 1 } }).finally(
      () => {
        done = true;
      },
    );
    while (!done) {
      await setImmediate();
      turns++;
    }
    await sealing;
    // Derived on the loop itself it would be done before the first turn.
    assert.ok(turns > 5, `${turns} turns`);
  });

  it("the most that a file may ask for can be derived", async () => {
    for (const most of [
      { n: 2 ** 18, r: 8, p: 1 },
      { n: 2 ** 16, r: 32, p: 1 },
      { n: 1_024, r: 8, p: 16 },
    ])
      await sealSecret(seed, { address, passphrase, cost: most });
  });

  it("a file that asks for more memory or time than a key may cost is refused before anything is derived", async () => {
    const { kdf, cipher } = await seal();
    const withCost = (change: object) => parseSealedSecret({ kdf: { ...kdf, ...change }, cipher });
    assert.deepEqual(withCost({}), { kdf, cipher });
    assert.deepEqual(withCost({ n: 2 ** 18 }), { kdf: { ...kdf, n: 2 ** 18 }, cipher });
    for (const [change, problem] of [
      [{ n: 2 ** 19 }, /more memory or time/],
      [{ n: 2 ** 17, r: 32 }, /more memory or time/],
      [{ n: 2 ** 17, p: 9 }, /more memory or time/],
      [{ n: 2 ** 40 }, /must have n/],
      [{ n: 1e300 }, /must have n/],
      [{ n: 1_000 }, /must have n/],
      [{ n: 131_071 }, /must have n/],
      [{ n: 0 }, /must have n/],
      [{ n: -1_024 }, /must have n/],
      [{ n: "131072" }, /must have n/],
      [{ n: [131_072] }, /must have n/],
      [{ n: undefined }, /must have n/],
      [{ r: 1 }, /must have n/],
      [{ r: 1e9 }, /must have n/],
      [{ p: 0 }, /must have n/],
      [{ p: 1.5 }, /must have n/],
      [{ p: 2 ** 30 }, /must have n/],
      [{ name: "pbkdf2" }, /kdf is not scrypt/],
      [{ salt: kdf.salt.slice(2) }, /salt/],
      [{ salt: kdf.salt.toUpperCase().replace(/\d/g, "A") }, /salt/],
      [{ salt: 5 }, /salt/],
    ] as const)
      assert.match(String(withCost(change)), problem, JSON.stringify(change));
    for (const broken of [
      { kdf, cipher: { ...cipher, name: "aes-256-gcm" } },
      { kdf, cipher: { ...cipher, nonce: "" } },
      { kdf, cipher: { ...cipher, ciphertext: cipher.ciphertext.slice(32) } },
      { kdf },
      { cipher },
      { kdf: null, cipher: [] },
      { kdf: "scrypt", cipher: 7 },
    ])
      assert.equal(typeof parseSealedSecret(broken), "string");
  });
});
