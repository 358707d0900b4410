import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import {
  fromHex,
  headerBytes,
  headerId,
  join,
  listRoot,
  littleEndian,
  merkleize,
  type PlainHeader,
  sha256,
  shortByteListRoot,
  toHex,
  uintRoot,
} from "./reference-codec.ts";

/** What docs/protocol.md says about specs, genesis, state, keys and text, written by hand; see reference-codec.ts. */

const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

function bech32Checksum(prefix: string, words: readonly number[]): number {
  const codes = [...prefix].map((letter) => letter.charCodeAt(0));
  const values = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...words];
  const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    generators.forEach((generator, i) => {
      if ((top >> i) & 1) check ^= generator;
    });
  }
  return check >>> 0;
}

/** BIP 350's encoding of 32 bytes with prefix `cum`. */
export function address(publicKey: Uint8Array): string {
  const bits = [...publicKey].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const words = (bits.match(/.{1,5}/g) ?? []).map((five) => Number.parseInt(five.padEnd(5, "0"), 2));
  const checksum = bech32Checksum("cum", [...words, 0, 0, 0, 0, 0, 0]) ^ 0x2bc830a3;
  const tail = Array.from({ length: 6 }, (_, i) => (checksum >>> (5 * (5 - i))) & 31);
  return `cum1${[...words, ...tail].map((word) => LETTERS[word]).join("")}`;
}

/** The key behind an address known to be good. */
export function keyBehind(text: string): Uint8Array {
  const bits = [...text.slice(4, -6)]
    .map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2));
}

/** Ed25519 by OpenSSL, from a 32-byte seed. */
export function opensslKey(seed: Uint8Array): {
  publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
} {
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(der.subarray(-32)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** A genesis.json with every key there. */
export interface WholeGenesis {
  readonly name: string;
  readonly engine: string;
  readonly difficultyBits: number;
  readonly difficultyMode: string;
  readonly intervalMs: number;
  readonly smoothing: number;
  readonly driftMs: number;
  readonly minimumWork: string;
  readonly reward: number;
  readonly halvingInterval: number;
  readonly maxBlockBytes: number;
  readonly minFeePerByte: number;
  readonly accountCreationFee: number;
  readonly allocations: readonly { readonly address: string; readonly amount: number }[];
  readonly validators: readonly { readonly address: string; readonly power: number }[];
  readonly activations: readonly { readonly rulesVersion: number; readonly height: number }[];
  readonly genesisTimestampMs: number;
  readonly salt: string;
}

const byKey = <Item extends { readonly address: string }>(
  items: readonly Item[],
): (Item & { key: string })[] =>
  items
    .map((item) => ({ ...item, key: toHex(keyBehind(item.address)) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));

export function specRoot(genesis: WholeGenesis): Uint8Array {
  const fields = [
    uintRoot(1),
    shortByteListRoot(new TextEncoder().encode(genesis.name)),
    uintRoot(["pow", "vote"].indexOf(genesis.engine)),
    uintRoot(genesis.difficultyBits),
    uintRoot(["fixed", "adjusting"].indexOf(genesis.difficultyMode)),
    uintRoot(genesis.intervalMs),
    uintRoot(genesis.smoothing),
    uintRoot(genesis.driftMs),
    uintRoot(BigInt(`0x${genesis.minimumWork}`)),
    uintRoot(genesis.reward),
    uintRoot(genesis.halvingInterval),
    uintRoot(genesis.maxBlockBytes),
    uintRoot(genesis.minFeePerByte),
    uintRoot(genesis.accountCreationFee),
    listRoot(
      byKey(genesis.allocations).map(({ key, amount }) => sha256(fromHex(key), uintRoot(amount))),
      16,
    ),
    listRoot(
      byKey(genesis.validators).map(({ key, power }) => sha256(fromHex(key), uintRoot(power))),
      10,
    ),
    listRoot(
      genesis.activations.map(({ rulesVersion, height }) => sha256(uintRoot(rulesVersion), uintRoot(height))),
      6,
    ),
    uintRoot(genesis.genesisTimestampMs),
    join(fromHex(genesis.salt), new Uint8Array(16)),
  ];
  return merkleize(fields, 5);
}

export interface PlainAccount {
  readonly key: string;
  readonly balance: number;
  readonly nonce: number;
}

export function stateRoot(accounts: readonly PlainAccount[], issued: number, burned: number): Uint8Array {
  const roots = accounts.map(({ key, balance, nonce }) =>
    merkleize([fromHex(key), uintRoot(balance), uintRoot(nonce)], 2),
  );
  return merkleize([listRoot(roots, 32), uintRoot(issued), uintRoot(burned)], 4);
}

export function genesisHeader(genesis: WholeGenesis): PlainHeader {
  const accounts = byKey(genesis.allocations).map(({ key, amount }) => ({ key, balance: amount, nonce: 0 }));
  const issued = accounts.reduce((sum, { balance }) => sum + balance, 0);
  const zero = new Uint8Array(32);
  return {
    core: {
      rulesVersion: 1,
      chain: zero,
      height: 0,
      parent: specRoot(genesis),
      timestampMs: genesis.genesisTimestampMs,
      transactionsRoot: listRoot([], 16),
      stateRoot: stateRoot(accounts, issued, 0),
      proposer: zero,
      difficulty: genesis.engine === "vote" ? 1n : 2n ** BigInt(genesis.difficultyBits),
      engineRoot: zero,
      extra: zero,
    },
    nonce: 0,
  };
}

export const chainId = (genesis: WholeGenesis): Uint8Array => headerId(genesisHeader(genesis));
export const genesisBytes = (genesis: WholeGenesis): Uint8Array => headerBytes(genesisHeader(genesis));

export function gossipId(topic: string, data: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(topic);
  return sha256(littleEndian(name.length, 2), name, data);
}

export const signingMessage = (txid: Uint8Array): Uint8Array =>
  join(new TextEncoder().encode("cumulo/tx/1"), txid);
