import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, it } from "node:test";
import { ServiceError } from "../../../src/api/index.ts";
import { ChainError } from "../../../src/chain/index.ts";
import { startApi, TOKEN } from "../../support/api-server.ts";
import { ID_A, ID_B, PEER, stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

const bearer = { authorization: `Bearer ${TOKEN}` };
const json = { "content-type": "application/json" };

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** With a Host header of our choice, which fetch does not allow. */
function getAs(
  url: string,
  host: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; code: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers: { ...headers, host } }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, code: (JSON.parse(text) as { code?: string }).code ?? "" });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

describe("API server", () => {
  it("answers status and lists, and hands page sizes and cursors to the node", async (t) => {
    const { url, node } = await startApi(t);
    assert.deepEqual((await get(`${url}/v1/status`)).body, stubStatus);
    assert.deepEqual((await get(`${url}/v1/peers`)).body, { items: [], next: null });
    await get(`${url}/v1/tree?depth=7`);
    await get(`${url}/v1/mempool?limit=5&after=abc-1`);
    assert.deepEqual(node.calls, ["tree 7 5000 -", "mempool 5 abc-1"]);
  });

  it("takes commands with the token: mining, peers, links, bans", async (t) => {
    const { url, node } = await startApi(t);
    const send = async (method: string, path: string, body?: unknown) => {
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      const headers = body === undefined ? bearer : { ...bearer, ...json };
      const response = await fetch(`${url}${path}`, { method, headers, ...init });
      assert.equal(response.status, 200);
      return (await response.json()) as Record<string, unknown>;
    };
    assert.deepEqual((await send("POST", "/v1/mining", { mode: "blocks", count: 2 }))["blocks"], [
      ID_B,
      ID_B,
    ]);
    await send("POST", "/v1/mining", { mode: "continuous", hashRate: 50 });
    await send("POST", "/v1/mining", { mode: "off" });
    await send("POST", "/v1/peers", { address: "/ip4/127.0.0.1/tcp/4001" });
    await send("DELETE", `/v1/peers/${PEER}`);
    await send("PUT", `/v1/links/${PEER}`, { mode: "refuse" });
    await send("DELETE", `/v1/links/${PEER}`);
    await send("PUT", `/v1/bans/${PEER}`, { forMs: 5_000, reason: "spam" });
    await send("DELETE", `/v1/bans/${PEER}`);
    const expected = ["mineBlocks 2", "mineContinuously 50", "stopMining", "addPeer /ip4/127.0.0.1/tcp/4001"];
    assert.deepEqual(node.calls, [
      ...expected,
      `removePeer ${PEER}`,
      `setLink ${PEER} {"mode":"refuse"}`,
      `healLink ${PEER}`,
      `ban ${PEER} 5000 spam`,
      `unban ${PEER}`,
    ]);
  });

  it("changing needs the right token; reading on loopback needs none", async (t) => {
    const { url, node } = await startApi(t);
    const body = JSON.stringify({ mode: "off" });
    const attempts: [Record<string, string>, string][] = [
      [json, "TOKEN_REQUIRED"],
      [{ ...json, authorization: "Bearer wrong" }, "TOKEN_WRONG"],
      [{ ...json, authorization: `Basic ${TOKEN}` }, "TOKEN_WRONG"],
      [{ ...json, authorization: `Bearer ${TOKEN} x` }, "TOKEN_WRONG"],
    ];
    for (const [headers, code] of attempts) {
      const response = await fetch(`${url}/v1/mining`, { method: "POST", headers, body });
      assert.equal(response.status, 401);
      assert.equal(((await response.json()) as { code: string }).code, code);
    }
    assert.deepEqual(node.calls, []);
    assert.equal((await get(`${url}/v1/status`)).status, 200);
  });

  it("a name that a web page could point at us is not served, except to who has the token", async (t) => {
    const { url } = await startApi(t, {}, { hostNames: ["node1"] });
    const path = `${url}/v1/status`;
    for (const host of [
      "localhost",
      "localhost:7070",
      "127.0.0.1:1",
      "[::1]:7070",
      "node1:7070",
      "LOCALHOST",
    ]) {
      assert.equal((await getAs(path, host)).status, 200, host);
    }
    for (const host of [
      "evil.example",
      "evil.example:7070",
      "localhost.evil.example",
      "10.1.2.3",
      "a@localhost",
      "[::2]",
    ]) {
      assert.deepEqual(await getAs(path, host), { status: 421, code: "HOST_NOT_SERVED" }, host);
    }
    assert.equal((await getAs(path, "evil.example", bearer)).status, 200);
  });

  it("on other addresses reading needs the token too, unless it is opened", async (t) => {
    const closed = await startApi(t, {}, { host: "0.0.0.0" });
    const path = "/v1/status";
    const local = (url: string) => url.replace("0.0.0.0", "127.0.0.1") + path;
    assert.deepEqual((await get(local(closed.url))).body["code"], "TOKEN_REQUIRED");
    assert.equal((await get(local(closed.url), bearer)).status, 200);
    const open = await startApi(t, {}, { host: "0.0.0.0", apiRead: "open" });
    assert.equal((await get(local(open.url))).status, 200);
    assert.equal((await getAs(local(open.url), "192.168.1.5:7070")).status, 200);
    assert.equal((await getAs(local(open.url), "evil.example")).status, 421);
  });

  it("a failure of the node is told by its code; an unforeseen one without details", async (t) => {
    const { url } = await startApi(t, {
      tips: async () => {
        throw new ServiceError("NODE_SYNCING", 503, "the node is syncing; try later", {
          details: { height: 5 },
        });
      },
      status: async () => {
        throw new Error("secret path /home/x");
      },
      reorgs: async () => {
        const message = "the chain stopped: the disk is full; make room";
        throw new ChainError("CHAIN_STOPPED", message);
      },
    });
    const stopped = { code: "CHAIN_STOPPED", message: "the chain stopped: the disk is full; make room" };
    assert.deepEqual(await get(`${url}/v1/reorgs`), { status: 503, body: { ...stopped, details: {} } });
    const body = { code: "NODE_SYNCING", message: "the node is syncing; try later", details: { height: 5 } };
    assert.deepEqual(await get(`${url}/v1/tips`), { status: 503, body });
    const internal = await get(`${url}/v1/status`);
    assert.equal(internal.status, 500);
    assert.equal(internal.body["code"], "INTERNAL");
    assert.ok(!JSON.stringify(internal.body).includes("secret"));
  });

  it("counted mining ends at its deadline with what it has", async (t) => {
    const { url } = await startApi(t, {
      mineBlocks: (_count, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve([ID_A]), { once: true })),
    });
    const body = JSON.stringify({ mode: "blocks", count: 3, timeoutMs: 30 });
    const response = await fetch(`${url}/v1/mining`, {
      method: "POST",
      headers: { ...bearer, ...json },
      body,
    });
    assert.equal(response.status, 504);
    const answer = (await response.json()) as { code: string; message: string; details: object };
    assert.equal(answer.code, "MINING_TIMEOUT");
    assert.match(answer.message, /1 of 3 blocks/);
    assert.deepEqual(answer.details, { blocks: [ID_A] });
  });

  it("counted mining ends when its client goes away", async (t) => {
    let aborted = false;
    const { url } = await startApi(t, {
      mineBlocks: (_count, signal) =>
        new Promise((resolve) =>
          signal.addEventListener("abort", () => {
            aborted = true;
            resolve([]);
          }),
        ),
    });
    const client = new AbortController();
    const body = JSON.stringify({ mode: "blocks", count: 3 });
    const init = { method: "POST", headers: { ...bearer, ...json }, body, signal: client.signal };
    const asked = fetch(`${url}/v1/mining`, init).catch(() => "gone");
    setTimeout(() => client.abort(), 50);
    assert.equal(await asked, "gone");
    await until("the node is told", () => aborted || undefined);
  });

  it("a busy port is an error that names it", async (t) => {
    const { url } = await startApi(t);
    const { port } = new URL(url);
    const message = new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use`);
    await assert.rejects(startApi(t, {}, { port: Number(port) }), { code: "API_PORT_BUSY", message });
  });

  it("OpenAPI lists every route with its error form, and metrics tell of the requests", async (t) => {
    const { url } = await startApi(t);
    const { body } = await get(`${url}/openapi.json`);
    const paths = Object.keys(body["paths"] as object);
    for (const path of [
      "/v1/status",
      "/v1/blocks/{block}",
      "/v1/transactions",
      "/v1/transactions/{id}",
      "/v1/events",
      "/v1/mining",
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^cumulo_api_streams 0$/m);
    assert.match(metrics, /cumulo_api_request_seconds_count\{.*route="\/openapi.json"/);
  });
});
