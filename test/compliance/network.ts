import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { GossipVerdict, Network, PeerName } from "../../src/ports/index.ts";
import { until } from "../support/until.ts";
import { type Connect, hasCode, isConnected, type Join, LIMITS, type Node, PROTOCOL } from "./network-lab.ts";
import { describeLinks } from "./network-links.ts";

/** Makes networks that can reach each other and are not started yet. */
export type CreateNetwork = () => Promise<Network>;

const TOPIC = "/cumulo/test/messages/1";
const bytes = (text: string) => new TextEncoder().encode(text);

/** The promises of the network port, for any implementation. */
export function describeNetwork(name: string, create: CreateNetwork): void {
  describe(`network port: ${name}`, () => {
    const running: Network[] = [];
    afterEach(async () => {
      await Promise.all(running.splice(0).map((network) => network.stop()));
    });

    async function join(prepare: (network: Network) => void = () => {}): Promise<Node> {
      const network = await create();
      running.push(network);
      const node: Node = { network, received: [], verdict: "accept" };
      network.subscribe(TOPIC, 1_000, async (from, data) => {
        node.received.push({ from, text: new TextDecoder().decode(data) });
        return typeof node.verdict === "function" ? node.verdict() : node.verdict;
      });
      prepare(network);
      await network.start();
      return node;
    }

    async function connect(from: Node, to: Node): Promise<void> {
      const [address] = to.network.addresses();
      assert.ok(address);
      assert.equal(await from.network.dial(address), to.network.self);
      await until("both ends know of the connection", () => isConnected(from, to) && isConnected(to, from));
    }

    /** Publishes new messages until one arrives: gossip is only promised once the peers know each other's topics. */
    async function gossipReaches(from: Node, to: Node, label: string): Promise<void> {
      let attempt = 0;
      await until(
        `${label} arrives`,
        () => {
          if (to.received.some(({ text }) => text.startsWith(label))) return true;
          if (attempt++ % 20 === 0) void from.network.publish(TOPIC, bytes(`${label} ${attempt}`));
          return false;
        },
        10_000,
      );
    }

    describeConnections(join, connect);
    describeGossip(join, connect, gossipReaches);
    describeRequests(join, connect);
    describeLinks(join, connect);
  });
}

type GossipReaches = (from: Node, to: Node, label: string) => Promise<void>;

