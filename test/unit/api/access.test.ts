import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback } from "../../../src/api/access.ts";

test("loopback is known however it is written, and nothing else is taken for it", () => {
  for (const host of ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "0:0:0:0:0:0:0:1"])
    assert.equal(isLoopback(host), true, host);
  for (const host of [
    "0.0.0.0",
    "128.0.0.1",
    "::",
    "::2",
    "2001:db8::1",
    "localhost.example",
    "127.0.0.1.example",
    "",
  ])
    assert.equal(isLoopback(host), false, host);
});
