import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { transactionToJson } from "../../../src/api/index.ts";
import { generateKey, signTransaction } from "../../../src/keys/index.ts";
import { createSeededRandom } from "../../../src/ports/index.ts";
import { ZERO_32 } from "../../../src/primitives/index.ts";
import { startApi, TOKEN } from "../../support/api-server.ts";
import { assertPromised, type OpenApi, readOpenApi } from "../../support/openapi.ts";
import { ADDRESS, ID_A, PEER, type StubNodeService } from "../../support/stub-node-service.ts";

const key = generateKey(createSeededRandom(1));
const sealed = signTransaction(
  {
    chain: ZERO_32,
    sender: key.publicKey,
    nonce: 0,
    fee: 300,
    expiry: 100,
    action: { selector: 0, value: { to: key.publicKey, amount: 5, memo: new Uint8Array() } },
  },
  key,
);
const good = transactionToJson(sealed);
const wrongChecksum = `${ADDRESS.slice(0, -1)}${ADDRESS.endsWith("q") ? "p" : "q"}`;
const action = (change: object) => ({ ...good, action: { ...good.action, ...change } });

interface Case {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly json?: unknown;
  readonly raw?: string | Uint8Array;
  readonly type?: string;
  readonly status: number;
  readonly code: string;
  /** The message names the value and what is allowed. */
  readonly says?: RegExp;
}

const bad = (name: string, path: string, says: RegExp, status = 400, code = "REQUEST_INVALID"): Case => ({
  name,
  path,
  status,
  code,
  says,
});
const post = (name: string, path: string, json: unknown, says: RegExp): Case => ({
  name,
  path,
  json,
  method: "POST",
  status: 400,
  code: "REQUEST_INVALID",
  says,
});

const reading: Case[] = [
  bad(
    "a tree depth that is no number",
    "/v1/tree?depth=abc",
    /depth must be an integer from 1 to 1000, not "abc"/,
  ),
  bad("a tree depth of zero", "/v1/tree?depth=0", /depth must be an integer from 1 to 1000, not 0/),
  bad("a tree depth beyond the bound", "/v1/tree?depth=1001", /not 1001/),
  bad("a negative tree depth", "/v1/tree?depth=-1", /not "-1"/),
  bad("a fractional limit", "/v1/reorgs?limit=1.5", /limit must be an integer from 1 to 1000/),
  bad("an unknown query key", "/v1/mempool?colour=red", /unknown key "colour"; allowed: limit, after/),
  bad("a query key where none is known", "/v1/status?x=1", /unknown key "x"/),
  bad("a query key for the events", "/v1/events?since=1", /unknown key "since"; allowed: kinds/),
  bad("a query key for the metrics", "/metrics?name=x", /unknown key "name"; allowed: none/),
  bad("a cursor nobody handed out", "/v1/reorgs?after=%2e%2e%2f", /after must be a `next` value/),
  bad("the same query key twice", "/v1/tree?depth=1&depth=2", /depth must be/),
  bad(
    "a short block id",
    "/v1/blocks/abc",
    /block must be a block id \(64 lowercase hex digits, or the first 8 or more of them\) or a height, not "abc"/,
  ),
  bad("a block id in capitals", `/v1/blocks/${"A".repeat(64)}`, /64 lowercase/),
  bad(
    "a height beyond all heights",
    "/v1/blocks/999999999999999",
    /no height 9+ yet/,
    404,
    "BLOCK_NOT_FOUND",
  ),
  bad("a negative height", "/v1/blocks/-1", /or a height/),
  bad("a path that tries to climb", "/v1/blocks/..%2f..%2fetc", /or a height/),
  bad("a height that is not there", "/v1/blocks/99", /no height 99/, 404, "BLOCK_NOT_FOUND"),
  bad("a block that is not there", `/v1/blocks/${ID_A}`, /no block a+ is known/, 404, "BLOCK_NOT_FOUND"),
  bad(
    "a transaction id with a 0x",
    `/v1/transactions/0x${"a".repeat(62)}`,
    /id must be 64 lowercase hex digits/,
  ),
  bad(
    "a transaction that is not there",
    `/v1/transactions/${ID_A}`,
    /never saw/,
    404,
    "TRANSACTION_NOT_FOUND",
  ),
  bad("an address of another kind", "/v1/accounts/bc1qxyz", /address must be an address: cum1/),
  bad("an address with a wrong checksum", `/v1/accounts/${wrongChecksum}`, /wrong checksum/),
  bad("a path nobody serves", "/v1/nothing", /\/v1\/nothing/, 404, "ROUTE_NOT_FOUND"),
  bad("a path with broken percent-encoding", "/v1/blocks/%zz", /percent-encoding/, 400, "URL_INVALID"),
  bad("an endless path part", `/v1/blocks/${"a".repeat(2_000)}`, /./, 414, "URL_INVALID"),
];

