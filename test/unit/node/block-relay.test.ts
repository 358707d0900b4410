import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chain } from "../../../src/chain/index.ts";
import { createMempool } from "../../../src/mempool/index.ts";
import type { Protocols } from "../../../src/network/index.ts";
import { type BlockRelay, createBlockRelay } from "../../../src/node/block-relay.ts";
import { createManualClock, silentLogger } from "../../../src/ports/index.ts";
import { leavesRoot, type SealedHeader } from "../../../src/primitives/index.ts";
import { type BlockBuilder, createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";
import { until } from "../../support/until.ts";

interface Lab {
  readonly chain: Chain;
  readonly relay: BlockRelay;
  readonly builder: BlockBuilder;
  /** Peers whose status was asked for, and those that were punished. */
  readonly asked: string[];
  readonly punished: string[];
  /** Block, peer and rule of refusals. */
  readonly refused: string[][];
}

/** A relay over a real chain; peers never answer requests. */
async function createLab(): Promise<Lab> {
  const genesis = testGenesis();
  const chain = await openTestChain(genesis);
  const asked: string[] = [];
  const punished: string[] = [];
  const refused: string[][] = [];
  const silence = new Promise<never>(() => {});
  const protocols: Pick<Protocols, "requestTransactions" | "requestBlocks"> = {
    requestTransactions: () => silence,
    requestBlocks: () => silence,
  };
  const relay = createBlockRelay({
    chain,
    mempool: createMempool(genesis.spec),
    clock: createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000),
    logger: silentLogger,
    protocols: () => protocols as Protocols,
    punish: (peer) => punished.push(peer),
    askStatus: (peer) => asked.push(peer),
    headerSeen: () => {},
    noteRefusal: ({ id }, peer, { code }) => refused.push([id, peer, code]),
  });
  return { chain, relay, builder: createBlockBuilder(genesis), asked, punished, refused };
}

const withoutBody = (header: SealedHeader, leaves: readonly Uint8Array[] = []) => ({
  header,
  leaves,
  engineData: new Uint8Array(),
});

test("an announced block without transactions is forwarded and connected", async () => {
  const { chain, relay, builder } = await createLab();
  const { header } = builder.build();
  assert.equal(await relay.announced("peer", withoutBody(header)), "accept");
  await until("it is the head", () => chain.head.id === header.id);
  assert.equal(await relay.announced("peer", withoutBody(header)), "ignore");
  await chain.close();
});

test("an announcement of more leaves than a block can hold costs the connection before they are hashed", async () => {
  const { chain, relay, builder, punished } = await createLab();
  const leaves = Array.from({ length: 65_536 }, () => new Uint8Array(32));
  const { header } = builder.build();
  assert.equal(await relay.announced("liar", withoutBody(header, leaves)), "reject");
  assert.deepEqual(punished, ["liar"]);
  await chain.close();
});

test("case 15: leaves that are not the header's cost the connection; the honest announcement is taken afterwards", async () => {
  const { chain, relay, builder, punished } = await createLab();
  const { header } = builder.build();
  assert.equal(await relay.announced("liar", withoutBody(header, [new Uint8Array(32)])), "reject");
  assert.deepEqual(punished, ["liar"]);
  assert.equal(await relay.announced("honest", withoutBody(header)), "accept");
  await until("it is the head", () => chain.head.id === header.id);
  await chain.close();
});

test("a leaf that stands twice costs the connection, and nobody is asked for it twice", async () => {
  const { chain, relay, builder, punished } = await createLab();
  const leaves = [new Uint8Array(32).fill(9), new Uint8Array(32).fill(9)];
  const { header } = builder.build({ tweak: (core) => ({ ...core, transactionsRoot: leavesRoot(leaves) }) });
  assert.equal(await relay.announced("liar", withoutBody(header, leaves)), "reject");
  assert.deepEqual(punished, ["liar"]);
  await chain.close();
});

test("case 28: a block whose parent is unknown is not forwarded, nobody is blamed, and its sender is asked where it stands", async () => {
  const { chain, relay, builder, asked, punished } = await createLab();
  builder.build();
  const { header } = builder.build();
  assert.equal(await relay.announced("peer", withoutBody(header)), "ignore");
  assert.deepEqual([asked, punished], [["peer"], []]);
  await chain.close();
});

test("leaves of a block that has no place on our chain are not hashed: wrong ones go unnoticed", async () => {
  const { chain, relay, builder, asked, punished } = await createLab();
  builder.build();
  const { header } = builder.build();
  assert.equal(await relay.announced("peer", withoutBody(header, [new Uint8Array(32)])), "ignore");
  assert.deepEqual([asked, punished], [["peer"], []]);
  await chain.close();
});

test("a peer that announces and withholds many blocks holds up nobody else's", async () => {
  const { chain, relay, builder, asked } = await createLab();
  const root = builder.tip;
  const leaves = [new Uint8Array(32).fill(9)];
  for (let i = 1; i <= 64; i++) {
    const { header } = builder.build({
      parent: root,
      tweak: (core) => ({ ...core, timestampMs: core.timestampMs + i, transactionsRoot: leavesRoot(leaves) }),
    });
    await relay.announced("withholder", withoutBody(header, leaves));
  }
  assert.ok(asked.includes("withholder"), "what it cannot announce any more is left to a sync");
  const { header } = builder.build({ parent: root, proposer: "carol" });
  await relay.announced("honest", withoutBody(header));
  await until("the honest block is the head", () => chain.head.id === header.id);
  await chain.close();
});

test("case 28: a block that came before its parent is connected when the parent comes, also by another way", async () => {
  const { chain, relay, builder, punished } = await createLab();
  const [a, b, c, d] = builder.extend(4);
  assert.ok(a && b && c && d);
  for (const block of [d, c, b])
    assert.equal(await relay.announced("peer", withoutBody(block.header)), "ignore");
  // Another peer lies about the leaves of one that waits: it pays when that shows, and keeps nobody's away.
  await relay.announced("liar", withoutBody(b.header, [new Uint8Array(32)]));
  await importAll(chain, [a]);
  await until("all that waited are connected", () => chain.head.id === d.header.id);
  assert.deepEqual(punished, ["liar"]);
  await chain.close();
});

test("case 28: the sender is not asked where it stands while the parent is on its way", async () => {
  const { chain, relay, builder, asked } = await createLab();
  const leaves = [new Uint8Array(32).fill(9)];
  const parent = builder.build({ tweak: (core) => ({ ...core, transactionsRoot: leavesRoot(leaves) }) });
  const child = builder.build();
  assert.equal(await relay.announced("peer", withoutBody(parent.header, leaves)), "accept");
  assert.equal(await relay.announced("peer", withoutBody(child.header)), "ignore");
  assert.deepEqual(asked, []);
  await chain.close();
});

test("what does not fit its ancestors, or is ahead of our clock, is noted with rule and sender, and a waiting orphan is told", async () => {
  const { chain, relay, builder, refused } = await createLab();
  const early = builder.build({
    tweak: (core) => ({ ...core, timestampMs: core.timestampMs + 400 * 86_400_000 }),
  });
  assert.equal(await relay.announced("fast", withoutBody(early.header)), "ignore");
  assert.deepEqual(refused, [[early.header.id, "fast", "HDR-09"]]);
  assert.deepEqual(relay.orphans(), []);
  const { header } = builder.build();
  await relay.announced("peer", withoutBody(header));
  assert.deepEqual(relay.orphans(), [{ id: header.id, parent: early.header.id, height: 2, from: "peer" }]);
  await chain.close();
});
