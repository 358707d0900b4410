import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import {
  decodePeers,
  decodePeersRequest,
  encodePeers,
  encodePeersRequest,
  MAX_PEERS_RESPONSE_BYTES,
  type ToldPeer,
} from "../../../src/network/wire-peers.ts";
import { bytesToHex, hexToBytes } from "../../../src/primitives/index.ts";

const nameOf = async (n: number) =>
  peerIdFromPrivateKey(
    await generateKeyPairFromSeed(
      "Ed25519",
      Uint8Array.from({ length: 32 }, (_, i) => (n >> (8 * i)) & 0xff),
    ),
  ).toString();
const names = await Promise.all(Array.from({ length: 64 }, (_, n) => nameOf(n)));
const told = (i: number, addresses = [`/ip4/20.1.1.${i}/tcp/4001`]): ToldPeer => ({
  peer: names[i] ?? "",
  addresses,
});

test("a request is the number of peers asked for, 1 to 64", () => {
  assert.equal(bytesToHex(encodePeersRequest(64)), "40000000");
  assert.equal(decodePeersRequest(encodePeersRequest(1)), 1);
  for (const wrong of ["", "00000000", "41000000", "ffffffff", "4000000000"])
    assert.equal(decodePeersRequest(hexToBytes(wrong)), undefined, wrong);
});

test("an answer stands byte for byte as docs/protocol.md says", () => {
  const peers = [told(0, ["/ip4/1.2.3.4/tcp/4001", "/ip6/2001:db8::1/tcp/258"])];
  const bytes = encodePeers(peers);
  // The Ed25519 public key of the seed of 32 zero bytes.
  const key = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
  const first = "00000000000000000000ffff01020304" + "a10f";
  const second = "20010db8000000000000000000000001" + "0201";
  assert.equal(bytesToHex(bytes), `04000000${key}24000000${first}${second}`);
  assert.deepEqual(decodePeers(bytes, 1), peers);
});

test("a full answer fits in its limit, and an empty one is empty", () => {
  const addresses = [1, 2, 3, 4].map((port) => `/ip6/2001:db8::1/tcp/${port}`);
  const full = names.map((peer) => ({ peer, addresses }));
  const bytes = encodePeers(full);
  assert.equal(bytes.length, MAX_PEERS_RESPONSE_BYTES);
  assert.deepEqual(decodePeers(bytes, 64), full);
  assert.equal(encodePeers([]).length, 0);
  assert.deepEqual(decodePeers(new Uint8Array(0), 64), []);
});

test("what has no place in an answer is left out of it", () => {
  const rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
  const peers = [
    { peer: rsa, addresses: ["/ip4/1.2.3.4/tcp/1"] },
    told(1, ["/dns4/example.org/tcp/1"]),
    told(2),
  ];
  assert.deepEqual(decodePeers(encodePeers(peers), 64), [told(2)]);
});

test("addresses that nobody can dial are passed over", () => {
  const bytes = encodePeers([told(0, ["/ip4/1.2.3.4/tcp/1"])]);
  const unspecified = bytes.slice();
  unspecified.fill(0, -6, -2);
  assert.deepEqual(decodePeers(unspecified, 1), [told(0, [])]);
  const noPort = bytes.slice();
  noPort.fill(0, -2);
  assert.deepEqual(decodePeers(noPort, 1), [told(0, [])]);
});

test("a peer twice, an address twice, a peer without one, or more than was asked for is no answer", () => {
  assert.equal(decodePeers(encodePeers([told(1), told(1)]), 64), undefined);
  assert.equal(decodePeers(encodePeers([told(1), told(2)]), 1), undefined);
  const address = "/ip4/1.2.3.4/tcp/1";
  assert.equal(decodePeers(encodePeers([told(1, [address, address])]), 64), undefined);
  const without = encodePeers([told(1)]).slice(0, -18);
  assert.equal(decodePeers(without, 64), undefined);
});

test("bytes that are not the one encoding of an answer are none", () => {
  const bytes = encodePeers([told(1), told(2)]);
  for (let length = 1; length < bytes.length; length++)
    assert.equal(decodePeers(bytes.subarray(0, length), 64), undefined, `${length} bytes`);
  const shifted = bytes.slice();
  shifted[0] = 12;
  assert.equal(decodePeers(shifted, 64), undefined);
  assert.equal(decodePeers(new Uint8Array(MAX_PEERS_RESPONSE_BYTES).fill(4), 64), undefined);
});
