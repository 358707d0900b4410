import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { createClient, type EventsOptions, type ReceivedEvent } from "../../../src/client/index.ts";
import { startApi } from "../../support/api-server.ts";
import { headEvent as head } from "../../support/sample-events.ts";
import { until } from "../../support/until.ts";

/** Follows events in the background. */
function follow(t: TestContext, url: string, options: EventsOptions = {}) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const seen: ReceivedEvent[] = [];
  const losses: string[] = [];
  const ended = (async () => {
    const onLost: EventsOptions["onLost"] = ({ error }) => losses.push(error.code);
    for await (const event of createClient({ url }).events(stop.signal, { ...options, onLost }))
      seen.push(event);
  })();
  ended.catch(() => {});
  return { seen, losses, ended, stop };
}

const heights = (seen: readonly ReceivedEvent[]): unknown[] =>
  seen.map(({ type, data }) => (type === "head" ? data.height : type === "gap" ? data.reason : type));

describe("client: events", () => {
  it("a lost connection is made again and goes on where it was: nothing is missed, nothing told twice", async (t) => {
    const { url, node } = await startApi(t);
    // Between us and the node, so that connections can be cut.
    const target = new URL(url);
    const sockets = new Set<Socket>();
    const proxy = createTcpServer((socket) => {
      const onward = connect(Number(target.port), target.hostname);
      sockets.add(socket);
      for (const end of [socket, onward]) end.on("error", () => {});
      socket.on("close", () => onward.destroy());
      onward.on("close", () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    t.after(() => proxy.close());
    t.after(() => sockets.forEach((socket) => void socket.destroy()));
    const { seen, losses } = follow(t, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    await until("the stream is open", () => sockets.size === 1);
    // Before the start note is here, an event would be of the time before.
    for (let cut = 0; cut < 3; cut++) {
      await until("an event comes", () => {
        if (seen.length === 2 * cut) node.emit(head(2 * cut));
        return seen.length > 2 * cut;
      });
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await until("the loss is noticed", () => losses.length > cut);
      const before = seen.length;
      node.emit(head(1_000 + cut));
      await until("the missed one comes", () => seen.length > before);
    }
    assert.equal(heights(seen).filter((height) => Number(height) >= 1_000).length, 3);
    assert.ok(!heights(seen).some((height) => typeof height === "string"), "no gap");
    assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length);
  });

  it("a node that was started again at its port is found again, and the gap is told", async (t) => {
    const first = await startApi(t);
    const { port } = new URL(first.url);
    const { seen, losses, stop, ended } = follow(t, first.url);
    await until("it follows", () => {
      if (seen.length === 0) first.node.emit(head(1));
      return seen.length > 0;
    });
    await first.close();
    await until("the loss is noticed", () => losses.length > 0);
    const second = await startApi(t, {}, { port: Number(port) });
    await until("it is back", () => heights(seen).includes("restarted"));
    second.node.emit(head(7));
    await until("events go on", () => heights(seen).at(-1) === 7);
    stop.abort();
    await ended;
    assert.ok(["NODE_STOPS", "API_STREAM_ENDED"].includes(losses[0] ?? ""), String(losses));
  });

  it("who was never reached, refuses, or stays away too long is an error, so that nobody waits for ever", async (t) => {
    const gone = await startApi(t);
    await gone.close();
    await assert.rejects(follow(t, gone.url).ended, { code: "API_UNREACHABLE" });
    const { url, close, node } = await startApi(t);
    const bad = follow(t, url, { kinds: ["nothing" as "head"] });
    await assert.rejects(bad.ended, { code: "REQUEST_INVALID" });
    const away = follow(t, url, { retryForMs: 300 });
    await until("it follows", () => {
      if (away.seen.length === 0) node.emit(head(1));
      return away.seen.length > 0;
    });
    await close();
    await assert.rejects(away.ended, (error: { code: string }) =>
      ["API_UNREACHABLE", "API_STREAM_ENDED", "NODE_STOPS"].includes(error.code),
    );
    assert.ok(away.losses.length > 0);
  });

  it("each loss has its own time: that of a quiet node, on which nothing happened since the last one, too", async (t) => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("id: r-1\nevent: start\ndata: {}\n\n");
      const end = setTimeout(() => response.destroy(), 900);
      response.on("close", () => clearTimeout(end));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.closeAllConnections());
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { losses, ended, stop } = follow(t, url, { retryForMs: 800 });
    await Promise.race([until("it was lost three times", () => losses.length === 3), ended]);
    stop.abort();
    await ended;
  });

  it("a server that sends what is no event is left at once: asking it again would not help", async (t) => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("id: 1\nevent: head\ndata: {]\n\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.closeAllConnections());
    t.after(() => server.close());
    const { ended, losses } = follow(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await assert.rejects(ended, { code: "API_ANSWER_INVALID" });
    assert.deepEqual(losses, []);
  });

  it("a server that pours an endless event is left", async (t) => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const text = "x".repeat(1024 * 1024);
      const pour = (): void => {
        while (!response.destroyed && response.write(text));
      };
      response.on("drain", pour);
      response.write("data: ");
      pour();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await assert.rejects(follow(t, url).ended, { code: "API_ANSWER_INVALID" });
  });
});
