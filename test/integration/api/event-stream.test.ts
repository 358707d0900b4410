import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { MAX_KEPT_EVENTS } from "../../../src/api/event-history.ts";
import { MAX_STREAMS } from "../../../src/api/event-stream.ts";
import { startApi } from "../../support/api-server.ts";
import { headEvent as head, peerEvent as peer } from "../../support/sample-events.ts";
import { until } from "../../support/until.ts";

interface Sent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A raw stream, read as far as asked. */
async function openStream(t: TestContext, url: string, { lastEventId = "", query = "" } = {}) {
  const abort = new AbortController();
  t.after(() => abort.abort());
  const response = await fetch(`${url}/v1/events${query}`, {
    headers: lastEventId === "" ? {} : { "last-event-id": lastEventId },
    signal: abort.signal,
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  let text = "";
  const events = (): Sent[] =>
    [...text.matchAll(/^id: (\S+)\nevent: (\S+)\ndata: (.*)\n\n/gm)].map(
      ([, id = "", event = "", data = ""]) => ({
        id,
        event,
        data: JSON.parse(data) as Record<string, unknown>,
      }),
    );
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body as ReadableStream<Uint8Array>)
      text += decoder.decode(chunk, { stream: true });
  })().catch(() => {});
  return {
    events,
    close: () => abort.abort(),
    take: (count: number) => until(`${count} events are here`, () => events().length >= count && events()),
  };
}

