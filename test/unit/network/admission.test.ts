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

test("an address that nobody would dial is one host too, at whatever port, and one of a link is shared", () => {
  for (const ip of ["/ip6/2002:102:304::1", "/ip4/240.0.0.1", "/ip6/64:ff9b::102:304"]) {
    assert.equal(hostOf(multiaddr(`${ip}/tcp/1`)).host, hostOf(multiaddr(`${ip}/tcp/2`)).host);
    assert.equal(isLocal(ip), false);
  }
  assert.deepEqual(["/ip6/fe80::1", "/ip6/febf::1", "/ip6/fec0::1"].map(isLocal), [true, true, false]);
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
