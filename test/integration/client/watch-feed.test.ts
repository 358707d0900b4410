import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import { createStore, followNode } from "../../../src/cli/watch/feed.ts";
import { stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

it("watch: a node without a timeline tells where it stands, and again when it comes back", async (t) => {
  let height = 0;
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/v1/events")) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`id: r-${++height}\nevent: start\ndata: {}\n\n`);
    } else if (request.url?.startsWith("/v1/timeline")) {
      response.writeHead(404).end(JSON.stringify({ code: "TIMELINE_OFF", message: "none is kept" }));
    } else response.end(JSON.stringify({ ...stubStatus, head: { ...stubStatus.head, height } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = new AbortController();
  t.after(() => stop.abort());
  const store = createStore(() => {});
  const heads = () => store.entries.map(({ type, data }) => (type === "head" ? data.height : type));
  const following = { store, n: 1, signal: stop.signal, retryForMs: 5_000, onReached: () => {} };
  const ended = followNode(async () => ({ url }), following);
  await until("it says where it stands", () => heads().length === 1);
  server.closeAllConnections();
  await until("it says so again", () => heads().length === 2);
  stop.abort();
  await ended;
  assert.deepEqual(heads(), [1, 2]);
});