describe("event stream", () => {
  it("begins with where it is, and events follow in order with ids that count up", async (t) => {
    const { url, node } = await startApi(t);
    const stream = await openStream(t, url);
    node.emit(head(13));
    node.emit(peer("gone"));
    const events = await stream.take(3);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["start", "head", "peer"],
    );
    const run = events[0]?.data["run"];
    assert.deepEqual(
      events.map(({ id }) => id),
      [0, 1, 2].map((n) => `${run}-${n}`),
    );
    assert.equal(events[1]?.data["height"], 13);
    assert.equal(events[2]?.data["reason"], "gone");
  });

  it("a client that comes back gets what it missed, once and in order", async (t) => {
    const { url, node } = await startApi(t);
    const first = await openStream(t, url);
    node.emit(head(1));
    const last = (await first.take(2)).at(-1)?.id ?? "";
    first.close();
    node.emit(peer("one"));
    node.emit(head(2));
    const second = await openStream(t, url, { lastEventId: last });
    node.emit(head(3));
    const shown = (await second.take(3)).map(({ event, data }) => [event, data["height"] ?? data["reason"]]);
    assert.deepEqual(shown, [
      ["peer", "one"],
      ["head", 2],
      ["head", 3],
    ]);
  });

  it("an id of another run, one never given, and one too old are a gap, not a silent loss", async (t) => {
    const { url, node } = await startApi(t);
    const start = (await (await openStream(t, url)).take(1))[0];
    const run = String(start?.data["run"]);
    for (let i = 0; i <= MAX_KEPT_EVENTS; i++) node.emit(head(i));
    for (const [lastEventId, reason] of [
      ["zzz-1", "restarted"],
      [`${run}-999999`, "unknown-id"],
      ["<script>", "unknown-id"],
      ["x".repeat(5_000), "unknown-id"],
      [`${run}-0`, "too-old"],
    ] as const) {
      const stream = await openStream(t, url, { lastEventId });
      const [gap] = await stream.take(1);
      assert.deepEqual([gap?.event, gap?.data], ["gap", { run, reason }], lastEventId.slice(0, 20));
      assert.equal(gap?.id, `${run}-${MAX_KEPT_EVENTS + 1}`, "from here it goes on");
    }
    const whole = await openStream(t, url, { lastEventId: `${run}-1` });
    const events = await whole.take(MAX_KEPT_EVENTS);
    assert.deepEqual([events[0]?.event, events[0]?.id], ["head", `${run}-2`]);
  });

  it("only the kinds asked for are sent, and a flood of others makes no gap in them", async (t) => {
    const { url, node } = await startApi(t);
    const stream = await openStream(t, url, { query: "?kinds=peer,reorg" });
    node.emit(peer("first"));
    const last = (await stream.take(2)).at(-1)?.id ?? "";
    stream.close();
    for (let i = 0; i < 2 * MAX_KEPT_EVENTS; i++) node.emit(head(i));
    node.emit(peer("second"));
    const resumed = await openStream(t, url, { query: "?kinds=peer,reorg", lastEventId: last });
    assert.deepEqual(
      (await resumed.take(1)).map(({ event, data }) => [event, data["reason"]]),
      [["peer", "second"]],
    );
  });

  for (const query of ["kinds=", "kinds=heads", "kinds=head,", `kinds=${Array(8).fill("head")}`, "since=1"])
    it(`?${query} is refused`, async (t) => {
      const { url } = await startApi(t);
      const response = await fetch(`${url}/v1/events?${query}`);
      const { code, message } = (await response.json()) as { code: string; message: string };
      assert.equal(code, "REQUEST_INVALID");
      assert.match(message, /kinds/);
    });

  it("a client that reads too slowly is cut with the reason, and others go on", async (t) => {
    const { url, node } = await startApi(t);
    const { port, hostname } = new URL(url);
    const slow = connect(Number(port), hostname);
    slow.on("error", () => {});
    t.after(() => slow.destroy());
    slow.write("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const good = await fetch(`${url}/v1/events`);
    let received = 0;
    void (async () => {
      for await (const chunk of good.body as ReadableStream<Uint8Array>) received += chunk.length;
    })().catch(() => {});
    slow.once("data", () => slow.pause());
    await until("the slow one is there", () => slow.isPaused());
    // Far more than is kept and sockets hold.
    const bytes = 512 * 1024;
    for (let i = 1; i <= 60; i++) {
      node.emit(peer("x".repeat(bytes)));
      await until("the good one has it", () => received > i * bytes);
    }
    let text = "";
    slow.on("data", (chunk) => {
      text = (text + chunk).slice(-2_000);
    });
    const ended = new Promise((resolve) => slow.once("close", resolve));
    slow.resume();
    await ended;
    assert.match(text, /event: end\ndata: \{"code":"STREAM_TOO_SLOW","message":"you read too slowly/);
  });

  it("what was dropped before it could be told ends the streams, and is a gap to whoever comes back", async (t) => {
    const { url, node } = await startApi(t);
    const stream = await openStream(t, url);
    node.emit(head(1));
    const last = (await stream.take(2)).at(-1)?.id ?? "";
    node.miss();
    const [end] = (await stream.take(3)).slice(2);
    assert.deepEqual([end?.event, end?.data["code"]], ["end", "EVENTS_MISSED"]);
    node.emit(head(2));
    const again = await openStream(t, url, { lastEventId: last });
    node.emit(head(3));
    const told = (await again.take(2)).map(({ event, data }) => [event, data["reason"] ?? data["height"]]);
    assert.deepEqual(told, [
      ["gap", "too-old"],
      ["head", 3],
    ]);
  });

  it("there is a bound on streams, and closing the server ends them at once with a word", async (t) => {
    const { url, close } = await startApi(t);
    const open = await Promise.all(Array.from({ length: MAX_STREAMS }, () => fetch(`${url}/v1/events`)));
    const refused = await fetch(`${url}/v1/events`);
    const { code } = (await refused.json()) as { code: string };
    assert.deepEqual([refused.status, code], [503, "STREAMS_EXHAUSTED"]);
    const startedMs = performance.now();
    await close();
    const texts = await Promise.all(open.map((response) => response.text().catch(() => "cut")));
    assert.ok(performance.now() - startedMs < 3_000);
    for (const text of texts) assert.match(text, /event: end\ndata: \{"code":"NODE_STOPS"/);
  });
});
