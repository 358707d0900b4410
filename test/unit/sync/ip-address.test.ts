import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  endpointOf,
  formatEndpoint,
  formatIp,
  isMeantFor,
  parseEndpoint,
  parseIp,
  reachOf,
} from "../../../src/sync/index.ts";

const canonical = (text: string) => {
  const bytes = parseIp(text);
  return bytes === undefined ? undefined : formatIp(bytes);
};
const reach = (text: string) => reachOf(parseIp(text) ?? new Uint8Array(16));

test("an address has one text, whatever way it is written", () => {
  for (const [text, expected] of [
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:0102:0304", "1.2.3.4"],
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
  ] as const)
    assert.equal(canonical(text), expected, text);
});

test("every address survives the way through its text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(parseIp(formatIp(bytes)), new Uint8Array(bytes));
    }),
  );
});

test("what is no address is none", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
  ])
    assert.equal(parseIp(text), undefined, text);
  for (const text of [
    "1::2::3",
    ":::",
    "fe80::1%eth0",
    "g::1",
    "12345::1",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7::8",
  ])
    assert.equal(parseIp(text), undefined, text);
});

test("an address reaches this machine, a private network or everybody; what nobody can dial reaches nobody", () => {
  for (const text of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    assert.equal(reach(text), "loopback", text);
  for (const text of [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.1.1",
    "100.64.0.1",
    "fd00::1",
  ])
    assert.equal(reach(text), "private", text);
  for (const text of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860::8888"])
    assert.equal(reach(text), "public", text);
  for (const text of [
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "ff02::1",
    "fe80::1",
    "2002:7f00:1::1",
    "64:ff9b::1",
  ])
    assert.equal(reach(text), undefined, text);
});

test("one is told addresses that mean the same where one is", () => {
  assert.deepEqual(
    (["loopback", "private", "public"] as const).map((peer) =>
      (["loopback", "private", "public"] as const).filter((address) => isMeantFor(address, peer)),
    ),
    [["loopback", "private", "public"], ["private", "public"], ["public"]],
  );
});

test("an endpoint is an IP address with a TCP port, and of a public one the network that one party may hold", () => {
  const endpoint = parseEndpoint(
    "/ip4/81.2.69.142/tcp/4001/p2p/12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT",
  );
  assert.deepEqual(endpoint, { ip: "81.2.69.142", port: 4_001, reach: "public", group: "ip4:81.2" });
  assert.equal(
    parseEndpoint("/ip6/2001:db8:1::1/tcp/1")?.group,
    parseEndpoint("/ip6/2001:db8:2::1/tcp/1")?.group,
  );
  assert.notEqual(parseEndpoint("/ip4/10.1.0.1/tcp/1")?.group, parseEndpoint("/ip4/10.1.0.2/tcp/1")?.group);
  assert.equal(formatEndpoint({ ip: "2001:db8::1", port: 7 }), "/ip6/2001:db8::1/tcp/7");
  for (const wrong of [
    "/ip4/1.2.3.4",
    "/ip4/1.2.3.4/tcp/0",
    "/ip4/1.2.3.4/tcp/65536",
    "/ip4/1.2.3.4/udp/1",
    "/ip4/1.2.3.4/tcp/1/ws",
    "/ip6/1.2.3.4/tcp/1",
    "/ip4/::1/tcp/1",
    "/ip4/0.0.0.0/tcp/1",
    "/dns4/example.org/tcp/1",
    "",
  ])
    assert.equal(parseEndpoint(wrong), undefined, wrong);
  assert.equal(endpointOf(parseIp("1.2.3.4") as Uint8Array, 0), undefined);
});
