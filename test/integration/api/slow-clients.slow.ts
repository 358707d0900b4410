import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { it, type TestContext } from "node:test";
import { startApi } from "../../support/api-server.ts";
import { ID_B, stubStatus } from "../../support/stub-node-service.ts";
import { until } from "../../support/until.ts";

function open(t: TestContext, url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

const trickles: readonly (readonly [what: string, begin: string])[] = [
  ["a connection that says nothing", ""],
  ["headers that trickle in", "GET /v1/status HTTP/1.1\r\nHost: local"],
  ["a body that trickles in", "POST /v1/mining HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{"],
];
for (const [what, begin] of trickles)
  it(`${what} is ended in time`, { timeout: 40_000 }, async (t) => {
    const { url } = await startApi(t);
    const socket = open(t, url);
    const startedMs = performance.now();
    socket.write(begin);
    const drip = setInterval(() => begin !== "" && socket.writable && socket.write("x"), 500);
    t.after(() => clearInterval(drip));
    let text = "";
    for await (const chunk of socket) text += chunk;
    assert.ok(performance.now() - startedMs < 20_000);
    if (begin !== "") assert.match(text, /^HTTP\/1\.1 (408|401) /);
  });

it("a client that reads nothing of a large answer is cut off, and its memory is free again", {
  timeout: 180_000,
}, async (t) => {
  const item = {
    ...stubStatus.head,
    difficulty: "400",
    proposer: stubStatus.mining.rewardTo,
    transactions: 0,
    sizeBytes: 0,
    state: "best" as const,
    hasBody: true,
    arrival: null,
  };
  const items = Array.from({ length: 60_000 }, () => item);
  const { url } = await startApi(t, {
    tree: async () => ({ head: { id: ID_B, height: 12, work: "3000" }, items, next: null }),
  });
  const socket = open(t, url);
  socket.write("GET /v1/tree HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  const length = Number(/content-length: (\d+)/i.exec(first.toString())?.[1]);
  const startedMs = performance.now();
  // The client sees nothing while it reads nothing, and what it sent would count as a sign of life: so look at both ends.
  const sockets = () => process.getActiveResourcesInfo().filter((one) => one === "TCPSocketWrap").length;
  const before = sockets();
  await until("the server has let go of the socket", () => sockets() < before, 150_000);
  assert.ok(performance.now() - startedMs > 50_000, "not for another reason");
  let bytes = first.length;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const closed = once(socket, "close");
  socket.resume();
  await closed;
  assert.ok(bytes < length, `${bytes} of ${length} came`);
});
