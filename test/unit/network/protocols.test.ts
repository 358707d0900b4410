import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createProtocols,
  type ProtocolHandlers,
  type ProtocolQuotas,
  type Status,
  type ToldPeer,
} from "../../../src/network/index.ts";
import * as wire from "../../../src/network/wire.ts";
import { encodePeers } from "../../../src/network/wire-peers.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  type GossipVerdict,
  type NetworkErrorCode,
  silentLogger,
} from "../../../src/ports/index.ts";
import {
  type Block,
  bytesToHex,
  concatBytes,
  type SealedTransaction,
} from "../../../src/primitives/index.ts";
import { encodedBlocks } from "../../support/encoded-blocks.ts";
import { sampleBlock, sampleTransaction } from "../../support/sample-chain.ts";

const CHAIN = bytesToHex(new Uint8Array(32).fill(0xab));
const PEER = "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT";
const peerAt = (peer: string): ToldPeer => ({ peer, addresses: ["/ip4/20.1.1.1/tcp/4001"] });
const NO_LEAF = bytesToHex(new Uint8Array(32));
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const hasCode = (code: NetworkErrorCode) => (error: unknown) => (error as { code?: unknown }).code === code;
const statusOf = (height: number, chain = CHAIN): Status => ({
  version: 1,
  chain,
  head: bytesToHex(new Uint8Array(32).fill(height)),
  height,
  work: BigInt(height),
  firstHeight: 0,
});

function createWorld() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const hub = createMemoryNetworkHub({ clock, timers });

  interface NodeOptions {
    readonly blocks?: readonly Block[];
    readonly transactions?: readonly SealedTransaction[];
    readonly verdict?: GossipVerdict;
    readonly peers?: readonly ToldPeer[];
    readonly quotas?: Partial<ProtocolQuotas>;
    readonly handlers?: Partial<ProtocolHandlers>;
    readonly chain?: string;
  }

  async function node(name: string, options: NodeOptions = {}) {
    const { blocks = [], transactions = [], verdict = "accept" } = options;
    const network = hub.join(name);
    const gossiped: string[] = [];
    const faults: { readonly peer: string; readonly reason: string }[] = [];
    network.on("fault", (peer, reason) => faults.push({ peer, reason }));
    const handlers: ProtocolHandlers = {
      status: () => statusOf(blocks.length, options.chain),
      headers: () => blocks.map(({ header }) => header),
      blocks: async (_peer, ids) => encodedBlocks(blocks, ids),
      mempoolLeaves: (_peer, after, limit) =>
        transactions
          .map(({ leaf }) => leaf)
          .sort()
          .filter((leaf) => leaf > after)
          .slice(0, limit),
      transaction: (_peer, leaf) => transactions.find((one) => one.leaf === leaf),
      peers: () => options.peers ?? [],
      async gossipedTransactions(from, batch) {
        gossiped.push(`${from} sent ${batch.length} transactions`);
        return verdict;
      },
      async gossipedBlock(from, block) {
        gossiped.push(`${from} sent block ${block.header.header.core.height} of ${block.leaves.length}`);
        return verdict;
      },
      ...options.handlers,
    };
    const deps = { network, clock, timers, logger: silentLogger };
    const protocols = createProtocols(
      deps,
      { chain: options.chain ?? CHAIN, ...(options.quotas && { quotas: options.quotas }) },
      handlers,
    );
    await network.start();
    return { network, protocols, gossiped, faults, name };
  }
  /** A node that says what ours would not: it answers a protocol, or asks one, with bytes of its own. */
  async function bare(name: string, kind: string, answer: Uint8Array) {
    const network = hub.join(name);
    network.handle(`/cumulo/${CHAIN.slice(0, 8)}/${kind}/1`, BARE_LIMITS, async () => [answer]);
    network.subscribe(`/cumulo/${CHAIN.slice(0, 8)}/txs/1`, 100_000, async () => "accept");
    network.subscribe(`/cumulo/${CHAIN.slice(0, 8)}/blocks/1`, 3_000_000, async () => "accept");
    await network.start();
    return network;
  }
  return { clock, timers, node, bare };
}

