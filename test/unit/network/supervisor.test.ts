import assert from "node:assert/strict";
import { test } from "node:test";
import { createSupervisor, type SupervisorOptions } from "../../../src/network/supervisor.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  createSeededRandom,
  type Network,
  type PeerName,
  silentLogger,
} from "../../../src/ports/index.ts";

/** Lets everything that only waits for microtasks happen. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const addressOf = (name: PeerName) => `/memory/${name}/p2p/${name}`;

function createWorld() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const hub = createMemoryNetworkHub({ clock, timers });
  const started = async (name: PeerName) => {
    const network = hub.join(name);
    await network.start();
    return network;
  };
  const supervise = (network: Network, options: SupervisorOptions) => {
    const deps = { network, clock, timers, random: createSeededRandom(1), logger: silentLogger };
    return createSupervisor(deps, options);
  };
  /** Time passes in steps, so that what one timer sets off is done before the next fires. */
  const pass = async (ms: number, stepMs = 100) => {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      timers.advance(stepMs);
      await settle();
    }
  };
  return { clock, timers, hub, started, supervise, pass };
}

const peersOf = (network: Network) => network.connections().map(({ peer }) => peer);

/** Counts dials and lets them through. */
function countDials(network: Network): { count: number; network: Network } {
  const counter = {
    count: 0,
    network: new Proxy(network, {
      get(target, property) {
        if (property === "dial") {
          return (...args: Parameters<Network["dial"]>) => {
            counter.count++;
            return target.dial(...args);
          };
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
  };
  return counter;
}

test("at the start every address is dialled at once", async () => {
  const { started, supervise } = createWorld();
  const [a] = [await started("a"), await started("b"), await started("c")];
  const supervisor = supervise(a, { addresses: [addressOf("b"), addressOf("c")] });
  supervisor.start();
  assert.deepEqual(
    supervisor.list().map(({ state }) => state),
    ["dialing", "dialing"],
  );
  await settle();
  assert.deepEqual(peersOf(a), ["b", "c"]);
  assert.deepEqual(
    supervisor.list().map(({ state, peer }) => [state, peer]),
    [
      ["connected", "b"],
      ["connected", "c"],
    ],
  );
  await supervisor.stop();
});

test("case 32: a peer that is away is redialled with growing waits of bounded length, for ever", async () => {
  const { started, supervise, pass, hub } = createWorld();
  const b = hub.join("b");
  const dials = countDials(await started("a"));
  const supervisor = supervise(dials.network, { addresses: [addressOf("b")] });
  supervisor.start();
  await pass(10_000);
  const early = dials.count;
  assert.ok(early >= 4 && early <= 8, `${early} dials in the first 10 s`);
  const [status] = supervisor.list();
  assert.equal(status?.state, "waiting");
  assert.equal(status?.lastError?.code, "NETWORK_DIAL_FAILED");
  assert.ok(status?.nextAttemptAtMs !== undefined);
  await pass(3_600_000, 1_000);
  const hourly = dials.count - early;
  assert.ok(hourly >= 120 && hourly <= 240, `${hourly} dials in an hour`);
  await b.start();
  await pass(30_000);
  assert.deepEqual(peersOf(dials.network), ["b"]);
  await supervisor.stop();
});

test("why a connection ended is told until it stands again", async () => {
  const { started, supervise, pass } = createWorld();
  const [a, b] = [await started("a"), await started("b")];
  const supervisor = supervise(a, { addresses: [addressOf("b")] });
  supervisor.start();
  await settle();
  await a.disconnect("b", "it is of another chain");
  await settle();
  assert.equal(supervisor.list()[0]?.lastError?.message, "the connection ended: it is of another chain");
  await pass(2_000);
  assert.deepEqual(peersOf(a), ["b"]);
  assert.equal(supervisor.list()[0]?.lastError, undefined);
  await supervisor.stop();
  await b.stop();
});

test("case 32: a partition longer than any backoff heals by itself, and at once with redialNow", async () => {
  const { started, supervise, pass } = createWorld();
  const [a, b] = [await started("a"), await started("b")];
  const supervisor = supervise(a, { addresses: [addressOf("b")] });
  supervisor.start();
  await settle();
  for (const heal of ["by itself", "at once"]) {
    await a.refuse("b");
    await pass(600_000, 1_000);
    assert.deepEqual(peersOf(b), []);
    a.allow("b");
    if (heal === "at once") {
      supervisor.redialNow();
      await settle();
    } else {
      await pass(31_000);
    }
    assert.deepEqual(peersOf(b), ["a"], heal);
  }
  await supervisor.stop();
});

test("a lost connection is dialled again after the first backoff, not in the same moment", async () => {
  const { started, supervise, pass } = createWorld();
  const [a, b] = [await started("a"), await started("b")];
  const supervisor = supervise(a, { addresses: [addressOf("b")] });
  supervisor.start();
  await pass(10_000);
  await b.disconnect("a", "for the test");
  await settle();
  assert.equal(supervisor.list()[0]?.state, "waiting");
  assert.deepEqual(peersOf(a), []);
  await pass(500);
  assert.deepEqual(peersOf(a), ["b"]);
  await supervisor.stop();
});

test("a peer that hangs up at once is not dialled in a loop", async () => {
  const { started, supervise, pass } = createWorld();
  const b = await started("b");
  b.on("connect", ({ peer }) => void b.disconnect(peer, "go away"));
  const dials = countDials(await started("a"));
  const supervisor = supervise(dials.network, { addresses: [addressOf("b")] });
  supervisor.start();
  await pass(600_000, 500);
  assert.ok(dials.count < 60, `${dials.count} dials in ten minutes`);
  await supervisor.stop();
});

test("a peer that came by itself counts as connected, and its address is left alone", async () => {
  const { started, supervise, pass, hub } = createWorld();
  const dials = countDials(await started("a"));
  const b = hub.join("b");
  const supervisor = supervise(dials.network, { addresses: [addressOf("b")] });
  supervisor.start();
  await settle();
  const before = dials.count;
  await b.start();
  await b.dial(addressOf("a"));
  await pass(120_000, 1_000);
  assert.equal(supervisor.list()[0]?.state, "connected");
  assert.equal(dials.count, before);
  await supervisor.stop();
});

test("one address is dialled once at a time, however often redialNow is called or it is added", async () => {
  const { started, supervise } = createWorld();
  await started("b");
  const dials = countDials(await started("a"));
  const supervisor = supervise(dials.network, { addresses: [addressOf("b"), addressOf("b")] });
  supervisor.start();
  supervisor.start();
  supervisor.add(addressOf("b"));
  supervisor.redialNow();
  supervisor.redialNow();
  await settle();
  supervisor.redialNow();
  assert.equal(dials.count, 1);
  await supervisor.stop();
});

test("addresses come and go while it runs; an address that can never be dialled is not tried again", async () => {
  const { started, supervise, pass, timers } = createWorld();
  await started("b");
  const dials = countDials(await started("a"));
  const supervisor = supervise(dials.network, {});
  supervisor.start();
  supervisor.add(addressOf("b"));
  supervisor.add(addressOf("a"));
  supervisor.add(addressOf("nobody"));
  await settle();
  const states = () => supervisor.list().map(({ state }) => state);
  assert.deepEqual(states(), ["connected", "invalid", "waiting"]);
  assert.equal(supervisor.remove(addressOf("nobody")).length, 1);
  assert.equal(supervisor.remove(addressOf("nobody")).length, 0);
  assert.equal(timers.pending, 0);
  const before = dials.count;
  await pass(120_000, 1_000);
  assert.equal(dials.count, before);
  assert.equal(supervisor.remove(addressOf("b")).length, 1);
  assert.deepEqual(peersOf(dials.network), ["b"]);
  await supervisor.stop();
});

test("an address with the name of the peer that is there, and without it, is one entry", async () => {
  const { started, supervise } = createWorld();
  const a = await started("a");
  await started("b");
  for (const [first, second] of [
    ["/memory/b", "/memory/b/p2p/b"],
    ["/memory/b/p2p/b", "/memory/b"],
  ] as const) {
    const supervisor = supervise(a, { addresses: [first] });
    supervisor.start();
    await settle();
    assert.equal(supervisor.add(second).peer, "b");
    assert.deepEqual(
      supervisor.list().map(({ address }) => address),
      [first],
    );
    assert.equal(supervisor.remove(second).length, 1);
    assert.deepEqual(supervisor.list(), []);
    await supervisor.stop();
  }
});

test("an address is kept besides the one with a name as long as nobody knows who is there", async () => {
  const { started, supervise } = createWorld();
  const supervisor = supervise(await started("a"), { addresses: ["/memory/b/p2p/b"] });
  supervisor.start();
  await settle();
  supervisor.add("/memory/b");
  assert.equal(supervisor.list().length, 2);
  supervisor.add("/memory/b/p2p/c");
  assert.equal(supervisor.list().length, 3);
  assert.equal(supervisor.remove("/memory/b/p2p/b").length, 2);
  assert.deepEqual(
    supervisor.list().map(({ address }) => address),
    ["/memory/b/p2p/c"],
  );
  await supervisor.stop();
});

test("a peer leaves with all its addresses, whichever of them or its name is given", async () => {
  for (const given of ["/memory/b", "/memory/other/p2p/b", "b"]) {
    const { started, supervise, pass } = createWorld();
    const a = await started("a");
    await started("b");
    await started("c");
    const supervisor = supervise(a, { addresses: ["/memory/b", "/memory/other/p2p/b", "/memory/c"] });
    supervisor.start();
    await settle();
    assert.deepEqual([...supervisor.wanted()], ["b", "c"]);
    assert.deepEqual(
      supervisor.remove(given).map(({ address }) => address),
      ["/memory/b", "/memory/other/p2p/b"],
      given,
    );
    await a.disconnect("b", "for the test");
    await pass(60_000, 1_000);
    assert.deepEqual(peersOf(a), ["c"]);
    assert.deepEqual([...supervisor.wanted()], ["c"]);
    await supervisor.stop();
  }
});

test("stop leaves no timer and no dial, and nothing redials afterwards", async () => {
  const { started, supervise, pass, timers } = createWorld();
  const [a, b] = [await started("a"), await started("b")];
  const supervisor = supervise(a, { addresses: [addressOf("b"), addressOf("nobody")] });
  supervisor.start();
  await settle();
  await supervisor.stop();
  assert.equal(timers.pending, 0);
  assert.deepEqual(peersOf(a), ["b"]);
  await b.disconnect("a", "for the test");
  await pass(60_000, 1_000);
  assert.deepEqual(peersOf(a), []);
});

test("only so many addresses are kept", async () => {
  const { started, supervise } = createWorld();
  const supervisor = supervise(await started("a"), {});
  for (let index = 0; index < 1_024; index++) supervisor.add(addressOf(`peer-${index}`));
  assert.throws(() => supervisor.add(addressOf("one-more")), RangeError);
});
