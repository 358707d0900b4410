import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { scrypt } from "@noble/hashes/scrypt.js";
import { decodeBody, decodeHeader, decodeTransaction } from "../../src/primitives/index.ts";
import * as chain from "../support/reference-chain.ts";
import * as codec from "../support/reference-codec.ts";
import { currentVectors } from "./generate.ts";

/** Frozen files, compared twice: with what our code says, and with what the formats say when written by hand. */
const frozen = <T>(name: string): T[] =>
  JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), "utf8")) as T[];
const { fromHex, toHex } = codec;

test("our code still gives every frozen vector", async () => {
  for (const [name, content] of Object.entries(await currentVectors())) {
    const expected = frozen(name.replace(".json", ""));
    assert.ok(expected.length > 0);
    assert.deepEqual(JSON.parse(JSON.stringify(content)), expected, name);
  }
});

interface SpecVector {
  readonly given: Partial<chain.WholeGenesis>;
  readonly whole: chain.WholeGenesis;
  readonly specRoot: string;
  readonly stateRoot: string;
  readonly genesisHeader: string;
  readonly genesisBody: string;
  readonly chainId: string;
}

test("spec roots, genesis headers and chain ids by hand", () => {
  for (const vector of frozen<SpecVector>("chain-spec")) {
    const { whole } = vector;
    assert.equal(toHex(chain.specRoot(whole)), vector.specRoot);
    assert.equal(toHex(chain.genesisHeader(whole).core.stateRoot), vector.stateRoot);
    assert.equal(toHex(chain.genesisBytes(whole)), vector.genesisHeader);
    assert.equal(toHex(codec.blockBodyBytes([], new Uint8Array())), vector.genesisBody);
    assert.equal(toHex(chain.chainId(whole)), vector.chainId);
    for (const [key, value] of Object.entries(vector.given)) {
      if (key !== "allocations" && key !== "validators")
        assert.deepEqual(Reflect.get(whole, key), value, key);
    }
  }
});

interface HeaderVector {
  readonly core: Record<string, string | number>;
  readonly nonce: number;
  readonly bytes: string;
  readonly coreRoot: string;
  readonly id: string;
}

test("header bytes, core roots and ids by hand", () => {
  for (const { core, nonce, bytes, coreRoot, id } of frozen<HeaderVector>("header")) {
    const fields = Object.entries(core).map(([name, value]) => {
      if (name === "difficulty") return [name, BigInt(value)];
      return [name, typeof value === "string" ? fromHex(value) : value];
    });
    const header = { core: Object.fromEntries(fields) as codec.PlainHeader["core"], nonce };
    assert.equal(toHex(codec.headerBytes(header)), bytes);
    assert.equal(toHex(codec.headerId(header)), id);
    assert.equal(toHex(codec.sha256(fromHex(coreRoot), codec.uintRoot(nonce))), id);
    assert.equal(decodeHeader(fromHex(bytes))?.id, id);
  }
});

interface TransactionVector {
  readonly seed: string;
  readonly recipientSeed: string;
  readonly chain: string;
  readonly amount: number;
  readonly nonce: number;
  readonly fee: number;
  readonly expiry: number;
  readonly memo: string;
  readonly sender: string;
  readonly recipient: string;
  readonly bytes: string;
  readonly txid: string;
  readonly leaf: string;
  readonly signingMessage: string;
  readonly signature: string;
}

test("transaction bytes, ids, leaves and signatures by hand, the keys and signatures by OpenSSL", () => {
  for (const vector of frozen<TransactionVector>("transaction")) {
    const key = chain.opensslKey(fromHex(vector.seed));
    const to = chain.opensslKey(fromHex(vector.recipientSeed)).publicKey;
    assert.equal(chain.address(key.publicKey), vector.sender);
    assert.equal(chain.address(to), vector.recipient);
    const memo = new TextEncoder().encode(vector.memo);
    const body = { ...vector, chain: fromHex(vector.chain), sender: key.publicKey, to, memo };
    const txid = codec.sha256(codec.transactionBodyBytes(body));
    assert.equal(toHex(txid), vector.txid);
    assert.equal(toHex(chain.signingMessage(txid)), vector.signingMessage);
    const signature = key.sign(chain.signingMessage(txid));
    assert.equal(toHex(signature), vector.signature);
    const bytes = codec.transactionBytes(body, signature);
    assert.equal(toHex(bytes), vector.bytes);
    assert.equal(toHex(codec.sha256(bytes)), vector.leaf);
    assert.equal(decodeTransaction(bytes)?.leaf, vector.leaf);
  }
});

