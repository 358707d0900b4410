import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocols } from "../../../src/network/index.ts";
import { createSyncDriver } from "../../../src/node/sync-driver.ts";
import { createManualClock, type PeerConnection, silentLogger } from "../../../src/ports/index.ts";
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
  const status = { version: 1, chain: genesis.block.header.id, head: "ff".repeat(32), height: 9, work: 160n };
  const driver = createSyncDriver({
    chain,
    clock: createManualClock(),
    logger: silentLogger,
    network: { connections: () => connections, disconnect: async () => {} },
    protocols: () => protocols as Protocols,
    ownStatus: () => status,
    onIdle: () => {},
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

test("a sync that fails without a block is followed by a comparison with all: gossip was passed over meanwhile", async () => {
  const genesis = testGenesis();
  const chain = await openTestChain(genesis);
  const blocks = createBlockBuilder(genesis).extend(3);
  const bodies = Promise.withResolvers<never>();
  let requests = 0;
  const protocols: Pick<Protocols, "requestHeaders" | "requestBlocks"> = {
    requestHeaders: async () => blocks.map(({ header }) => header),
    // One block without its parent, which does not connect, and then nothing more.
    requestBlocks: async () =>
      requests++ === 0 && blocks[1]
        ? [{ header: blocks[1].header, bodyBytes: blocks[1].bodyBytes }]
        : bodies.promise,
  };
  let idle = 0;
  const driver = createSyncDriver({
    chain,
    clock: createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000),
    logger: silentLogger,
    network: {
      connections: () => [{ peer: "peer", direction: "inbound", address: "", sinceMs: 0 }],
      disconnect: async () => {},
    },
    protocols: () => protocols as Protocols,
    ownStatus: () => ({
      version: 1,
      chain: genesis.block.header.id,
      head: chain.head.id,
      height: 0,
      work: 0n,
    }),
    onIdle: () => (idle += 1),
    onPeerReorg: () => {},
  });
  const head = blocks.at(-1)?.header.id ?? "";
  driver.peerStatus("peer", { version: 1, chain: genesis.block.header.id, head, height: 3, work: 48n });
  await until("it syncs", () => driver.isSyncing);
  assert.equal(idle, 0);
  bodies.reject(new Error("the peer went away"));
  await until("the sync has ended", () => !driver.isSyncing);
  assert.equal(idle, 1);
  driver.stop();
  await chain.close();
});