const changing: Case[] = [
  post(
    "an unknown mining mode",
    "/v1/mining",
    { mode: "fast" },
    /mode must be one of off, continuous, blocks, not "fast"/,
  ),
  post("mining without a mode", "/v1/mining", {}, /mode must be one of .* not missing/),
  post("mining a list", "/v1/mining", [1], /must be a JSON object/),
  post("mining null", "/v1/mining", null, /must be a JSON object/),
  post(
    "zero blocks",
    "/v1/mining",
    { mode: "blocks", count: 0 },
    /count must be an integer from 1 to 10000, not 0/,
  ),
  post("too many blocks", "/v1/mining", { mode: "blocks", count: 10_001 }, /count must be .* not 10001/),
  post("a count as text", "/v1/mining", { mode: "blocks", count: "5" }, /count must be .* not "5"/),
  post("no count", "/v1/mining", { mode: "blocks" }, /count must be .* not missing/),
  post("a count for off", "/v1/mining", { mode: "off", count: 1 }, /unknown key "count"/),
  post(
    "a hash rate of zero",
    "/v1/mining",
    { mode: "continuous", hashRate: 0 },
    /hashRate must be tries a second/,
  ),
  post(
    "an unknown mining key",
    "/v1/mining",
    { mode: "continuous", speed: 1 },
    /unknown key "speed"; allowed: mode, hashRate/,
  ),
  post("a peer without an address", "/v1/peers", {}, /address must be a multiaddr .* not missing/),
  post(
    "a peer that is a host and port",
    "/v1/peers",
    { address: "localhost:4001" },
    /address must be a multiaddr/,
  ),
  post("a peer over UDP", "/v1/peers", { address: "/ip4/127.0.0.1/udp/1" }, /address must be a multiaddr/),
  post("a peer with more keys", "/v1/peers", { address: "/ip4/127.0.0.1/tcp/1", x: 1 }, /unknown key "x"/),
  post(
    "a transaction that is text",
    "/v1/transactions",
    "hello",
    /must be a transaction object, not "hello"/,
  ),
  post("an empty transaction", "/v1/transactions", {}, /chain must be 64 lowercase hex digits, not missing/),
  post("a transaction with another key", "/v1/transactions", { ...good, gas: 1 }, /unknown key "gas"/),
  post(
    "a negative fee",
    "/v1/transactions",
    { ...good, fee: -1 },
    /fee must be an amount in base units.* not -1/,
  ),
  post("a fractional fee", "/v1/transactions", { ...good, fee: 1.5 }, /fee must be .* not 1.5/),
  post("a fee beyond 2^53", "/v1/transactions", { ...good, fee: 2 ** 53 }, /fee must be/),
  post(
    "a zero amount",
    "/v1/transactions",
    action({ amount: 0 }),
    /action\.amount must be .* from 1 .* not 0/,
  ),
  post("an amount as text", "/v1/transactions", action({ amount: "5" }), /action\.amount must be .* not "5"/),
  post(
    "another action",
    "/v1/transactions",
    action({ kind: "mint" }),
    /action\.kind must be "transfer", not "mint"/,
  ),
  post(
    "a memo of 65 bytes",
    "/v1/transactions",
    action({ memo: "00".repeat(65) }),
    /action\.memo must be at most 64 bytes/,
  ),
  post(
    "a recipient with a wrong checksum",
    "/v1/transactions",
    action({ to: wrongChecksum }),
    /action\.to .* wrong checksum/,
  ),
  post(
    "a short signature",
    "/v1/transactions",
    { ...good, signature: "00" },
    /signature must be 128 lowercase hex digits/,
  ),
  post(
    "an empty batch",
    "/v1/transactions",
    { transactions: [] },
    /list of 1 to 1000 transactions, not 0 items/,
  ),
  post("a batch of 1,001", "/v1/transactions", { transactions: Array(1_001).fill(good) }, /not 1001 items/),
  post(
    "a bad one in a batch",
    "/v1/transactions",
    { transactions: [good, { ...good, nonce: -1 }] },
    /transactions\[1\]\.nonce must be/,
  ),
  post("a batch with another key", "/v1/transactions", { transactions: [good], x: 1 }, /unknown key "x"/),
  {
    name: "bytes that are no transaction",
    path: "/v1/transactions",
    raw: new Uint8Array(100),
    type: "application/octet-stream",
    status: 400,
    code: "REQUEST_INVALID",
    says: /100 bytes are not the SSZ form/,
  },
  {
    name: "a transaction cut off by a byte",
    path: "/v1/transactions",
    raw: sealed.bytes.slice(0, -1),
    type: "application/octet-stream",
    status: 400,
    code: "REQUEST_INVALID",
  },
  {
    name: "broken JSON",
    path: "/v1/mining",
    raw: '{"mode":',
    status: 400,
    code: "BODY_INVALID",
    says: /not valid JSON/,
  },
  { name: "an empty body", path: "/v1/mining", raw: "", status: 400, code: "BODY_INVALID", says: /empty/ },
  {
    name: "a prototype in a body",
    path: "/v1/mining",
    raw: '{"mode":"off","__proto__":{"x":1}}',
    status: 400,
    code: "BODY_INVALID",
  },
  {
    name: "a body of another type",
    path: "/v1/mining",
    raw: "mode=off",
    type: "application/x-www-form-urlencoded",
    status: 415,
    code: "CONTENT_TYPE_UNSUPPORTED",
    says: /application\/json/,
  },
  {
    name: "plain text",
    path: "/v1/mining",
    raw: "off",
    type: "text/plain",
    status: 415,
    code: "CONTENT_TYPE_UNSUPPORTED",
  },
  {
    name: "a huge body",
    path: "/v1/mining",
    raw: `"${"x".repeat(100_000)}"`,
    status: 413,
    code: "BODY_TOO_LARGE",
    says: /at most 65536 bytes/,
  },
  {
    name: "a huge batch",
    path: "/v1/transactions",
    raw: `"${"x".repeat(3_000_000)}"`,
    status: 413,
    code: "BODY_TOO_LARGE",
    says: /at most 2097152 bytes/,
  },
  {
    name: "a huge transaction in bytes",
    path: "/v1/transactions",
    raw: new Uint8Array(3_000_000),
    type: "application/octet-stream",
    status: 413,
    code: "BODY_TOO_LARGE",
  },
  {
    name: "bytes where JSON belongs",
    path: "/v1/mining",
    raw: new Uint8Array(4),
    type: "application/octet-stream",
    status: 415,
    code: "CONTENT_TYPE_UNSUPPORTED",
  },
  {
    name: "a link mode of tomorrow",
    path: `/v1/links/${PEER}`,
    method: "PUT",
    json: { mode: "delay" },
    status: 400,
    code: "REQUEST_INVALID",
    says: /mode must be one of refuse, shape, not "delay"/,
  },
  {
    name: "a link to nobody",
    path: "/v1/links/x",
    method: "PUT",
    json: { mode: "refuse" },
    status: 400,
    code: "REQUEST_INVALID",
    says: /peer must be a peer's name/,
  },
  {
    name: "a link given up to nobody",
    path: "/v1/links/!",
    method: "DELETE",
    status: 400,
    code: "REQUEST_INVALID",
  },
  {
    name: "removing what is no peer",
    path: "/v1/peers/hello",
    method: "DELETE",
    status: 400,
    code: "REQUEST_INVALID",
    says: /name or a multiaddr, not "hello"/,
  },
  {
    name: "removing an unknown peer",
    path: `/v1/peers/${encodeURIComponent("/ip4/1.2.3.4/tcp/5")}`,
    method: "DELETE",
    status: 404,
    code: "PEER_NOT_FOUND",
    says: /\/ip4\/1\.2\.3\.4\/tcp\/5/,
  },
  {
    name: "the wrong method",
    path: "/v1/status",
    method: "DELETE",
    status: 405,
    code: "METHOD_NOT_ALLOWED",
    says: /allowed: .*GET/,
  },
  {
    name: "the wrong method with a parameter",
    path: `/v1/blocks/${ID_A}`,
    method: "POST",
    json: {},
    status: 405,
    code: "METHOD_NOT_ALLOWED",
  },
];

