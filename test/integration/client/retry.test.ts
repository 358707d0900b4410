import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { ApiError, createClient } from "../../../src/client/index.ts";
import { stubStatus } from "../../support/stub-node-service.ts";

/** A server whose answers the test decides; tells what it was asked. */
async function scripted(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const busy = (response: ServerResponse, status: number, details: object = {}): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ code: "CHAIN_BUSY", message: "try again", details }));
};
const ok = (response: ServerResponse): void => {
  response.writeHead(200).end(JSON.stringify(stubStatus));
};

describe("retries of the client", () => {
  it("a reading request is tried again after 503, 502, 429 and a broken connection, until it succeeds", async (t) => {
    const { url, asked } = await scripted(t, (_request, response, nth) => {
      if (nth <= 3) busy(response, [503, 502, 429][nth - 1] ?? 0);
      else if (nth === 4) response.destroy();
      else ok(response);
    });
    const client = createClient({ url, retryForMs: 30_000 });
    assert.deepEqual(await client.status(), stubStatus);
    assert.equal(asked.length, 5);
  });

  it("it waits for as long as the node says", async (t) => {
    let firstMs = 0;
    const { url } = await scripted(t, (_request, response, nth) => {
      if (nth === 1) {
        firstMs = performance.now();
        busy(response, 429, { retryAfterMs: 400 });
      } else ok(response);
    });
    await createClient({ url }).status({ retryForMs: 5_000 });
    assert.ok(performance.now() - firstMs >= 399);
  });

  it("without being told to it tries once, and so it does where the node refuses", async (t) => {
    const { url, asked } = await scripted(t, (request, response) =>
      busy(response, request.url === "/v1/tips" ? 404 : 503),
    );
    await assert.rejects(createClient({ url }).status(), { status: 503 });
    await assert.rejects(createClient({ url, retryForMs: 5_000 }).tips(), { status: 404 });
    assert.deepEqual(asked, ["GET /v1/status", "GET /v1/tips"]);
  });

  it("what changes a node is never sent twice", async (t) => {
    const { url, asked } = await scripted(t, (request, response) => {
      if (request.method === "POST") response.destroy();
      else busy(response, 503);
    });
    const client = createClient({ url, retryForMs: 5_000 });
    await assert.rejects(client.mining({ mode: "off" }), { code: "API_UNREACHABLE" });
    await assert.rejects(client.submit(new Uint8Array(3)), { code: "API_UNREACHABLE" });
    await assert.rejects(client.healLink("p"), { status: 503 });
    await assert.rejects(client.refuseLink("p"), { status: 503 });
    assert.equal(asked.length, 4);
  });

  it("it ends with the last error when the time is over, and before a wait that would be too long", async (t) => {
    const { url, asked } = await scripted(t, (_request, response, nth) =>
      busy(response, 503, nth === 1 ? {} : { retryAfterMs: 60_000 }),
    );
    const startedMs = performance.now();
    await assert.rejects(
      createClient({ url, retryForMs: 2_000 }).status(),
      (error) => error instanceof ApiError && error.details["retryAfterMs"] === 60_000,
    );
    assert.equal(asked.length, 2);
    assert.ok(performance.now() - startedMs < 1_900);
  });

  it("it waits for a node that is not there yet, and stops at once when it is told to", async (t) => {
    const gone = await scripted(t, (_request, response) => ok(response));
    const port = new URL(gone.url).port;
    // A port of nobody: closed again at once.
    const server = createServer((_request, response) => ok(response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: free } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    assert.notEqual(String(free), port);
    const client = createClient({ url: `http://127.0.0.1:${free}`, retryForMs: 20_000 });
    const stop = new AbortController();
    const aborted = assert.rejects(client.status({ signal: stop.signal }), { name: "AbortError" });
    const later = client.status();
    stop.abort();
    await aborted;
    const reborn = createServer((_request, response) => ok(response));
    t.after(() => {
      reborn.closeAllConnections();
      reborn.close();
    });
    await new Promise<void>((resolve) => reborn.listen(free, "127.0.0.1", resolve));
    assert.deepEqual(await later, stubStatus);
  });
});