test("body bytes and transactions roots by hand", () => {
  interface Vector {
    readonly transactions: string[];
    readonly engineData: string;
    readonly bytes: string;
    readonly transactionsRoot: string;
  }
  for (const vector of frozen<Vector>("body")) {
    const transactions = vector.transactions.map(fromHex);
    const bytes = codec.blockBodyBytes(transactions, fromHex(vector.engineData));
    assert.equal(toHex(bytes), vector.bytes);
    const leaves = transactions.map((transaction) => codec.sha256(transaction));
    assert.equal(toHex(codec.listRoot(leaves, 16)), vector.transactionsRoot);
    assert.equal(decodeBody(bytes)?.transactions.length, transactions.length);
  }
});

test("state roots by hand", () => {
  interface Vector {
    readonly accounts: chain.PlainAccount[];
    readonly issued: number;
    readonly burned: number;
    readonly root: string;
  }
  for (const { accounts, issued, burned, root } of frozen<Vector>("state")) {
    assert.equal(toHex(chain.stateRoot(accounts, issued, burned)), root);
  }
});

interface ExecutionVector {
  readonly given: {
    readonly reward: number;
    readonly halvingInterval: number;
    readonly accountCreationFee: number;
  };
  readonly before: PlainState;
  readonly header: string;
  readonly body: string;
  readonly after: PlainState & { readonly root: string };
  readonly id: string;
  readonly proofs: string[][];
}
interface PlainState {
  readonly accounts: chain.PlainAccount[];
  readonly issued: number;
  readonly burned: number;
}

const numberAt = (bytes: Uint8Array, at: number): number => Number(Buffer.from(bytes).readBigUInt64LE(at));

/** The rules of docs/protocol.md, "State", from the bytes of header and body. */
function executed({ given, before, header, body }: ExecutionVector): PlainState {
  const accounts = new Map(before.accounts.map((account) => [account.key, { ...account }]));
  const accountOf = (key: string): { balance: number; nonce: number } => {
    const found = accounts.get(key) ?? { index: accounts.size, key, balance: 0, nonce: 0 };
    accounts.set(key, found);
    return found;
  };
  const bytes = fromHex(body);
  // Two offsets, then a list of transactions, which is all there is.
  const list = bytes.subarray(8);
  const count = list.length === 0 ? 0 : Buffer.from(list).readUInt32LE(0) / 4;
  let [fees, burned] = [0, before.burned];
  for (let i = 0; i < count; i++) {
    const transaction = list.subarray(Buffer.from(list).readUInt32LE(4 * i));
    const sender = accountOf(toHex(transaction.subarray(100, 132)));
    const [fee, amount] = [numberAt(transaction, 140), numberAt(transaction, 193)];
    const to = toHex(transaction.subarray(161, 193));
    sender.balance -= amount + fee;
    sender.nonce += 1;
    const created = accounts.has(to) ? 0 : given.accountCreationFee;
    accountOf(to).balance += amount;
    burned += created;
    fees += fee - created;
  }
  const height = numberAt(fromHex(header), 36);
  const halvings = given.halvingInterval === 0 ? 0 : Math.floor((height - 1) / given.halvingInterval);
  const reward = Math.floor(given.reward / 2 ** halvings);
  const proposer = toHex(fromHex(header).subarray(148, 180));
  if (reward + fees > 0) accountOf(proposer).balance += reward + fees;
  return { accounts: [...accounts.values()], issued: before.issued + reward, burned };
}

test("a block's execution by hand, and proofs of accounts up to its id", () => {
  for (const vector of frozen<ExecutionVector>("execution")) {
    const { root, ...after } = vector.after;
    assert.deepEqual(executed(vector), after);
    assert.equal(toHex(chain.stateRoot(after.accounts, after.issued, after.burned)), root);
    assert.equal(toHex(fromHex(vector.header).subarray(116, 148)), root);
    assert.equal(decodeHeader(fromHex(vector.header))?.id, vector.id);
    after.accounts.forEach(({ key, balance, nonce }, index) => {
      const left = codec.sha256(fromHex(key), codec.uintRoot(balance));
      let node = codec.sha256(left, codec.sha256(codec.uintRoot(nonce), new Uint8Array(32)));
      const byIndex = [...index.toString(2).padStart(32, "0")].reverse().join("");
      // The length, 4 to slot 0, 4 to field 6, the nonce: on the right where there is a 1.
      const sides = [byIndex, "0", "0000", "0110", "0"].join("");
      const siblings = vector.proofs[index] ?? [];
      assert.equal(siblings.length, sides.length);
      siblings.forEach((hex, i) => {
        const sibling = fromHex(hex);
        node = sides[i] === "1" ? codec.sha256(sibling, node) : codec.sha256(node, sibling);
      });
      assert.equal(toHex(node), vector.id, `account ${index}`);
    });
  }
});