const BARE_LIMITS = {
  maxRequestBytes: 100_000,
  maxResponseBytes: 10_000_000,
  firstByteTimeoutMs: 5_000,
  totalTimeoutMs: 10_000,
};
type Node = Awaited<ReturnType<ReturnType<typeof createWorld>["node"]>>;
const connect = (from: Node, to: { readonly network: { readonly self: string } }) =>
  from.network.dial(`/memory/${to.network.self}`);

const transactions = Array.from({ length: 10 }, (_, nonce) => sampleTransaction(nonce));
const blocks = Array.from({ length: 5 }, (_, index) => sampleBlock(index + 1, transactions.slice(0, index)));
const ids = blocks.map(({ header }) => header.id);

test("peers exchange where they stand", async () => {
  const { node } = createWorld();
  let told: Status | undefined;
  const status: ProtocolHandlers["status"] = (_peer, theirs) => {
    told = theirs;
    return statusOf(9);
  };
  const [a, b] = [await node("a"), await node("b", { handlers: { status } })];
  await connect(a, b);
  assert.deepEqual(await a.protocols.requestStatus("b", statusOf(4)), statusOf(9));
  assert.deepEqual(told, statusOf(4));
});

test("a peer of a chain whose name begins alike is told apart by its whole id, and dropped", async () => {
  const { node } = createWorld();
  const alike = `${CHAIN.slice(0, 8)}${"0".repeat(56)}`;
  const [a, b] = [await node("a"), await node("b", { chain: alike })];
  await connect(a, b);
  await assert.rejects(a.protocols.requestStatus("b", statusOf(1)));
  assert.deepEqual(b.network.connections(), []);
});

test("headers come in the order given, at most as many as asked for, up to the stop", async () => {
  const { node } = createWorld();
  const [a, b] = [await node("a"), await node("b", { blocks })];
  await connect(a, b);
  const ask = async (maxCount: number, stop?: string) => {
    const headers = await a.protocols.requestHeaders("b", { locator: [CHAIN], stop, maxCount });
    return headers.map(({ id }) => id);
  };
  assert.deepEqual(await ask(2_000), ids);
  assert.deepEqual(await ask(2), ids.slice(0, 2));
  assert.deepEqual(await ask(2_000, ids[2]), ids.slice(0, 3));
});

test("blocks come as a prefix of what was asked, ending at the first that is unknown", async () => {
  const { node } = createWorld();
  const [a, b] = [await node("a"), await node("b", { blocks })];
  await connect(a, b);
  const got = await a.protocols.requestBlocks("b", [ids[3] ?? "", ids[1] ?? "", CHAIN, ids[0] ?? ""]);
  assert.deepEqual(
    got.map(({ header }) => header.id),
    [ids[3], ids[1]],
  );
  assert.deepEqual(got[0]?.bodyBytes, blocks[3]?.bodyBytes);
});

test("blocks that do not fit one response are left for the next", async () => {
  const { node } = createWorld();
  const big = Array.from({ length: 5 }, (_, index) =>
    sampleBlock(
      index + 1,
      Array.from({ length: 4_000 }, (_, nonce) => sampleTransaction(nonce, 64)),
    ),
  );
  const [a, b] = [await node("a"), await node("b", { blocks: big })];
  await connect(a, b);
  const wanted = big.map(({ header }) => header.id);
  const first = await a.protocols.requestBlocks("b", wanted);
  assert.ok(first.length >= 1 && first.length < wanted.length);
  const second = await a.protocols.requestBlocks("b", wanted.slice(first.length));
  assert.equal(first.length + second.length, wanted.length);
});

test("a mempool is listed in pages, and what is missing is fetched", async () => {
  const { node } = createWorld();
  const [a, b] = [await node("a"), await node("b", { transactions })];
  await connect(a, b);
  const leaves: string[] = [];
  for (let after = NO_LEAF; ; after = leaves.at(-1) ?? NO_LEAF) {
    const page = await a.protocols.listMempool("b", after, 4);
    if (page.length === 0) break;
    leaves.push(...page);
  }
  assert.deepEqual(leaves, transactions.map(({ leaf }) => leaf).sort());
  const unknown = bytesToHex(new Uint8Array(32).fill(0xee));
  const got = await a.protocols.requestTransactions("b", [
    ...leaves.slice(0, 3),
    unknown,
    ...leaves.slice(5),
  ]);
  assert.deepEqual(
    got.map(({ leaf }) => leaf),
    [...leaves.slice(0, 3), ...leaves.slice(5)],
  );
});

