import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { createProtocols, type ProtocolHandlers } from "../../../src/network/index.ts";
import { createPeerFinder, type PeerFinderOptions } from "../../../src/node/peer-finder.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  createSeededRandom,
  silentLogger,
} from "../../../src/ports/index.ts";
import { createPeerBook } from "../../../src/sync/index.ts";

const CHAIN = "ab".repeat(32);
const names = await Promise.all(
  Array.from({ length: 40 }, async (_, n) =>
    peerIdFromPrivateKey(await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(n))).toString(),
  ),
);
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
};

function createWorld() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const hub = createMemoryNetworkHub({ clock, timers });
  let count = 0;

  /** A node that finds peers, at a public address unless another is given. */
  async function node(
    options: Partial<PeerFinderOptions> & { readonly ip?: string; readonly chain?: string } = {},
  ) {
    const n = count++;
    const { chain = CHAIN } = options;
    const { ip = `${20 + n}.1.1.1`, exchange = true, maxOutbound = 8 } = options;
    const network = hub.join(names[n] ?? "", `/ip4/${ip}/tcp/4001`);
    const banned = new Set<string>();
    const wanted = new Set<string>();
    const book = createPeerBook(network.self);
    const finder = createPeerFinder(
      {
        network,
        protocols: () => protocols,
        supervisor: { wanted: () => wanted },
        book,
        isBanned: (subject) => banned.has(subject),
        clock,
        timers,
        random: createSeededRandom(n),
        logger: silentLogger,
      },
      { exchange, maxOutbound },
    );
    const handlers: ProtocolHandlers = {
      status(peer, theirs) {
        finder.introduced(peer);
        return theirs;
      },
      headers: () => [],
      blocks: async () => [],
      mempoolLeaves: () => [],
      transaction: () => undefined,
      gossipedTransactions: async () => "ignore",
      gossipedBlock: async () => "ignore",
      peers: (peer, limit) => finder.told(peer, limit),
    };
    const protocols = createProtocols({ network, clock, timers, logger: silentLogger }, { chain }, handlers);
    await network.start();
    finder.start();
    const peers = () =>
      network
        .connections()
        .map(({ peer }) => names.indexOf(peer))
        .sort((a, b) => a - b);
    const address = network.addresses()[0] ?? "";
    const status = { version: 1, chain, head: chain, height: 0, work: 0n, firstHeight: 0 };
    // An honest node shows its status, or the others end the connection.
    network.on("connect", ({ peer }) => {
      protocols.requestStatus(peer, status).then(
        () => finder.introduced(peer),
        () => {},
      );
    });
    return { n, name: network.self, network, protocols, finder, book, banned, wanted, peers, address };
  }
  /** Time passes in steps, so that what one timer sets off is done before the next fires. */
  async function pass(ms: number, stepMs = 5_000) {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      timers.advance(stepMs);
      await settle();
    }
  }
  return { clock, timers, node, pass };
}

type FinderNode = Awaited<ReturnType<ReturnType<typeof createWorld>["node"]>>;

test("two that know the same peer meet: one asks it, and dials whom it is told of", async () => {
  const { node } = createWorld();
  const [a, b, c] = [await node(), await node(), await node()];
  await c.network.dial(b.address);
  await a.network.dial(b.address);
  await settle();
  assert.deepEqual(
    [a.peers(), b.peers(), c.peers()],
    [
      [1, 2],
      [0, 2],
      [0, 1],
    ],
  );
  assert.equal(a.book.get(c.name)?.source, "exchanged");
  assert.equal(c.network.connections().find(({ peer }) => peer === a.name)?.direction, "inbound");
});

test("thirty nodes that each know the first one end in one net, none with more connections of its own than it may have", async () => {
  const { node, pass } = createWorld();
  const nodes: FinderNode[] = [];
  for (let i = 0; i < 30; i++) nodes.push(await node({ maxOutbound: 4 }));
  for (const one of nodes.slice(1)) await one.network.dial(nodes[0]?.address ?? "");
  await pass(300_000);
  for (const { network, n } of nodes) {
    const outbound = network.connections().filter(({ direction }) => direction === "outbound").length;
    assert.ok(outbound <= 4, `node ${n} has ${outbound} of its own`);
  }
  assert.ok(nodes.slice(1).every(({ peers }) => peers().length >= 3));
  // The one that all knew goes away, and they are still one net.
  await nodes[0]?.network.stop();
  const seen = new Set([1]);
  for (let before = 0; before < seen.size; ) {
    before = seen.size;
    for (const n of [...seen]) for (const peer of nodes[n]?.peers() ?? []) seen.add(peer);
  }
  assert.equal(seen.size, 29);
});

test("where exchange is off nobody is asked, told or dialled", async () => {
  const { node, pass } = createWorld();
  const [a, b, c, d] = [
    await node(),
    await node({ exchange: false }),
    await node(),
    await node({ exchange: false }),
  ];
  await c.network.dial(b.address);
  await a.network.dial(b.address);
  await d.network.dial(a.address);
  await pass(120_000);
  assert.deepEqual([a.peers(), b.peers(), c.peers(), d.peers()], [[1, 3], [0, 2], [1], [0]]);
});

