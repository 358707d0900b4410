import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, it, type TestContext } from "node:test";
import { MAX_CONNECTIONS_PER_ADDRESS } from "../../../src/api/connection-limits.ts";
import { startApi, TOKEN } from "../../support/api-server.ts";
import { until } from "../../support/until.ts";

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly code: string;
}

/** Sends bytes as they are and reads until the server closes. */
async function raw(t: Pick<TestContext, "after">, url: string, text: string): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  const [headers = "", body = ""] = answer.split("\r\n\r\n");
  const code = body.startsWith("{") ? (JSON.parse(body) as { code?: string }).code : undefined;
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(headers)?.[1] ?? 0), headers, code: code ?? "" };
}

const request = (target: string, headers: readonly string[], version = "1.1", method = "GET"): string =>
  [`${method} ${target} HTTP/${version}`, ...headers, "Connection: close", "", ""].join("\r\n");

describe("API: whose requests are served", () => {
  const served: readonly (readonly [what: string, text: string])[] = [
    ["localhost", request("/v1/status", ["Host: localhost:7070"])],
    ["capitals", request("/v1/status", ["HOST: LocalHost"])],
    ["an IPv6 literal", request("/v1/status", ["Host: [::1]:7070"])],
    ["an IPv6 literal in another form", request("/v1/status", ["Host: [0:0:0:0:0:0:0:1]"])],
    ["HTTP/1.0 with a host", request("/v1/status", ["Host: 127.0.0.1"], "1.0")],
    ["a target with our name", request("http://localhost:7070/v1/status", ["Host: localhost"])],
  ];
  for (const [what, text] of served)
    it(`${what} is served`, async (t) => {
      const { url } = await startApi(t);
      assert.equal((await raw(t, url, text)).status, 200);
    });

  const refused: readonly (readonly [what: string, text: string, status: number, code: string])[] = [
    ["another name", request("/v1/status", ["Host: evil.example"]), 421, "HOST_NOT_SERVED"],
    ["a name with a dot at its end", request("/v1/status", ["Host: localhost."]), 421, "HOST_NOT_SERVED"],
    [
      "a name that begins like ours",
      request("/v1/status", ["Host: 127.0.0.1.nip.io"]),
      421,
      "HOST_NOT_SERVED",
    ],
    ["an address as one number", request("/v1/status", ["Host: 2130706433"]), 421, "HOST_NOT_SERVED"],
    ["an IPv6 literal with a zone", request("/v1/status", ["Host: [::1%25lo]"]), 421, "HOST_NOT_SERVED"],
    ["an empty host", request("/v1/status", ["Host:"]), 421, "HOST_NOT_SERVED"],
    ["HTTP/1.0 without a host", request("/v1/status", [], "1.0"), 421, "HOST_NOT_SERVED"],
    ["two hosts", request("/v1/status", ["Host: localhost", "Host: evil.example"]), 421, "HOST_NOT_SERVED"],
    [
      "two hosts, ours last",
      request("/v1/status", ["Host: evil.example", "host: localhost"]),
      421,
      "HOST_NOT_SERVED",
    ],
    [
      "a target with another host than Host",
      request("http://evil.example/v1/status", ["Host: localhost"]),
      421,
      "HOST_NOT_SERVED",
    ],
    [
      "a target with a user and our name before the real host",
      request("http://localhost@evil.example/v1/status", ["Host: localhost"]),
      421,
      "HOST_NOT_SERVED",
    ],
    ["events for another name", request("/v1/events", ["Host: evil.example"]), 421, "HOST_NOT_SERVED"],
    ["metrics for another name", request("/metrics", ["Host: evil.example"]), 421, "HOST_NOT_SERVED"],
    [
      "a stylesheet's look at what is not there",
      request("/x", ["Host: evil.example"]),
      421,
      "HOST_NOT_SERVED",
    ],
  ];
  for (const [what, text, status, code] of refused)
    it(`${what} is refused`, async (t) => {
      const { url, node } = await startApi(t);
      const answer = await raw(t, url, text);
      assert.deepEqual([answer.status, answer.code], [status, code]);
      assert.deepEqual(node.calls, []);
    });

  it("HTTP/1.1 without a host gets an answer in the same form", async (t) => {
    const { url } = await startApi(t);
    const { status, code } = await raw(t, url, request("/v1/status", []));
    assert.deepEqual([status, code], [421, "HOST_NOT_SERVED"]);
  });

  it("an expectation that nobody knows changes no answer", async (t) => {
    const { url } = await startApi(t);
    const expecting = ["Host: localhost", "Expect: a-miracle"];
    assert.equal((await raw(t, url, request("/v1/status", expecting))).status, 200);
    const { status, code } = await raw(t, url, request("/nowhere", expecting));
    assert.deepEqual([status, code], [404, "ROUTE_NOT_FOUND"]);
  });

  it("bytes that are not HTTP get an answer in the same form", async (t) => {
    const { url } = await startApi(t);
    const { status, code } = await raw(t, url, "NOT HTTP AT ALL\r\n\r\n");
    assert.deepEqual([status, code], [400, "HTTP_INVALID"]);
  });

  it("a browser's question whether another origin may ask gets no permission", async (t) => {
    const { url } = await startApi(t);
    const asked = ["Host: localhost", "Origin: https://evil.example", "Access-Control-Request-Method: POST"];
    const preflight = await raw(t, url, request("/v1/mining", asked, "1.1", "OPTIONS"));
    assert.equal(preflight.status, 405);
    const read = await raw(
      t,
      url,
      request("/v1/status", ["Host: localhost", "Origin: https://evil.example"]),
    );
    for (const { headers } of [preflight, read]) {
      assert.doesNotMatch(headers, /access-control/i);
      assert.match(headers, /cross-origin-resource-policy: same-origin/i);
      assert.match(headers, /x-content-type-options: nosniff/i);
    }
  });

  it("a token counts whole, in its header and as one word", async (t) => {
    const { url } = await startApi(t, {}, { host: "127.0.0.1" });
    const change = (headers: readonly string[], target = "/v1/mining") =>
      raw(t, url, request(target, ["Host: localhost", "Content-Length: 0", ...headers], "1.1", "POST"));
    for (const given of [
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.toUpperCase()}`,
      `Bearer  ${TOKEN}`,
      `Bearer ${TOKEN} ${TOKEN}`,
      `Bearer ${"x".repeat(600)}`,
      "Bearer ",
      TOKEN,
    ])
      assert.equal((await change([`Authorization: ${given}`])).code, "TOKEN_WRONG", given);
    assert.equal((await change([], `/v1/mining?token=${TOKEN}`)).code, "TOKEN_REQUIRED");
    assert.equal((await change([`Cookie: token=${TOKEN}`])).code, "TOKEN_REQUIRED");
    assert.notEqual((await change([`authorization: bearer ${TOKEN}`])).status, 401);
  });
});

/** An address of this machine that is not loopback. */
const otherAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flat()
    .find((entry) => entry !== undefined && !entry.internal && entry.family === "IPv4")?.address;

/** Fewer at a time than one address has connections. */
async function inTurns(count: number, ask: () => Promise<Response>): Promise<Response[]> {
  const answers: Response[] = [];
  while (answers.length < count) answers.push(...(await Promise.all(Array.from({ length: 10 }, ask))));
  return answers;
}

describe("API: too much at once", () => {
  const address = otherAddress();
  const skip = address === undefined ? "this machine has no address but loopback" : false;

  it("another address that asks too often is told when to come again, and who has the token is not", {
    skip,
  }, async (t) => {
    const { url } = await startApi(t, {}, { host: "0.0.0.0", apiRead: "open" });
    const there = `http://${address}:${new URL(url).port}`;
    const ask = () => fetch(`${there}/v1/mining`, { method: "POST" });
    const answers = await inTurns(250, ask);
    const limited = answers.filter(({ status }) => status === 429);
    assert.ok(limited.length > 0, "some are refused");
    assert.ok(
      answers.some(({ status }) => status === 401),
      "the first were looked at",
    );
    const [one] = limited;
    assert.match(one?.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    const body = (await one?.json()) as { code: string; message: string; details: { scope: string } };
    assert.deepEqual([body.code, body.details.scope], ["RATE_LIMITED", "address"]);
    assert.match(body.message, /try again in \d+ s/);
    const withToken = await fetch(`${there}/v1/mining`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: '{"mode":"off"}',
    });
    assert.equal(withToken.status, 200);
    assert.equal((await fetch(`${there}/v1/status`)).status, 200, "reading is counted apart");
    const local = await fetch(`${url.replace("0.0.0.0", "127.0.0.1")}/v1/mining`, { method: "POST" });
    assert.equal(local.status, 401, "this machine is counted apart");
  });

  it("what costs more counts more", { skip }, async (t) => {
    const { url } = await startApi(t, {}, { host: "0.0.0.0", apiRead: "open" });
    const there = `http://${address}:${new URL(url).port}`;
    const answers = await inTurns(80, () => fetch(`${there}/v1/tree?depth=1000`));
    const served = answers.filter(({ status }) => status === 200).length;
    assert.ok(served >= 30 && served < 80, `${served} of 80 were served`);
  });

  it("one address has so many connections and no more, and others find room", { skip }, async (t) => {
    const { url } = await startApi(t, {}, { host: "0.0.0.0", apiRead: "open" });
    const port = Number(new URL(url).port);
    let closed = 0;
    const sockets: Socket[] = [];
    for (let i = 0; i < MAX_CONNECTIONS_PER_ADDRESS + 10; i++) {
      const socket = connect(port, address ?? "");
      sockets.push(socket);
      socket.on("error", () => {}).on("close", () => closed++);
      t.after(() => socket.destroy());
    }
    await until("those beyond are closed", () => closed === 10);
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/status`)).status, 200);
    sockets.forEach((socket) => void socket.destroy());
    await until("there is room again", () => closed === sockets.length);
    await until("it is served again", async () =>
      fetch(`http://${address}:${port}/v1/status`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  });
});
