import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chain } from "../../../src/chain/index.ts";
import type { Protocols, Status } from "../../../src/network/index.ts";
import { createSyncDriver } from "../../../src/node/sync-driver.ts";
import {
  createManualClock,
  createManualTimers,
  type PeerConnection,
  silentLogger,
} from "../../../src/ports/index.ts";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { openTestChain } from "../../support/chain-lab.ts";
import { until } from "../../support/until.ts";

test("what a peer claims counts only while it is connected, so that passers-by cannot fill the memory of claims", async () => {
  const genesis = testGenesis();
  const chain = await openTestChain(genesis);
  const asked: string[] = [];
  let connections: readonly PeerConnection[] = [];
  const protocols: Pick<Protocols, "requestHeaders"> = {
    requestHeaders(peer) {
      asked.push(peer);
      return new Promise(() => {});
    },
  };
  const chainId = genesis.block.header.id;
  const status = { version: 1, chain: chainId, head: "ff".repeat(32), height: 9, work: 160n, firstHeight: 0 };
  const driver = createSyncDriver({
    noteRefusal: () => {},
    chain,
    clock: createManualClock(),
    timers: createManualTimers(createManualClock()),
    logger: silentLogger,
    network: { connections: () => connections, disconnect: async () => {}, punish: () => {} },
    protocols: () => protocols as Protocols,
    ownStatus: () => status,
    onIdle: () => {},
    onFirstStatus: () => {},
    onPeerReorg: () => {},
  });
  for (let i = 0; i < 2_000; i++) driver.peerStatus(`passer-by ${i}`, status);
  assert.equal(driver.lastStatus("passer-by 0"), undefined);
  connections = [{ peer: "honest", direction: "inbound", address: "", sinceMs: 0 }];
  driver.peerStatus("honest", status);
  assert.deepEqual(asked, ["honest"]);
  driver.peerGone("honest");
  assert.equal(driver.lastStatus("honest"), undefined);
  driver.stop();
  await chain.close();
});

function statusOf({ genesis }: Chain, blocks: readonly Block[]): Status {
  const height = blocks.length;
  const stands = { head: blocks.at(-1)?.header.id ?? "", height, work: BigInt(height) * 16n };
  return { version: 1, chain: genesis.block.header.id, ...stands, firstHeight: 0 };
}

/** A driver whose only peer, "peer", has the chain that `protocols` answer from. */
function createPeerLab(
  chain: Chain,
  protocols: Pick<Protocols, "requestHeaders" | "requestBlocks"> & Partial<Protocols>,
) {
  const { genesis } = chain;
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const timers = createManualTimers(clock);
  const told = { idle: 0, dropped: [] as string[], punished: [] as string[], refused: [] as string[][] };
  const chainId = genesis.block.header.id;
  const driver = createSyncDriver({
    noteRefusal: ({ id }, peer, { code }) => told.refused.push([id, peer, code]),
    chain,
    clock,
    timers,
    logger: silentLogger,
    network: {
      connections: () =>
        ["peer", "other"].map((peer) => ({ peer, direction: "inbound" as const, address: "", sinceMs: 0 })),
      disconnect: async (_peer, reason) => void told.dropped.push(reason),
      punish: (_peer, reason) => void told.punished.push(reason),
    },
    protocols: () => protocols as Protocols,
    ownStatus: () => ({
      version: 1,
      chain: chainId,
      head: chain.head.id,
      height: 0,
      work: 0n,
      firstHeight: 0,
    }),
    onIdle: () => (told.idle += 1),
    onFirstStatus: () => {},
    onPeerReorg: () => {},
  });
  const say = (peer: string, blocks: readonly Block[]) => driver.peerStatus(peer, statusOf(chain, blocks));
  return { driver, timers, told, say };
}

const rawOf = (blocks: readonly Block[], ids: readonly string[]) =>
  blocks.filter(({ header }) => ids.includes(header.id));

test("a sync that fails without a block is followed by a comparison with all: gossip was passed over meanwhile", async () => {
  const chain = await openTestChain(testGenesis());
  const blocks = createBlockBuilder(chain.genesis).extend(3);
  let imports = 0;
  const busy: Chain = Object.assign(Object.create(chain), {
    async import() {
      imports += 1;
      throw new Error("too much to do");
    },
  });
  const { driver, told, say } = createPeerLab(busy, {
    requestHeaders: async () => blocks.map(({ header }) => header),
    requestBlocks: async (_peer, ids) => rawOf(blocks, ids),
  });
  say("peer", blocks);
  await until("the sync has ended", () => imports === 6 && driver.progress === undefined);
  assert.equal(told.idle, 1);
  assert.deepEqual([...told.dropped, ...told.punished], [], "it was nobody's fault");
  driver.stop();
  await chain.close();
});

