import assert from "node:assert/strict";
import { test } from "node:test";
import { isDialable, isPeerName, isTcpAddress } from "../../../src/network/index.ts";

for (const [text, expected] of [
  ["/ip4/127.0.0.1/tcp/4001", true],
  ["/dns4/node.example/tcp/1", true],
  ["/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1NkJ", true],
  ["/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1Nk", false],
  ["/ip4/127.0.0.1/tcp/4001/p2p/11111111111111111111", false],
  ["/ip4/999.0.0.1/tcp/1", false],
  ["/ip4/127.0.0.1/tcp/99999", false],
  ["/ip4/127.0.0.1/udp/4001", false],
  ["127.0.0.1:4001", false],
  ["", false],
] as const) {
  test(`"${text}" is ${expected ? "" : "not "}an address over TCP`, () =>
    assert.equal(isTcpAddress(text), expected));
}

test("an address without a port can be listened on, not dialled", () => {
  assert.deepEqual(["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/1"].map(isTcpAddress), [true, true]);
  assert.deepEqual(["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/1"].map(isDialable), [false, true]);
});

test("a peer's name is a whole peer id, and nothing that only looks like one", () => {
  const name = "12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1NkJ";
  assert.equal(isPeerName(name), true);
  for (const wrong of [`${name}k`, name.slice(1), "1".repeat(40), "", "zoe"])
    assert.equal(isPeerName(wrong), false, wrong);
});