function describeConnections(join: Join, connect: Connect): void {
  test("a dialled peer is named, and both ends announce the connection once", async () => {
    const [a, b] = [await join(), await join()];
    const events: string[] = [];
    a.network.on("connect", ({ peer, direction }) => events.push(`a ${direction} ${peer}`));
    b.network.on("connect", ({ peer, direction }) => events.push(`b ${direction} ${peer}`));
    await connect(a, b);
    await connect(a, b);
    assert.deepEqual(events.sort(), [`a outbound ${b.network.self}`, `b inbound ${a.network.self}`]);
    assert.equal(a.network.connections().length, 1);
  });

  test("a node's addresses end in its name and are empty while it does not run", async () => {
    const a = await join();
    assert.ok(a.network.addresses().length > 0);
    for (const address of a.network.addresses()) assert.ok(address.endsWith(`/p2p/${a.network.self}`));
    await a.network.stop();
    assert.deepEqual(a.network.addresses(), []);
  });

  test("disconnect tells both ends, with our reason on our side, and the peer may come back", async () => {
    const [a, b] = [await join(), await join()];
    await connect(a, b);
    const reasons: string[] = [];
    a.network.on("disconnect", (_peer, reason) => reasons.push(reason));
    await a.network.disconnect(b.network.self, "for the test");
    await until("both ends let go", () => !isConnected(a, b) && !isConnected(b, a));
    assert.deepEqual(reasons, ["for the test"]);
    await connect(b, a);
  });

  test("a peer that is punished loses its connection and is told of as a fault", async () => {
    const [a, b] = [await join(), await join()];
    await connect(a, b);
    const faults: string[] = [];
    a.network.on("fault", (peer, reason) => faults.push(`${peer === b.network.self}: ${reason}`));
    for (const reason of ["it lied", "it lied before it hung up"]) a.network.punish(b.network.self, reason);
    await until("the connection is gone", () => !isConnected(a, b) && !isConnected(b, a));
    assert.deepEqual(faults, ["true: it lied", "true: it lied before it hung up"]);
  });

  test("a listener that throws or was removed harms nobody else", async () => {
    const [a, b] = [await join(), await join()];
    let calls = 0;
    a.network.on("connect", () => {
      throw new Error("a listener's own trouble");
    });
    a.network.on("connect", () => calls++)();
    a.network.on("connect", () => (calls += 10));
    await connect(a, b);
    assert.equal(calls, 10);
  });

  test("refuse splits at once and refuses new connections both ways until allow", async () => {
    const [a, b] = [await join(), await join()];
    await connect(a, b);
    await a.network.refuse(b.network.self);
    await until("the connection is cut", () => !isConnected(a, b) && !isConnected(b, a));
    assert.deepEqual(a.network.refused(), [b.network.self]);

    const [ofA, ofB] = [a.network.addresses()[0] ?? "", b.network.addresses()[0] ?? ""];
    await assert.rejects(a.network.dial(ofB), hasCode("NETWORK_REFUSED"));
    await assert.rejects(b.network.dial(ofA), hasCode("NETWORK_DIAL_FAILED"));
    assert.ok(!isConnected(a, b) && !isConnected(b, a));

    a.network.allow(b.network.self);
    assert.deepEqual(a.network.refused(), []);
    await connect(b, a);
  });

  test("dialling nonsense, oneself or nobody fails with its code", async () => {
    const [a, b] = [await join(), await join()];
    const gone = b.network.addresses()[0] ?? "";
    await b.network.stop();
    await assert.rejects(a.network.dial("not an address"), hasCode("NETWORK_ADDRESS_INVALID"));
    await assert.rejects(a.network.dial(a.network.addresses()[0] ?? ""), hasCode("NETWORK_ADDRESS_INVALID"));
    await assert.rejects(a.network.dial(gone), hasCode("NETWORK_DIAL_FAILED"));
    const reason = new Error("changed my mind");
    await assert.rejects(a.network.dial(gone, { signal: AbortSignal.abort(reason) }), reason);
  });

  test("stop closes every connection, may be repeated, and leaves nothing usable", async () => {
    const [a, b] = [await join(), await join()];
    await connect(a, b);
    await Promise.all([a.network.stop(), a.network.stop()]);
    await until("the other end noticed", () => !isConnected(b, a));
    assert.deepEqual(a.network.connections(), []);
    await assert.rejects(a.network.publish(TOPIC, bytes("x")), hasCode("NETWORK_CLOSED"));
    await assert.rejects(a.network.dial(b.network.addresses()[0] ?? ""), hasCode("NETWORK_CLOSED"));
    await assert.rejects(
      a.network.request(b.network.self, PROTOCOL, bytes("x"), LIMITS),
      hasCode("NETWORK_CLOSED"),
    );
  });

  test("topics and protocols are declared before the start", async () => {
    const a = await join();
    assert.throws(() => a.network.subscribe("/late", 10, async () => "accept"));
    assert.throws(() => a.network.handle("/late", LIMITS, async (_from, request) => [request]));
  });
}

