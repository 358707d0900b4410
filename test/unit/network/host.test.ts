import assert from "node:assert/strict";
import { test } from "node:test";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { createListening } from "../../../src/network/host.ts";

test("a public address that the node listens on is told to others like all, and what others say they saw is not", () => {
  const addresses = [
    { multiaddr: multiaddr("/ip4/127.0.0.1/tcp/4001"), verified: true, type: "transport" },
    { multiaddr: multiaddr("/ip4/20.1.1.1/tcp/4001"), verified: false, type: "transport" },
    { multiaddr: multiaddr("/ip4/20.2.2.2/tcp/50000"), verified: false, type: "observed" },
  ];
  const confirmed: string[] = [];
  const addressManager = {
    getAddressesWithMetadata: () => addresses,
    confirmObservedAddr: (address: Multiaddr) => void confirmed.push(address.toString()),
  };
  createListening({ addressManager }).announceAll();
  assert.deepEqual(confirmed, ["/ip4/20.1.1.1/tcp/4001"]);
});
