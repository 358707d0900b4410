import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { API_ERRORS } from "../../../src/api/index.ts";
import { startApi } from "../../support/api-server.ts";
import { assertFits, readOpenApi } from "../../support/openapi.ts";

const SOURCE = fileURLToPath(new URL("../../../src/", import.meta.url));

/** The contract's routes; what a later version adds comes here with it. */
const ROUTES = [
  "GET /v1/status",
  "GET /v1/genesis",
  "GET /v1/peers",
  "POST /v1/peers",
  "DELETE /v1/peers/{peer}",
  "GET /v1/tips",
  "GET /v1/tree",
  "GET /v1/reorgs",
  "GET /v1/timeline",
  "GET /v1/mempool",
  "GET /v1/blocks/{block}",
  "POST /v1/blocks/{block}/invalidate",
  "POST /v1/blocks/{block}/reconsider",
  "GET /v1/transactions/{id}",
  "POST /v1/transactions",
  "GET /v1/accounts/{address}",
  "GET /v1/accounts/{address}/proof",
  "GET /v1/accounts/{address}/history",
  "POST /v1/mining",
  "POST /v1/backup",
  "POST /v1/attack/release",
  "GET /v1/doctor",
  "GET /v1/links",
  "PUT /v1/links/{peer}",
  "DELETE /v1/links/{peer}",
  "GET /v1/bans",
  "PUT /v1/bans/{peer}",
  "DELETE /v1/bans/{peer}",
  "GET /v1/events",
  "GET /metrics",
];

describe("OpenAPI", () => {
  it("has every route of the contract, and no other", async (t) => {
    const { url } = await startApi(t);
    const { paths } = await readOpenApi(url);
    const found = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual(found.toSorted(), ROUTES.toSorted());
  });

  it("every route has a summary, an example of each body and answer that fits its schema, and its errors by status", async (t) => {
    const { url } = await startApi(t);
    const { paths } = await readOpenApi(url);
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { summary, requestBody, responses }] of Object.entries(operations)) {
        const route = `${method} ${path}`;
        assert.match(summary ?? "", /^[A-Z].{9,}/, route);
        const bodies = requestBody?.content["application/json"];
        if (requestBody !== undefined) assert.notEqual(Object.keys(bodies?.examples ?? {}).length, 0, route);
        for (const [name, { value }] of Object.entries(bodies?.examples ?? {}))
          assertFits(bodies?.schema, value, `${route}: request ${name}`);
        assert.ok(responses["200"] !== undefined && responses["429"] !== undefined, route);
        for (const [status, { content }] of Object.entries(responses)) {
          assert.notEqual(Object.keys(content ?? {}).length, 0, `${route} ${status}`);
          for (const [type, { schema, examples }] of Object.entries(content ?? {})) {
            assert.notEqual(Object.keys(examples ?? {}).length, 0, `${route} ${status} ${type}`);
            for (const [name, { value }] of Object.entries(examples ?? {}))
              assertFits(schema, value, `${route} ${status}: ${name}`);
          }
        }
      }
  });

  it("every code that the API or the node answers with is one of a route, or of none in particular", async (t) => {
    const { url } = await startApi(t);
    const promised = JSON.stringify(await readOpenApi(url));
    const files = ["api", "node", "miner"].flatMap((room) =>
      readdirSync(join(SOURCE, room), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts") && name !== "error-codes.ts")
        .map((name) => readFileSync(join(SOURCE, room, name), "utf8")),
    );
    const source = files.join("\n");
    const thrown = [...source.matchAll(/(?:new ServiceError|new MinerError|notFound)\(\s*"([A-Z_]+)"/g)];
    assert.ok(thrown.length > 20);
    for (const [, code = ""] of thrown) assert.ok(Object.hasOwn(API_ERRORS, code), `${code} has no example`);
    // Of paths that are no route, and of methods that a route does not have, no route can tell; the page is none of them.
    const ofNone = ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "DASHBOARD_NOT_BUILT"];
    for (const code of Object.keys(API_ERRORS)) {
      assert.ok(source.includes(`"${code}"`), `${code} is never answered`);
      assert.ok(ofNone.includes(code) || promised.includes(`"${code}"`), `no route promises ${code}`);
    }
  });
});
