import assert from "node:assert/strict";
import { test } from "node:test";
import { createProtocols, type ProtocolHandlers, type Status } from "../../../src/network/index.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  silentLogger,
} from "../../../src/ports/index.ts";
import { bytesToHex } from "../../../src/primitives/index.ts";

const CHAIN = bytesToHex(new Uint8Array(32).fill(0xab));
const STATUS: Status = { version: 1, chain: CHAIN, head: CHAIN, height: 0, work: 0n, firstHeight: 0 };
const HANDLERS: ProtocolHandlers = {
  status: () => STATUS,
  headers: () => [],
  blocks: async () => [],
  mempoolLeaves: () => [],
  transaction: () => undefined,
  peers: () => [],
  gossipedTransactions: async () => "ignore",
  gossipedBlock: async () => "ignore",
};
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function createWorld() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const hub = createMemoryNetworkHub({ clock, timers });
  const node = async (name: string) => {
    const network = hub.join(name);
    const protocols = createProtocols(
      { network, clock, timers, logger: silentLogger },
      { chain: CHAIN },
      HANDLERS,
    );
    await network.start();
    return { network, protocols };
  };
  const silent = hub.join("silent");
  await silent.start();
  const a = await node("a");
  const reasons: string[] = [];
  a.network.on("disconnect", (_peer, reason) => reasons.push(reason));
  const pass = async (ms: number) => {
    timers.advance(ms);
    await settle();
  };
  return { ...a, silent, node, timers, reasons, pass };
}

const peersOf = ({ network }: Pick<Awaited<ReturnType<typeof createWorld>>, "network">) =>
  network.connections().map(({ peer }) => peer);

test("a peer that shows no status within 30 s is disconnected, with the reason", async () => {
  const world = await createWorld();
  await world.silent.dial("/memory/a");
  await world.pass(29_999);
  assert.deepEqual(peersOf(world), ["silent"]);
  await world.pass(1);
  assert.deepEqual(peersOf(world), []);
  assert.deepEqual(world.reasons, ["it showed no status within 30 s"]);
});

test("a peer that comes back begins a wait of its own", async () => {
  const world = await createWorld();
  await world.silent.dial("/memory/a");
  await world.pass(20_000);
  await world.silent.disconnect("a", "for the test");
  assert.equal(world.timers.pending, 0);
  await world.silent.dial("/memory/a");
  await world.pass(20_000);
  assert.deepEqual(peersOf(world), ["silent"]);
  await world.pass(10_000);
  assert.deepEqual(peersOf(world), []);
});

for (const who of ["asked", "was asked"] as const) {
  test(`a peer that ${who} for a status stays`, async () => {
    const world = await createWorld();
    const b = await world.node("b");
    await b.network.dial("/memory/a");
    if (who === "asked") await b.protocols.requestStatus("a", STATUS);
    else await world.protocols.requestStatus("b", STATUS);
    await world.pass(60_000);
    assert.deepEqual(peersOf(world), ["b"]);
  });
}

test("nothing waits after the protocols have stopped", async () => {
  const world = await createWorld();
  await world.silent.dial("/memory/a");
  world.protocols.stop();
  assert.equal(world.timers.pending, 0);
  await world.silent.disconnect("a", "for the test");
  await world.silent.dial("/memory/a");
  assert.equal(world.timers.pending, 0);
});