function describeGossip(join: Join, connect: Connect, gossipReaches: GossipReaches): void {
  test("publishing with no peers does not fail, nor does publishing the same bytes again", async () => {
    const a = await join();
    await a.network.publish(TOPIC, bytes("alone"));
    await a.network.publish(TOPIC, bytes("alone"));
  });

  test("a message reaches a third node through the one in the middle, once, named after who sent it on", async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    await connect(a, b);
    await connect(b, c);
    await gossipReaches(a, c, "hello");
    const texts = c.received.map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length);
    for (const { from } of c.received) assert.equal(from, b.network.self);
    assert.ok(!isConnected(a, c));
  });

  test("a message is not forwarded before the verdict", async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    await connect(a, b);
    await connect(b, c);
    await gossipReaches(a, c, "warm-up");
    const held = Promise.withResolvers<GossipVerdict>();
    b.verdict = held.promise;
    await a.network.publish(TOPIC, bytes("held"));
    await until("the middle node has it", () => b.received.some(({ text }) => text === "held"));
    // What was published later and is judged at once overtakes it.
    b.verdict = "accept";
    await gossipReaches(a, c, "overtaking");
    assert.ok(!c.received.some(({ text }) => text === "held"));
    held.resolve("accept");
    await until("it is forwarded", () => c.received.some(({ text }) => text === "held"));
  });

  test("ignored, rejected and wrongly judged messages stop there, and the connection stays", async () => {
    const [a, b, c] = [await join(), await join(), await join()];
    await connect(a, b);
    await connect(b, c);
    await gossipReaches(a, c, "warm-up");
    const bad: Node["verdict"][] = [
      "ignore",
      "reject",
      () => {
        throw new Error("a validator's own trouble");
      },
    ];
    for (const [index, verdict] of bad.entries()) {
      b.verdict = verdict;
      await a.network.publish(TOPIC, bytes(`bad ${index}`));
      await until("the middle node has it", () => b.received.some(({ text }) => text === `bad ${index}`));
    }
    b.verdict = "accept";
    await gossipReaches(a, c, "afterwards");
    assert.ok(!c.received.some(({ text }) => text.startsWith("bad")));
    assert.ok(isConnected(a, b));
  });

  test("a message above the topic's limit is not published", async () => {
    const a = await join();
    await assert.rejects(a.network.publish(TOPIC, new Uint8Array(1_001)), hasCode("NETWORK_OVERSIZE"));
  });

  test("gossip works again after a split and a heal", async () => {
    const [a, b] = [await join(), await join()];
    await connect(a, b);
    await gossipReaches(a, b, "before");
    await a.network.refuse(b.network.self);
    await until("the connection is cut", () => !isConnected(a, b) && !isConnected(b, a));
    await a.network.publish(TOPIC, bytes("into the void"));
    a.network.allow(b.network.self);
    await connect(b, a);
    await gossipReaches(a, b, "after");
    await gossipReaches(b, a, "and back");
    assert.ok(!b.received.some(({ text }) => text === "into the void"));
  });
}