test("transactions and blocks are gossiped, and forwarded as the verdict says", async () => {
  for (const verdict of ["accept", "ignore"] as const) {
    const { node } = createWorld();
    const [a, b, c] = [await node("a"), await node("b", { verdict }), await node("c")];
    await connect(a, b);
    await connect(b, c);
    a.protocols.publishTransactions(transactions);
    const [block] = blocks;
    assert.ok(block);
    await a.protocols.publishBlock({ header: block.header, leaves: [], engineData: new Uint8Array(0) });
    await settle();
    assert.deepEqual(b.gossiped, ["a sent 10 transactions", "a sent block 1 of 0"]);
    assert.deepEqual(
      c.gossiped,
      verdict === "accept" ? ["b sent 10 transactions", "b sent block 1 of 0"] : [],
    );
  }
});

test("peers are told as many as were asked for, and asking on and on is refused", async () => {
  const { node } = createWorld();
  const a = await node("a");
  const b = await node("b", {
    peers: [peerAt(PEER), peerAt("12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1NkJ")],
  });
  await connect(a, b);
  assert.deepEqual(await a.protocols.requestPeers("b", 1), [peerAt(PEER)]);
  for (let i = 0; i < 3; i++) assert.equal((await a.protocols.requestPeers("b", 64)).length, 2);
  await assert.rejects(a.protocols.requestPeers("b", 64), hasCode("NETWORK_REFUSED"));
});

test("a node of another chain is let go as soon as it is asked, and that is no fault", async () => {
  const { node } = createWorld();
  const [a, b] = [await node("a"), await node("b", { chain: "cd".repeat(32) })];
  const reasons: string[] = [];
  a.network.on("disconnect", (_peer, reason) => reasons.push(reason));
  await connect(a, b);
  await assert.rejects(a.protocols.requestStatus("b", statusOf(0)), hasCode("NETWORK_UNSUPPORTED"));
  assert.match(reasons.join(), /another chain/);
  assert.deepEqual([...a.faults, ...b.faults], []);
});

for (const kind of ["txs", "blocks"]) {
  test(`malformed gossip of ${kind} costs the connection, and is told as a fault`, async () => {
    const { node, bare } = createWorld();
    const b = await node("b");
    const hostile = await bare("hostile", "nothing", new Uint8Array(0));
    await hostile.dial("/memory/b");
    await hostile.publish(`/cumulo/${CHAIN.slice(0, 8)}/${kind}/1`, new Uint8Array(50));
    await settle();
    assert.deepEqual(b.network.connections(), []);
    assert.deepEqual(b.gossiped, []);
    assert.ok(b.faults.some(({ peer }) => peer === "hostile"));
  });
}

const nonsense = new Uint8Array(50).fill(3);
for (const kind of ["status", "headers", "blocks", "txs", "peers"]) {
  test(`a malformed ${kind} request costs the connection, and no handler sees it`, async () => {
    const { node, bare } = createWorld();
    const b = await node("b");
    const hostile = await bare("hostile", "nothing", new Uint8Array(0));
    await hostile.dial("/memory/b");
    await assert.rejects(
      hostile.request("b", `/cumulo/${CHAIN.slice(0, 8)}/${kind}/1`, nonsense, BARE_LIMITS),
    );
    assert.deepEqual(b.network.connections(), []);
    assert.ok(b.faults.some(({ peer }) => peer === "hostile"));
  });
}