test("difficulty sequences by big integers", () => {
  interface Vector {
    readonly smoothing: number;
    readonly intervalMs: number;
    readonly difficultyBits: number;
    readonly gapsMs: number[];
    readonly difficulties: string[];
  }
  for (const { smoothing, intervalMs, difficultyBits, gapsMs, difficulties } of frozen<Vector>(
    "difficulty",
  )) {
    const [N, T, least] = [BigInt(smoothing), BigInt(intervalMs), 2n ** BigInt(difficultyBits)];
    let difficulty = least;
    difficulties.forEach((expected, i) => {
      // Block 1 has the genesis difficulty; block i + 1 looks at the gap that its parent, block i, left.
      if (i > 0) {
        const gap = BigInt(gapsMs[i - 1] ?? 0);
        const took = gap < 1n ? 1n : gap > 6n * T ? 6n * T : gap;
        const next = (difficulty * N * T) / (N * T + took - T);
        difficulty = next < least ? least : next > 2n ** 128n - 1n ? 2n ** 128n - 1n : next;
      }
      assert.equal(difficulty.toString(), expected, `block ${i + 1}`);
    });
  }
});

test("rewards and targets by big integers", () => {
  interface Reward {
    readonly reward: number;
    readonly halvingInterval: number;
    readonly heights: number[];
    readonly rewards: number[];
  }
  for (const { reward, halvingInterval, heights, rewards } of frozen<Reward>("reward")) {
    const expected = heights.map((height) => {
      const halvings = (BigInt(height) - 1n) / BigInt(halvingInterval);
      return halvings > 64n ? 0 : Number(BigInt(reward) >> halvings);
    });
    assert.deepEqual(rewards, expected);
  }
  interface Target {
    readonly difficulty: string;
    readonly work: string;
    readonly target: string;
  }
  for (const { difficulty, work, target } of frozen<Target>("target")) {
    const exact = 2n ** 256n / BigInt(difficulty);
    const expected = exact === 2n ** 256n ? exact - 1n : exact;
    assert.equal(target, expected.toString(16).padStart(64, "0"));
    assert.equal(work, BigInt(difficulty).toString(16));
  }
});

test("gossip message ids and addresses by hand", () => {
  for (const { topic, data, id } of frozen<{ topic: string; data: string; id: string }>(
    "gossip-message-id",
  )) {
    assert.equal(toHex(chain.gossipId(topic, fromHex(data))), id);
  }
  for (const { publicKey, address } of frozen<{ publicKey: string; address: string }>("address")) {
    assert.equal(chain.address(fromHex(publicKey)), address);
    assert.equal(toHex(chain.keyBehind(address)), publicKey);
  }
});

interface KeyFileVector {
  readonly seed: string;
  readonly passphrase?: string;
  readonly text: string;
}

test("key files by hand, opened and sealed again with scrypt and XChaCha20-Poly1305 from elsewhere", () => {
  for (const { seed, passphrase, text } of frozen<KeyFileVector>("key-file")) {
    const { version, name, address, secret, kdf, cipher, ...rest } = JSON.parse(text);
    assert.equal(address, chain.address(chain.opensslKey(fromHex(seed)).publicKey));
    assert.deepEqual(rest, {});
    if (passphrase === undefined) {
      assert.deepEqual([version, secret, kdf, cipher], [1, seed, undefined, undefined], name);
      continue;
    }
    assert.deepEqual([version, secret, kdf.name, cipher.name], [2, undefined, "scrypt", "xchacha20poly1305"]);
    const { n: N, r, p, salt } = kdf;
    const key = scrypt(new TextEncoder().encode(passphrase), fromHex(salt), {
      N,
      r,
      p,
      dkLen: 32,
      maxmem: 2 ** 28,
    });
    const bound = `cumulo/key/2\n${address}\nscrypt\n${N}\n${r}\n${p}\n${salt}\nxchacha20poly1305\n${cipher.nonce}`;
    const sealing = xchacha20poly1305(key, fromHex(cipher.nonce), new TextEncoder().encode(bound));
    assert.equal(toHex(sealing.decrypt(fromHex(cipher.ciphertext))), seed, name);
    assert.equal(toHex(sealing.encrypt(fromHex(seed))), cipher.ciphertext, name);
  }
});
