import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { MAX_BODY_BYTES } from "../../../src/api/index.ts";
import type { Fleet } from "../../../src/cluster/fleet.ts";
import { createClusterClient, runLoad, startCluster, stopCluster } from "../../../src/cluster/index.ts";
import { createClusterRecorder } from "../../../src/cluster/recorder.ts";
import { startSupervisorServer } from "../../../src/cluster/supervisor-server.ts";
import { silentLogger } from "../../../src/ports/index.ts";
import { SUITE_MS } from "../../support/suite-limit.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const fakeNode = fileURLToPath(new URL("../../support/fake-node.ts", import.meta.url));

async function oneNode(t: TestContext, name = "cluster") {
  const { path, remove } = await createTempDir();
  const directory = join(path, name);
  t.after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });
  await startCluster({ directory, nodes: 1, command: [process.execPath, fakeNode] });
  return createClusterClient(directory);
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** By hand, as `fetch` would tidy up the path; without a length the body is sent in chunks. */
function send(
  cluster: { readonly url: string; readonly token: string },
  path: string,
  body?: { readonly bytes: Buffer; readonly chunked?: boolean },
): Promise<Answer> {
  const { hostname, port } = new URL(cluster.url);
  const length = body?.chunked === true ? {} : { "content-length": body?.bytes.length ?? 0 };
  const headers = { authorization: `Bearer ${cluster.token}`, "content-type": "application/json", ...length };
  const method = body === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, path, method, headers: body === undefined ? {} : headers },
      async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve({ ...JSON.parse(text), status: response.statusCode });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body?.bytes);
  });
}

/** The supervisor's server in front of one node that answers nothing: what listens at its address drops connections. */
async function silentNode(t: TestContext, listens: boolean) {
  const dropping = createServer((socket) => socket.once("data", () => socket.destroy()));
  await once(dropping.listen(0, "127.0.0.1"), "listening");
  const { port } = dropping.address() as AddressInfo;
  const close = async () => void (dropping.listening && (await once(dropping.close(), "close")));
  if (!listens) await close();
  t.after(close);
  const api = `http://127.0.0.1:${port}`;
  const member = { n: 1, address: () => ({ api }), token: () => "", ended: () => undefined };
  const fleet = { members: [member] } as unknown as Fleet;
  const deps = {
    logger: silentLogger,
    fleet,
    recorder: createClusterRecorder({ logger: silentLogger, fleet }),
  };
  const server = await startSupervisorServer(deps, { directory: "/c", token: "secret", port: 0 });
  t.after(() => server.close());
  return { url: server.url, token: "secret" };
}

describe("a node behind its cluster's address", { timeout: SUITE_MS }, () => {
  it("is not sent a larger body than it takes: the answer is 413 with the node's own limit, each time", async (t) => {
    const cluster = await oneNode(t);
    const cases = [
      ["/nodes/1/v1/transactions", 3 * 1024 * 1024, MAX_BODY_BYTES],
      ["/nodes/1/v1/mining", 100 * 1024, 64 * 1024],
    ] as const;
    for (const [path, size, maxBytes] of cases) {
      const bytes = Buffer.alloc(size, " ");
      for (let i = 0; i < 10; i++) {
        const answer = await send(cluster, path, { bytes, chunked: i % 2 === 1 });
        assert.deepEqual([answer.status, answer.code, answer.details], [413, "BODY_TOO_LARGE", { maxBytes }]);
      }
    }
  });

  it("has metrics of its own, and its supervisor tells of itself", async (t) => {
    const { url } = await silentNode(t, true);
    const text = await (await fetch(`${url}/metrics`)).text();
    assert.match(text, /^cumulo_cluster_nodes 1$/m);
    assert.match(text, /^cumulo_cluster_event_streams 0$/m);
    assert.match(text, /^cumulo_cluster_resident_memory_bytes [1-9]\d+$/m);
    const cluster = await oneNode(t);
    const ofNode = await (await fetch(`${cluster.url}/nodes/1/metrics`)).text();
    assert.match(ofNode, /^cumulo_api_streams \d+$/m);
  });

  it("gets whatever is not larger, whole", async (t) => {
    const cluster = await oneNode(t);
    const text = `{"transactions":[]}`;
    for (const chunked of [false, true]) {
      const bytes = Buffer.from(text.padEnd(MAX_BODY_BYTES, " "));
      const answer = await send(cluster, "/nodes/1/v1/transactions", { bytes, chunked });
      assert.notEqual(answer.code, "BODY_INVALID");
      assert.deepEqual([answer.status, answer.code], [400, "REQUEST_INVALID"]);
      assert.match(answer.message, /transactions/, "the node's own words on an empty batch");
    }
    assert.deepEqual((await cluster.node(1).mining({ mode: "off" })).blocks, []);
  });

  it("is asked for nothing by a path that could mean another place, and the answer says what is wrong", async (t) => {
    const cluster = await oneNode(t);
    for (const path of ["/nodes/1/v1/../v1/status", "/nodes/1/v1/%2e%2e/status", "/nodes/1//v1/status"]) {
      const { status, code, message, details } = await send(cluster, path);
      assert.deepEqual([status, code, details], [400, "URL_INVALID", { path }]);
      assert.equal(
        message,
        `${path} is not passed on: after /nodes/1 a path must not begin with "//", nor hold ".."; ask for /nodes/1/v1/... as is`,
      );
    }
  });

  it("may be asked with Expect: 100-continue, and the connection is closed where that is asked", async (t) => {
    const cluster = await oneNode(t);
    const { hostname, port } = new URL(cluster.url);
    const body = '{"mode":"off"}';
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    socket.write(
      [
        "POST /nodes/1/v1/mining HTTP/1.1",
        `Host: ${hostname}:${port}`,
        `Authorization: Bearer ${cluster.token}`,
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
        "Expect: 100-continue",
        "Connection: close",
        `\r\n${body}`,
      ].join("\r\n"),
    );
    let answer = "";
    // Ends with the connection, which the server would keep for 5 s otherwise.
    for await (const chunk of socket) answer += chunk;
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    assert.match(answer, /\r\nconnection: close\r\n/i);
    assert.doesNotMatch(answer, /keep-alive/i);
  });

  const hint = "cumulo cluster status --dir /c tells whether it still runs";
  for (const [what, listens, words] of [
    ["is gone", false, "node 1 does not answer"],
    [
      "goes away in the middle",
      true,
      "the connection to node 1 broke before it answered, so it may have done what was asked or not",
    ],
  ] as const)
    it(`that ${what}: the answer says whether anything can have happened`, async (t) => {
      const supervisor = await silentNode(t, listens);
      const { status, code, message, details } = await send(supervisor, "/nodes/1/v1/mining", {
        bytes: Buffer.from('{"mode":"off"}'),
      });
      assert.deepEqual([status, code, details], [502, "NODE_UNREACHABLE", { node: 1 }]);
      assert.equal(message.replaceAll('"', ""), `${words}; ${hint}`);
    });

  it("that owns nothing: a load names the command that helps, as a shell takes it", async (t) => {
    const cluster = await oneNode(t, "it's c 4");
    const quoted = `'${cluster.directory.replace("'", "'\\''")}/node1'`;
    await assert.rejects(runLoad(cluster, { tps: 2_000, durationMs: 400_000 }), (error: Error) => {
      assert.ok(
        error.message.endsWith(`mine a few blocks first: cumulo mine 5 --data ${quoted}`),
        error.message,
      );
      return true;
    });
  });
});