function describeRequests(join: Join, connect: Connect): void {
  const serving =
    (handler: (from: PeerName, request: Uint8Array) => Promise<Uint8Array>) => (network: Network) =>
      network.handle(PROTOCOL, LIMITS, async (from, request) => {
        const response = await handler(from, request);
        return [response.subarray(0, 1), response.subarray(1, 1), response.subarray(1)];
      });
  const ask = (from: Node, to: Node, request: Uint8Array, limits = LIMITS, signal?: AbortSignal) =>
    from.network.request(to.network.self, PROTOCOL, request, limits, signal === undefined ? {} : { signal });

  test("a request is answered with the asker's name known, empty and large responses included", async () => {
    const a = await join();
    const b = await join(
      serving(async (from, request) => {
        if (request.length === 0) return new Uint8Array(0);
        return request.length === 1
          ? new Uint8Array(1_500_000).fill(7)
          : bytes(`${from}: ${Buffer.from(request)}`);
      }),
    );
    await connect(a, b);
    assert.equal(Buffer.from(await ask(a, b, bytes("hello"))).toString(), `${a.network.self}: hello`);
    assert.equal((await ask(a, b, bytes(""))).length, 0);
    const large = await ask(a, b, bytes("x"));
    assert.equal(large.length, 1_500_000);
    assert.ok(large.every((byte) => byte === 7));
  });

  test("many requests at once are each answered with their own response", async () => {
    const a = await join();
    const b = await join(serving(async (_from, request) => request));
    await connect(a, b);
    const texts = Array.from({ length: 12 }, (_, index) => `request ${index}`);
    const answers = await Promise.all(texts.map((text) => ask(a, b, bytes(text))));
    assert.deepEqual(
      answers.map((answer) => Buffer.from(answer).toString()),
      texts,
    );
  });

  test("a peer that asks for too much at once is refused the surplus only", async () => {
    const a = await join();
    const gate = Promise.withResolvers<void>();
    const b = await join(
      serving(async (_from, request) => {
        await gate.promise;
        return request;
      }),
    );
    await connect(a, b);
    const asked = Array.from({ length: 24 }, () => ask(a, b, bytes("x")));
    let settled = 0;
    for (const one of asked)
      one.then(
        () => settled++,
        () => settled++,
      );
    await until("the surplus is refused", () => settled === 8);
    gate.resolve();
    const results = await Promise.allSettled(asked);
    const refusals = results.filter((result) => result.status === "rejected");
    assert.equal(refusals.length, 8);
    for (const refusal of refusals) assert.ok(hasCode("NETWORK_REFUSED")(refusal.reason));
    assert.equal(Buffer.from(await ask(a, b, bytes("later"))).toString(), "later");
  });

  test("an unknown protocol is told from a handler that throws, and neither ends the connection", async () => {
    const [a, b] = [await join(), await join()];
    const c = await join(serving(() => Promise.reject(new Error("not today"))));
    await connect(a, b);
    await connect(a, c);
    await assert.rejects(ask(a, b, bytes("x")), hasCode("NETWORK_UNSUPPORTED"));
    await assert.rejects(ask(a, c, bytes("x")), hasCode("NETWORK_REFUSED"));
    assert.ok(isConnected(a, b) && isConnected(a, c));
  });

  test("a silent handler runs into the deadline, or the caller gives up first", async () => {
    const a = await join();
    const b = await join(serving(() => new Promise(() => {})));
    await connect(a, b);
    const hurried = { ...LIMITS, firstByteTimeoutMs: 50 };
    await assert.rejects(ask(a, b, bytes("x"), hurried), hasCode("NETWORK_TIMEOUT"));
    const controller = new AbortController();
    const reason = new Error("enough");
    const asked = ask(a, b, bytes("x"), LIMITS, controller.signal);
    controller.abort(reason);
    await assert.rejects(asked, reason);
    assert.ok(isConnected(a, b));
  });

  test("asking a stranger, or one that is lost on the way, says so", async () => {
    const a = await join();
    const asked = Promise.withResolvers<void>();
    const b = await join(
      serving(() => {
        asked.resolve();
        return new Promise(() => {});
      }),
    );
    await assert.rejects(ask(a, b, bytes("x")), hasCode("NETWORK_NOT_CONNECTED"));
    await connect(a, b);
    const pending = assert.rejects(ask(a, b, bytes("x")), hasCode("NETWORK_NOT_CONNECTED"));
    await asked.promise;
    await b.network.disconnect(a.network.self, "for the test");
    await pending;
  });

  test("our own oversize request is not sent; the peer's oversize request or response costs the connection", async () => {
    const a = await join();
    let calls = 0;
    const b = await join(
      serving(async () => {
        calls++;
        return new Uint8Array(5_000);
      }),
    );
    await connect(a, b);
    await assert.rejects(ask(a, b, new Uint8Array(1_001)), hasCode("NETWORK_OVERSIZE"));
    assert.ok(isConnected(a, b));

    const generous = { ...LIMITS, maxRequestBytes: 10_000 };
    await assert.rejects(ask(a, b, new Uint8Array(1_001), generous));
    await until("the asker is dropped", () => !isConnected(b, a) && !isConnected(a, b));
    assert.equal(calls, 0);

    await connect(a, b);
    await assert.rejects(
      ask(a, b, bytes("x"), { ...LIMITS, maxResponseBytes: 4_999 }),
      hasCode("NETWORK_OVERSIZE"),
    );
    await until("the answerer is dropped", () => !isConnected(a, b) && !isConnected(b, a));
  });
}
