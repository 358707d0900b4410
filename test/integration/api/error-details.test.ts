import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startApi, TOKEN } from "../../support/api-server.ts";

describe("API: what an error tells programs", () => {
  let api: { url: string };
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    api = await startApi({ after: (fn) => void cleanups.push(fn as () => unknown) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const details: readonly [what: string, path: string, init: RequestInit, details: object][] = [
    ["a number out of range", "/v1/tree?depth=0", {}, { at: "depth", value: 0, minimum: 1, maximum: 1_000 }],
    [
      "a choice",
      "/v1/mining",
      { method: "POST", body: '{"mode":"fast"}' },
      { at: "mode", value: "fast", allowed: ["off", "continuous", "blocks"] },
    ],
    [
      "an unknown key",
      "/v1/mempool?colour=red",
      {},
      { at: "", unknown: "colour", allowed: ["limit", "after"] },
    ],
    [
      "a long value, which is not repeated",
      "/v1/peers",
      { method: "POST", body: JSON.stringify({ address: "x".repeat(100), more: undefined }) },
      { at: "address", pattern: "PATTERN" },
    ],
    ["a body too large", "/v1/mining", { method: "POST", body: " ".repeat(70_000) }, { maxBytes: 65_536 }],
    ["a block that is not there", "/v1/blocks/99", {}, { block: "99" }],
    ["the beginning of no block's id", "/v1/blocks/00000000", {}, { block: "00000000" }],
    ["the beginning of no transaction's id", "/v1/transactions/0123abcd", {}, { id: "0123abcd" }],
    ["a path nobody serves", "/v1/nothing", {}, { path: "/v1/nothing" }],
  ];
  for (const [what, path, init, expected] of details) {
    it(`details tell programs of ${what}`, async () => {
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
      const response = await fetch(`${api.url}${path}`, { ...init, headers: init.body ? headers : {} });
      const body = (await response.json()) as { details: Record<string, unknown> };
      const told = "pattern" in body.details ? { ...body.details, pattern: "PATTERN" } : body.details;
      assert.deepEqual(told, expected);
    });
  }

  it("a method that a route does not have is told to everybody, what needs the token is not", async () => {
    const wrongMethod = await fetch(`${api.url}/v1/status`, { method: "DELETE" });
    assert.equal(wrongMethod.status, 405);
    assert.equal(wrongMethod.headers.get("allow"), "GET, HEAD");
    assert.deepEqual(((await wrongMethod.json()) as { details: object }).details, {
      method: "DELETE",
      allowed: ["GET", "HEAD"],
    });
    for (const [method, path] of [
      ["POST", "/v1/mining"],
      ["POST", "/v1/nothing"],
      ["DELETE", "/v1/peers/x"],
    ])
      assert.equal((await fetch(`${api.url}${path}`, { method: method ?? "" })).status, 401, path);
  });
});
