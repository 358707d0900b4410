import assert from "node:assert/strict";
import { test } from "node:test";
import { isTcpAddress } from "../../../src/network/index.ts";

for (const [text, expected] of [
  ["/ip4/127.0.0.1/tcp/4001", true],
  ["/dns4/node.example/tcp/1", true],
  ["/ip4/999.0.0.1/tcp/1", false],
  ["/ip4/127.0.0.1/tcp/99999", false],
  ["/ip4/127.0.0.1/udp/4001", false],
  ["127.0.0.1:4001", false],
  ["", false],
] as const) {
  test(`"${text}" is ${expected ? "" : "not "}an address over TCP`, () =>
    assert.equal(isTcpAddress(text), expected));
}
