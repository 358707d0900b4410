import assert from "node:assert/strict";
import { test } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import { hostOf } from "../../../src/network/admission.ts";

const host = (address: string) => hostOf(multiaddr(`${address}/tcp/4001`)).host;
const isLocal = (address: string) => hostOf(multiaddr(`${address}/tcp/4001`)).isLocal;

test("an IPv4 address is one host, an IPv6 network of 64 bits is one host", () => {
  assert.equal(hostOf(multiaddr("/ip4/1.2.3.4/tcp/1")).host, hostOf(multiaddr("/ip4/1.2.3.4/tcp/2")).host);
  assert.notEqual(host("/ip4/1.2.3.4"), host("/ip4/1.2.3.5"));
  assert.equal(host("/ip6/2001:db8:0:1::1"), host("/ip6/2001:db8:0:1:ffff::2"));
  assert.notEqual(host("/ip6/2001:db8:0:1::1"), host("/ip6/2001:db8:0:2::1"));
});

test("an IPv4 address behind a socket for both kinds is the same host, not a part of one great one", () => {
  assert.equal(host("/ip6/::ffff:1.2.3.4"), host("/ip4/1.2.3.4"));
  assert.notEqual(host("/ip6/::ffff:1.2.3.4"), host("/ip6/::ffff:1.2.3.5"));
});

test("loopback and private networks are told in each of their forms, because many nodes share them", () => {
  assert.deepEqual(
    [
      "/ip4/127.0.0.1",
      "/ip4/127.8.8.8",
      "/ip6/::1",
      "/ip6/::ffff:127.0.0.1",
      "/ip4/10.1.2.3",
      "/ip6/fd00::1",
    ].map(isLocal),
    [true, true, true, true, true, true],
  );
  assert.deepEqual(["/ip4/126.0.0.1", "/ip6/::2", "/ip6/2001:db8::1"].map(isLocal), [false, false, false]);
});
