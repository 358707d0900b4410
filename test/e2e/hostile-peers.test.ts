import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { MAX_COMPACT_BLOCK_BYTES, MAX_TRANSACTIONS_MESSAGE_BYTES } from "../../src/network/wire.ts";
import { assembleBlock, type Block, encodeBody, specToJson } from "../../src/primitives/index.ts";
import { type ActingPeer, type ActingPeerOptions, createActingPeer } from "../support/acting-peer.ts";
import { createBlockBuilder, testGenesis, transfer } from "../support/block-builder.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";
import { encodedBlocks } from "../support/encoded-blocks.ts";
import { createHostilePeer, framed, gossipFrame } from "../support/hostile-peer.ts";

const genesis = testGenesis();
const name = (kind: string) => `/cumulo/${genesis.chain8}/${kind}/1`;
const GOSSIP = "/meshsub/1.2.0";

async function startDaemon(t: TestContext): Promise<Daemon> {
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  return await lab.start({ genesisFile });
}

const seesPeers = (daemon: Daemon, count: number) =>
  poll(`the daemon has ${count} peers`, async () => (await daemon.client.status()).peers === count);

/** The reason in the daemon's log why it dropped the peer. */
async function dropped(daemon: Daemon, peer: string, what = "a liar"): Promise<string> {
  return await poll(`the daemon says why it drops ${what}`, () => {
    const line = daemon.logged().find((one) => one["peer"] === peer && one["level"] === 40);
    return typeof line?.["reason"] === "string" ? line["reason"] : undefined;
  });
}

async function staysWell(daemon: Daemon): Promise<void> {
  assert.equal(daemon.exit(), undefined);
  await seesPeers(daemon, 0);
  assert.equal((await daemon.client.mining({ mode: "blocks", count: 1 })).blocks.length, 1);
  assert.deepEqual(
    daemon.logged().filter(({ level }) => Number(level) >= 50),
    [],
    "nothing went past where it belongs",
  );
}

interface Attack {
  readonly what: string;
  readonly reason: RegExp;
  readonly run: (connection: Connection) => Promise<void>;
}

const send = (protocol: string, bytes: Uint8Array) => async (connection: Connection) => {
  const stream = await connection.newStream(protocol);
  stream.send(bytes);
};

const requests: Attack[] = ["status", "headers", "blocks", "txs", "peers"].flatMap((kind) =>
  [
    {
      what: `${kind}: a claimed length of 256 MB`,
      bytes: Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
      reason: /oversize/,
    },
    { what: `${kind}: a length that never ends`, bytes: new Uint8Array(64).fill(0xff), reason: /malformed/ },
    { what: `${kind}: an empty request`, bytes: framed(new Uint8Array(0)), reason: /malformed/ },
    // 98 bytes fit no request: with 97 random ones, one in 256 was a selector and three leaves. One for peers has 4.
    { what: `${kind}: random bytes`, bytes: framed(randomBytes(98)), reason: /malformed|oversize/ },
  ].map(({ what, bytes, reason }) => ({ what, reason, run: send(name(kind), bytes) })),
);

const gossip: Attack[] = [
  ["txs: random bytes", "txs", randomBytes(300), /malformed gossip/],
  ["txs: an empty batch", "txs", new Uint8Array(0), /malformed gossip/],
  ["txs: more than the limit", "txs", randomBytes(MAX_TRANSACTIONS_MESSAGE_BYTES + 1), /oversize gossip/],
  ["blocks: random bytes", "blocks", randomBytes(500), /malformed gossip/],
  ["blocks: more than the limit", "blocks", randomBytes(MAX_COMPACT_BLOCK_BYTES + 1), /oversize gossip/],
].map(([what, topic, data, reason]) => ({
  what: `gossip of ${what}`,
  reason: reason as RegExp,
  run: send(GOSSIP, gossipFrame(name(topic as string), data as Uint8Array)),
}));

test("case 29: malformed and oversize bytes to every protocol and topic cost the connection, with a reason, and nothing else", async (t) => {
  const daemon = await startDaemon(t);
  for (const { what, reason, run } of [...requests, ...gossip]) {
    const hostile = await createHostilePeer();
    try {
      const connection = await hostile.dial(multiaddr(daemon.multiaddr));
      await seesPeers(daemon, 1);
      await run(connection);
      assert.match(await dropped(daemon, hostile.peerId.toString(), what), reason, what);
      await seesPeers(daemon, 0);
    } finally {
      await hostile.stop();
    }
  }
  await staysWell(daemon);
});