test("a window that a peer withholds is taken from it when its time is over, and its request aborted", async () => {
  const chain = await openTestChain(testGenesis());
  const blocks = createBlockBuilder(chain.genesis).extend(3);
  const aborted: string[] = [];
  const asked: string[] = [];
  const { driver, timers, say } = createPeerLab(chain, {
    requestHeaders: async () => blocks.map(({ header }) => header),
    requestBlocks(peer, ids, options) {
      asked.push(peer);
      if (peer === "other") return Promise.resolve(rawOf(blocks, ids));
      return new Promise((_resolve, reject) => {
        options?.signal?.addEventListener("abort", () => {
          aborted.push(peer);
          reject(new Error("aborted"));
        });
      });
    },
  });
  say("peer", blocks);
  say("other", blocks);
  await until("blocks are asked for", () => asked.length === 1);
  timers.advance(1_999);
  assert.deepEqual(aborted, []);
  timers.advance(1);
  assert.deepEqual(aborted, ["peer"]);
  await until("the blocks are here", () => chain.head.height === 3);
  assert.deepEqual(asked, ["peer", "other"]);
  assert.equal(timers.pending, 0);
  driver.stop();
  await chain.close();
});

test("how fast blocks come, and how long the rest will take, is told while they do", async () => {
  const chain = await openTestChain(testGenesis());
  const blocks = createBlockBuilder(chain.genesis).extend(30);
  const rest = Promise.withResolvers<void>();
  const { driver, timers, say } = createPeerLab(chain, {
    requestHeaders: async () => blocks.map(({ header }) => header),
    async requestBlocks(_peer, ids) {
      if (ids.length < 30) await rest.promise;
      return rawOf(blocks, ids).slice(0, 10);
    },
  });
  say("peer", blocks);
  await until("the first are here", () => driver.progress?.blocksDone === 10);
  timers.advance(2_000);
  const { blocksPerSecond, remainingMs, blocksTotal, peers } = driver.progress ?? {};
  assert.deepEqual([blocksPerSecond, remainingMs, blocksTotal, peers], [5, 4_000, 30, ["peer"]]);
  rest.resolve();
  await until("all are here", () => chain.head.height === 30 && driver.progress === undefined);
  driver.stop();
  await chain.close();
});

for (const [firstHeight, isPunished] of [
  [0, true],
  [1, false],
] as const) {
  test(`who lies is punished; who has not what it showed ${isPunished ? "too" : "is sent away, where it may have pruned it"}`, async () => {
    const chain = await openTestChain(testGenesis());
    const blocks = createBlockBuilder(chain.genesis).extend(3);
    const elsewhere = { ...statusOf(chain, blocks), head: "ff".repeat(32), firstHeight };
    const { driver, told, say } = createPeerLab(chain, {
      requestHeaders: async (peer) => (peer === "peer" ? [] : blocks.map(({ header }) => header)),
      requestBlocks: async () => [],
      requestStatus: async () => elsewhere,
    });
    say("peer", blocks);
    say("other", blocks);
    await until("both are gone", () => told.punished.length + told.dropped.length === 2);
    const [lie, missing] = ["claims more work than it shows", "has not the blocks of its own headers"];
    assert.deepEqual(told.punished, isPunished ? [lie, missing] : [lie]);
    assert.deepEqual(told.dropped, isPunished ? [] : [missing]);
    driver.stop();
    await chain.close();
  });
}

test("headers that are ahead of our clock are noted, as the peer that shows them is only let rest", async () => {
  const chain = await openTestChain(testGenesis());
  const builder = createBlockBuilder(chain.genesis);
  const [first] = builder.extend(1);
  const early = builder.build({
    tweak: (core) => ({ ...core, timestampMs: core.timestampMs + 400 * 86_400_000 }),
  });
  assert.ok(first);
  const { driver, told, say } = createPeerLab(chain, {
    requestHeaders: async () => [first.header, early.header],
    requestBlocks: async (_peer, ids) => rawOf([first], ids),
  });
  say("peer", [first, early]);
  await until("it is noted", () => told.refused.length > 0);
  assert.deepEqual(told.refused[0], [early.header.id, "peer", "HDR-09"]);
  driver.stop();
  await chain.close();
});