describe("API: bad input", () => {
  let api: { url: string; node: StubNodeService };
  let document: OpenApi;
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    api = await startApi({ after: (fn) => void cleanups.push(fn as () => unknown) });
    document = await readOpenApi(api.url);
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  async function check({ path, method, json, raw, type, status, code, says }: Case): Promise<void> {
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` };
    if (body !== undefined) headers["content-type"] = type ?? "application/json";
    const response = await fetch(`${api.url}${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      ...(body === undefined ? {} : { body: body as string | Uint8Array<ArrayBuffer> }),
    });
    const text = await response.text();
    assert.equal(response.status, status, text);
    const answer = JSON.parse(text) as { code: string; message: string; details: object };
    assert.deepEqual(Object.keys(answer).sort(), ["code", "details", "message"], text);
    assert.equal(answer.code, code);
    const ofNoRoute = ["ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED"].includes(code) || status === 414;
    const contentType = response.headers.get("content-type") ?? "";
    const request = {
      method: method ?? (body === undefined ? "GET" : "POST"),
      path: path.split("?")[0] ?? "",
    };
    if (!ofNoRoute) assertPromised(document, request, { status, contentType, text });
    if (says !== undefined) assert.match(answer.message, says);
    assert.ok(
      !answer.message.includes("\n") && !/\bat .*\.ts:/.test(text),
      `one line without a stack: ${text}`,
    );
  }

  for (const oneCase of [...reading, ...changing]) {
    it(`${oneCase.name} is refused with ${oneCase.code}`, async () => {
      await check(oneCase);
      const harmless = api.node.calls.filter((call) => !call.startsWith("removePeer /ip4/1.2.3.4"));
      assert.deepEqual(harmless, [], "nothing was asked of the node");
    });
  }
});