test("no more than two connections go to one public network, and nobody is dialled who is banned, refused or kept", async () => {
  const { node, pass, clock } = createWorld();
  const a = await node({ ip: "90.1.1.1" });
  for (let i = 1; i <= 6; i++) {
    const one = await node({ ip: `20.1.1.${i}`, exchange: false });
    a.book.learn(
      one.name,
      [one.address],
      { source: "exchanged", at: { ip: "9.9.9.9", port: 1, reach: "public", group: `g${i}` } },
      clock.nowMs(),
    );
  }
  const others = [
    await node({ exchange: false }),
    await node({ exchange: false }),
    await node({ exchange: false }),
    await node({ exchange: false }),
  ];
  const [banned, refused, kept, bannedPlace] = others;
  for (const { name, address } of others)
    a.book.learn(
      name,
      [address],
      { source: "exchanged", at: { ip: "9.9.9.9", port: 1, reach: "public", group: "g" } },
      clock.nowMs(),
    );
  a.banned.add(banned?.name ?? "");
  a.banned.add(`${20 + (bannedPlace?.n ?? 0)}.1.1.1`);
  await a.network.refuse(refused?.name ?? "");
  a.wanted.add(kept?.name ?? "");
  await pass(300_000);
  assert.equal(a.peers().filter((n) => n >= 1 && n <= 6).length, 2);
  assert.equal(a.peers().length, 2);
});

test("whoever is found on the local network is dialled at once, and all who are named there share one teller's places", async () => {
  const { node, pass } = createWorld();
  const [a, b] = [await node({ ip: "10.1.1.1" }), await node({ ip: "10.1.1.2" })];
  a.finder.discovered(b.name, [b.address]);
  await pass(500);
  assert.deepEqual(a.peers(), [b.n]);
  assert.equal(a.book.get(b.name)?.source, "mdns");
  const c = await node({ ip: "10.1.1.3" });
  a.banned.add(c.name);
  a.finder.discovered(c.name, [c.address]);
  for (let i = 0; i < 500; i++) {
    const peer = `invented ${i}`;
    a.finder.discovered(peer, [`/ip4/10.2.${i >> 8}.${i & 255}/tcp/1`, "/ip4/127.0.0.1/tcp/22"]);
    assert.deepEqual(
      a.book.get(peer)?.addresses.map(({ address }) => address.includes("127.")),
      [false],
    );
  }
  assert.ok(a.book.size <= 1 + 64, `${a.book.size} are known`);
  await pass(10_000);
  assert.deepEqual(a.peers(), [b.n], "a ban holds here too");
});

test("in a private network all may be dialled, and who is outside is told nothing of it", async () => {
  const { node, pass } = createWorld();
  const a = await node({ ip: "10.0.0.1" });
  const inside: FinderNode[] = [];
  for (let i = 2; i <= 6; i++) inside.push(await node({ ip: `10.0.0.${i}` }));
  const outside = await node();
  for (const one of inside) await one.network.dial(a.address);
  await outside.network.dial(a.address);
  await pass(120_000);
  for (const { peers } of inside) assert.equal(peers().length, 6);
  assert.deepEqual(a.finder.told(outside.name, 64), []);
  assert.equal(a.finder.told(inside[0]?.name ?? "", 64).length, 5);
});

test("a peer that answers nothing, or goes at once, is left alone for longer and longer", async () => {
  const { node, pass, clock } = createWorld();
  const [a, rude, other] = [await node(), await node({ exchange: false }), await node({ exchange: false })];
  await other.network.dial(a.address);
  let dials = 0;
  rude.network.on("connect", ({ peer }) => {
    dials += 1;
    void rude.network.disconnect(peer, "go away");
  });
  a.book.reached(rude.name, rude.address, "exchanged", clock.nowMs());
  await pass(3_600_000, 10_000);
  assert.ok(dials >= 4 && dials <= 8, `${dials} dials in an hour`);
});

test("a peer of another chain is let go at once, told to nobody, and forgotten", async () => {
  const { node, pass, clock } = createWorld();
  const [a, b] = [await node(), await node()];
  const foreign = await node({ chain: "cd".repeat(32) });
  await b.network.dial(a.address);
  let connects = 0;
  foreign.network.on("connect", () => (connects += 1));
  const at = { ip: "9.9.9.9", port: 1, reach: "public", group: "g" } as const;
  a.book.learn(foreign.name, [foreign.address], { source: "exchanged", at }, clock.nowMs());
  await pass(3_600_000, 10_000);
  assert.deepEqual([a.peers(), b.peers(), foreign.peers()], [[1], [0], []]);
  assert.equal(a.book.get(foreign.name), undefined);
  assert.deepEqual([b.book.get(foreign.name), foreign.book.get(a.name)], [undefined, undefined]);
  assert.equal(connects, 5);
});

test("stop leaves no timer, and nothing is dialled afterwards", async () => {
  const { node, timers, clock } = createWorld();
  const [a, b] = [await node(), await node({ exchange: false })];
  a.book.reached(b.name, b.address, "exchanged", clock.nowMs() - 60_000);
  await a.finder.stop();
  await b.finder.stop();
  assert.equal(timers.pending, 0);
  await a.network.dial(b.address);
  await a.network.disconnect(b.name, "for the test");
  await settle();
  assert.deepEqual(a.peers(), []);
});
