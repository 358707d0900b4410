import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerName } from "../../src/ports/index.ts";
import { until } from "../support/until.ts";
import { type Connect, hasCode, isConnected, type Join, LIMITS, PROTOCOL } from "./network-lab.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** What the conditioner promises, for any implementation. */
export function describeLinks(join: Join, connect: Connect): void {
  const echo: Parameters<Join>[0] = (network) =>
    network.handle(PROTOCOL, LIMITS, async (_from, request) => [request]);
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const startMs = performance.now();
    await work();
    return performance.now() - startMs;
  };

  test("a shaped link delays what is sent and what is read, at one end or both, and a whole one nothing", async () => {
    const [a, b] = [await join(echo), await join(echo)];
    await connect(a, b);
    const ask = () => a.network.request(b.network.self, PROTOCOL, bytes("x"), LIMITS);
    await ask();
    a.network.shape(b.network.self, { out: { delayMs: 100 } });
    const outMs = await timed(ask);
    b.network.shape(a.network.self, { in: { delayMs: 100 } });
    const bothEndsMs = await timed(ask);
    b.network.shape(a.network.self, { out: { delayMs: 100 } });
    const bothWaysMs = await timed(ask);
    for (const [ms, atLeast] of [
      [outMs, 100],
      [bothEndsMs, 200],
      [bothWaysMs, 200],
    ] as const)
      assert.ok(ms >= atLeast, `${ms} ms is too fast for ${atLeast} ms`);
    a.network.shape(b.network.self, undefined);
    b.network.shape(a.network.self, undefined);
    await until("an answer comes faster than shaped ones can", async () => (await timed(ask)) < 100);
  });

  test("a shape outlives the connection, and holds from either end's dial", async () => {
    const [a, b] = [await join(echo), await join(echo)];
    const delayed = async (from: typeof a, to: typeof a) => {
      await connect(from, to);
      const ms = await timed(() => b.network.request(a.network.self, PROTOCOL, bytes("x"), LIMITS));
      assert.ok(ms >= 150, `${ms} ms`);
      await b.network.disconnect(a.network.self, "for the test");
      await until("both let go", () => !isConnected(a, b) && !isConnected(b, a));
    };
    a.network.shape(b.network.self, { in: { delayMs: 150 } });
    await delayed(a, b);
    await delayed(b, a);
  });

  test("nothing comes through a dead line, nor does a dial from either end, until it is whole", async () => {
    const [a, b] = [await join(echo), await join(echo)];
    await connect(a, b);
    const ask = (limits = LIMITS) => a.network.request(b.network.self, PROTOCOL, bytes("x"), limits);
    await ask();
    a.network.shape(b.network.self, { out: { blackhole: true } });
    await assert.rejects(ask({ ...LIMITS, firstByteTimeoutMs: 300 }), hasCode("NETWORK_TIMEOUT"));
    // Nobody is told.
    assert.ok(isConnected(a, b) && isConnected(b, a));
    const held = ask();
    a.network.shape(b.network.self, undefined);
    await held;

    a.network.shape(b.network.self, { in: { lossRatio: 1 } });
    await a.network.disconnect(b.network.self, "for the test");
    await until("both let go", () => !isConnected(a, b) && !isConnected(b, a));
    const [ofA, ofB] = [a.network.addresses()[0] ?? "", b.network.addresses()[0] ?? ""];
    await assert.rejects(b.network.dial(ofA), hasCode("NETWORK_DIAL_FAILED"));
    const gaveUp = new Error("gave up");
    const waiting = new AbortController();
    const dial = a.network.dial(ofB, { signal: waiting.signal });
    waiting.abort(gaveUp);
    await assert.rejects(dial, gaveUp);
    let connected: PeerName | undefined;
    const redial = a.network.dial(ofB).then((peer) => {
      connected = peer;
    });
    // It waits, and neither fails nor gets through: a dial to somebody else, begun after it, is done before.
    const c = await join(echo);
    await connect(a, c);
    assert.equal(connected, undefined);
    a.network.shape(b.network.self, undefined);
    await redial;
    assert.equal(connected, b.network.self);
  });
}