const [first, second] = [blocks[0], blocks[1]];
assert.ok(first && second);
const ofBlock = (block: Block) => ({ headerBytes: block.header.bytes, bodyBytes: block.bodyBytes });
const wrongAnswers: readonly [string, string, Uint8Array, (node: Node) => Promise<unknown>][] = [
  ["nonsense for a status", "status", nonsense, (a) => a.protocols.requestStatus("b", statusOf(1))],
  [
    "the status of another chain",
    "status",
    wire.encodeStatus(statusOf(1, NO_LEAF)),
    (a) => a.protocols.requestStatus("b", statusOf(1)),
  ],
  [
    "more headers than asked for",
    "headers",
    wire.encodeHeaders([first.header, second.header]),
    (a) => a.protocols.requestHeaders("b", { locator: [], stop: undefined, maxCount: 1 }),
  ],
  [
    "another block than asked for",
    "blocks",
    concatBytes(...wire.encodeBlocks([ofBlock(second)])),
    (a) => a.protocols.requestBlocks("b", [first.header.id]),
  ],
  [
    "more blocks than asked for",
    "blocks",
    concatBytes(...wire.encodeBlocks([ofBlock(first), ofBlock(second)])),
    (a) => a.protocols.requestBlocks("b", [first.header.id]),
  ],
  [
    "leaves from before the page",
    "txs",
    wire.encodeLeafList([NO_LEAF]),
    (a) => a.protocols.listMempool("b", NO_LEAF, 10),
  ],
  [
    "more leaves than asked for",
    "txs",
    wire.encodeLeafList([CHAIN, "f".repeat(64)]),
    (a) => a.protocols.listMempool("b", NO_LEAF, 1),
  ],
  [
    "more peers than asked for",
    "peers",
    encodePeers([PEER, "12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1NkJ"].map(peerAt)),
    (a) => a.protocols.requestPeers("b", 1),
  ],
  [
    "a transaction nobody asked for",
    "txs",
    wire.encodeTransactions(transactions.slice(0, 1)),
    (a) => a.protocols.requestTransactions("b", [CHAIN]),
  ],
];
for (const [what, kind, answer, ask] of wrongAnswers) {
  test(`${what} is no answer and costs the connection`, async () => {
    const { node, bare } = createWorld();
    const a = await node("a");
    await bare("b", kind, answer);
    await a.network.dial("/memory/b");
    await assert.rejects(ask(a), hasCode("NETWORK_MALFORMED"));
    assert.deepEqual(a.network.connections(), []);
    assert.ok(a.faults.some(({ peer }) => peer === "b"));
  });
}

test("asking beyond the quota is refused, asking on and on costs the connection", async () => {
  const { node, bare } = createWorld();
  const b = await node("b", { blocks, quotas: { blocks: { burst: 5, perSecond: 1 } } });
  const greedy = await bare("greedy", "nothing", new Uint8Array(0));
  await greedy.dial("/memory/b");
  const ask = () =>
    greedy.request("b", `/cumulo/${CHAIN.slice(0, 8)}/blocks/1`, wire.encodeBlocksRequest(ids), BARE_LIMITS);
  await ask();
  await assert.rejects(ask(), hasCode("NETWORK_REFUSED"));
  assert.equal(b.network.connections().length, 1);
  await assert.rejects(ask());
  await assert.rejects(ask());
  assert.deepEqual(b.network.connections(), []);
});

test("our own requests wait for the quota instead of passing it", async () => {
  const { node, timers } = createWorld();
  const quotas = { blocks: { burst: 10, perSecond: 10 } };
  const [a, b] = [await node("a", { quotas }), await node("b", { blocks, quotas })];
  await connect(a, b);
  await a.protocols.requestBlocks("b", ids);
  let answered = false;
  const later = a.protocols.requestBlocks("b", ids).then(() => {
    answered = true;
  });
  await settle();
  assert.equal(answered, false);
  timers.advance(1_000);
  await later;
  await assert.rejects(
    Promise.all(Array.from({ length: 40 }, () => a.protocols.requestBlocks("b", ids))),
    hasCode("NETWORK_REFUSED"),
  );
  assert.equal(b.network.connections().length, 1);
});

test("a silent peer is given up after 5 s, and stop leaves no timer of ours", async () => {
  const { node, timers } = createWorld();
  const headers: ProtocolHandlers["headers"] = () => new Promise(() => {});
  const [a, b] = [await node("a"), await node("b", { handlers: { headers } })];
  await connect(a, b);
  const asked = assert.rejects(
    a.protocols.requestHeaders("b", { locator: [], stop: undefined, maxCount: 1 }),
    hasCode("NETWORK_TIMEOUT"),
  );
  await settle();
  timers.advance(5_000);
  await asked;
  a.protocols.publishTransactions(transactions);
  a.protocols.stop();
  b.protocols.stop();
  assert.equal(timers.pending, 0);
});