test("case 29: answers of random bytes, too many bytes and bytes nobody asked for cost the connection", async (t) => {
  const daemon = await startDaemon(t);
  const answers: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["random bytes", framed(randomBytes(120)), /malformed status response/],
    ["a claimed length of 256 MB", Uint8Array.of(0xff, 0xff, 0xff, 0x7f), /oversize response/],
    ["more than one frame", Buffer.concat([framed(randomBytes(8)), randomBytes(8)]), /malformed response/],
  ];
  for (const [what, bytes, reason] of answers) {
    const hostile: Libp2p = await createHostilePeer();
    try {
      // The daemon asks for the status as soon as they are connected.
      await hostile.handle(name("status"), (stream: Stream) => void stream.send(bytes));
      await hostile.dial(multiaddr(daemon.multiaddr));
      assert.match(await dropped(daemon, hostile.peerId.toString(), what), reason, what);
    } finally {
      await hostile.stop();
    }
  }
  await staysWell(daemon);
});

const builder = createBlockBuilder(genesis);
const honestBlocks = Array.from({ length: 150 }, (_, nonce) =>
  builder.build({ transactions: [transfer(genesis, { from: "alice", to: "bob", amount: 5, nonce })] }),
);

/** Connects a peer that answers as given to the daemon; it ends with the test. */
async function bring(
  t: TestContext,
  daemon: Daemon,
  options: Omit<ActingPeerOptions, "genesis">,
): Promise<ActingPeer> {
  const peer = await createActingPeer({ genesis, ...options });
  t.after(() => peer.stop());
  await peer.network.dial(daemon.multiaddr);
  return peer;
}

const forged = (extra: Partial<Parameters<typeof builder.build>[0]>): Block[] => {
  const own = createBlockBuilder(genesis);
  return [own.build(extra), ...own.extend(5)];
};

test("case 29: a header chain that claims more work than it shows costs the connection", async (t) => {
  const daemon = await startDaemon(t);
  const blocks = honestBlocks.slice(0, 3);
  const liar = await bring(t, daemon, { blocks, claim: { work: 2n ** 80n, height: 1_000_000 } });
  assert.match(await dropped(daemon, liar.name), /claims more work than it shows/);
  assert.equal((await daemon.client.status()).head.height, 0, "nothing of it is fetched");
  await staysWell(daemon);
});

test("case 29: headers without work, out of order, or from nowhere cost the connection", async (t) => {
  const daemon = await startDaemon(t);
  const unmined = forged({ unmined: true });
  const [first, second, third] = honestBlocks as [Block, Block, Block];
  const lies: readonly (readonly [readonly Block[], RegExp])[] = [
    [unmined, /HDR-03/],
    [[first, third, second], /HDR-11/],
    [[second, third], /HDR-11/],
  ];
  for (const [blocks, reason] of lies) {
    const headers = () => blocks.map(({ header }) => header);
    const claim = { work: 10_000n };
    const liar = await bring(t, daemon, { blocks, claim, answers: { headers } });
    assert.match(await dropped(daemon, liar.name), reason);
  }
  assert.equal((await daemon.client.status()).head.height, 0);
  await staysWell(daemon);
});

test("case 6: a block with a wrong state root, and then a header chain on top of it, cost their senders the connection", async (t) => {
  const daemon = await startDaemon(t);
  const blocks = forged({ tweak: (core) => ({ ...core, stateRoot: randomBytes(32) }) });
  const first = await bring(t, daemon, { blocks: blocks.slice(0, 1) });
  assert.match(await dropped(daemon, first.name), /STA-01/);
  const second = await bring(t, daemon, { blocks });
  assert.match(await dropped(daemon, second.name), /HDR-12/);
  assert.equal((await daemon.client.status()).head.height, 0);
  await staysWell(daemon);
});

test("case 30: a mutated body costs its sender the connection, and an honest peer still completes the sync", async (t) => {
  const daemon = await startDaemon(t);
  const honestIsThere = Promise.withResolvers<void>();
  const isAsked = Promise.withResolvers<void>();
  const mutated = honestBlocks.map((block, i) =>
    i === 100 ? assembleBlock(block.header, encodeBody([], new Uint8Array())) : block,
  );
  const liar = await bring(t, daemon, {
    blocks: mutated,
    answers: {
      async blocks(_peer, ids) {
        isAsked.resolve();
        await honestIsThere.promise;
        return encodedBlocks(mutated, ids);
      },
    },
  });
  await isAsked.promise;
  await bring(t, daemon, { blocks: honestBlocks });
  await seesPeers(daemon, 2);
  honestIsThere.resolve();
  assert.match(await dropped(daemon, liar.name), /BLK-02/);
  await poll(
    "the sync completes",
    async () => (await daemon.client.status()).head.id === honestBlocks.at(-1)?.header.id,
  );
  await seesPeers(daemon, 1);
  assert.deepEqual(
    (await daemon.client.tips()).items.map(({ state }) => state),
    ["head"],
    "the block id was not held against anybody",
  );
});
