import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { transactionToJson } from "../../../src/api/index.ts";
import { createClient, type ReceivedEvent } from "../../../src/client/index.ts";
import { generateKey, signTransaction } from "../../../src/keys/index.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import { ZERO_32 } from "../../../src/primitives/index.ts";
import { startApi, TOKEN } from "../../support/api-server.ts";
import { headEvent } from "../../support/sample-events.ts";
import { ADDRESS, ID_A, ID_B, PEER, stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

const key = generateKey(createSeededRandom(1));
const transfer = (nonce: number) =>
  signTransaction(
    {
      chain: ZERO_32,
      sender: key.publicKey,
      nonce,
      fee: 300,
      expiry: 100,
      action: { selector: 0, value: { to: key.publicKey, amount: 5, memo: new Uint8Array([1, 2]) } },
    },
    key,
  );

/** An HTTP server that is not a node. */
async function impostor(
  t: TestContext,
  answer: (end: (status: number, text: string) => void) => void,
): Promise<string> {
  const server = createServer((_request, response) =>
    answer((status, text) => response.writeHead(status).end(text)),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("client", () => {
  it("has every route as a method", async (t) => {
    const { url, node } = await startApi(t);
    const client = createClient({ url: `${url}/`, token: TOKEN });
    assert.deepEqual(await client.status(), stubStatus);
    assert.equal((await client.genesis())["name"], "devnet");
    for (const list of [
      client.peers(),
      client.tips(),
      client.reorgs({ limit: 3, after: "7" }),
      client.mempool(),
    ]) {
      assert.deepEqual(await list, { items: [], next: null });
    }
    assert.equal((await client.tree(5)).head.height, 12);
    assert.equal((await client.account(ADDRESS)).address, ADDRESS);
    assert.deepEqual((await client.links()).items, [
      { peer: PEER, mode: "refuse", out: null, in: null, untilMs: null },
    ]);
    await client.addPeer("/ip4/127.0.0.1/tcp/4001");
    await assert.rejects(client.removePeer("/ip4/127.0.0.1/tcp/4001"), {
      code: "PEER_NOT_FOUND",
      status: 404,
    });
    await client.refuseLink(PEER);
    await client.healLink(PEER);
    assert.deepEqual((await client.mining({ mode: "blocks", count: 1 })).blocks, [ID_B]);
    await assert.rejects(client.block(99), { code: "BLOCK_NOT_FOUND" });
    await assert.rejects(client.transaction(ID_A), { code: "TRANSACTION_NOT_FOUND" });
    assert.ok(node.calls.includes("reorgs 3 7"));
    assert.ok(node.calls.includes("removePeer /ip4/127.0.0.1/tcp/4001"));
  });

  it("submits one transaction as bytes and many as JSON; a refusal carries the rule", async (t) => {
    const { url } = await startApi(t);
    const client = createClient({ url, token: TOKEN });
    const [good, bad] = [transfer(1), transfer(13)];
    assert.deepEqual(await client.submit(good.bytes), { id: good.txid, accepted: true });
    await assert.rejects(client.submit(bad.bytes), {
      code: "TX-NONCE",
      status: 422,
      details: { id: bad.txid },
    });
    const result = await client.submitBatch([good, bad].map(transactionToJson));
    assert.deepEqual([result.accepted, result.refused], [1, 1]);
    assert.deepEqual(
      result.items.map(({ id }) => id),
      [good.txid, bad.txid],
    );
  });

  it("events arrive typed, and end with the signal", async (t) => {
    const { url, node } = await startApi(t);
    const stop = new AbortController();
    const seen: ReceivedEvent[] = [];
    const reading = (async () => {
      for await (const event of createClient({ url }).events(stop.signal)) seen.push(event);
    })();
    await until("the stream is open", () => {
      node.emit(headEvent());
      return seen.length > 0 || undefined;
    });
    assert.equal(seen[0]?.type, "head");
    assert.deepEqual(seen[0]?.data, headEvent().data);
    stop.abort();
    await reading;
  });

  it("says what to do when nobody answers, another program does, or the answer is late", async (t) => {
    const gone = await startApi(t);
    await gone.close();
    await assert.rejects(createClient({ url: gone.url }).status(), {
      code: "API_UNREACHABLE",
      status: 0,
      message: /no node answers at http:.*connection refused.*cumulo node start/,
    });
    const html = await impostor(t, (end) => end(200, "<html>hello"));
    await assert.rejects(createClient({ url: html }).status(), { code: "API_ANSWER_INVALID" });
    for (const text of ["null", "[1", '"status"', "7"]) {
      const url = await impostor(t, (end) => end(200, text));
      await assert.rejects(createClient({ url }).status(), { code: "API_ANSWER_INVALID" }, text);
    }
    const failing = await impostor(t, (end) => end(502, "bad gateway"));
    await assert.rejects(createClient({ url: failing }).status(), {
      code: "API_ANSWER_INVALID",
      status: 502,
    });
    const silent = await impostor(t, () => {});
    await assert.rejects(createClient({ url: silent, timeoutMs: 50 }).status(), { code: "API_TIMEOUT" });
    const abort = AbortSignal.abort(new Error("enough"));
    await assert.rejects(createClient({ url: silent }).status({ signal: abort }), { message: "enough" });
  });

  it("a changing call without the token is refused", async (t) => {
    const { url } = await startApi(t);
    await assert.rejects(createClient({ url }).mining({ mode: "off" }), {
      code: "TOKEN_REQUIRED",
      status: 401,
    });
  });
});
