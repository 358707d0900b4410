import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, test } from "node:test";
import {
  createLibp2pNetwork,
  createProtocols,
  createSupervisor,
  type ProtocolHandlers,
  type Status,
} from "../../../src/network/index.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import {
  type Block,
  bytesToHex,
  MAX_BLOCK_BYTES,
  type SealedTransaction,
} from "../../../src/primitives/index.ts";
import { encodedBlocks } from "../../support/encoded-blocks.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { sampleBlock, sampleTransaction } from "../../support/sample-chain.ts";
import { until } from "../../support/until.ts";

const CHAIN = bytesToHex(new Uint8Array(32).fill(0xcd));
const STATUS: Status = { version: 1, chain: CHAIN, head: CHAIN, height: 0, work: 0n, firstHeight: 0 };

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((stop) => stop()));
});

interface NodeOptions {
  readonly listen?: string;
  readonly privateKeySeed?: Uint8Array;
}

async function createNode(
  blocks: readonly Block[] = [],
  peers: readonly string[] = [],
  { listen = "/ip4/127.0.0.1/tcp/0", privateKeySeed = randomBytes(32) }: NodeOptions = {},
) {
  const logger = createRecordingLogger();
  const deps = {
    clock: createSystemClock(),
    timers: createSystemTimers(),
    random: createSystemRandom(),
    logger,
  };
  const network = await createLibp2pNetwork(deps, { privateKeySeed, listen: [listen] });
  const heard = { nonces: new Set<number>(), heights: new Set<number>() };
  const handlers: ProtocolHandlers = {
    status: () => STATUS,
    headers: () => blocks.map(({ header }) => header),
    blocks: async (_peer, ids) => encodedBlocks(blocks, ids),
    mempoolLeaves: () => [],
    transaction: () => undefined,
    peers: () => [],
    async gossipedTransactions(_from, batch) {
      for (const { transaction } of batch) heard.nonces.add(transaction.body.nonce);
      return "accept";
    },
    async gossipedBlock(_from, { header }) {
      heard.heights.add(header.header.core.height);
      return "accept";
    },
  };
  const protocols = createProtocols({ ...deps, network }, { chain: CHAIN }, handlers);
  await network.start();
  const supervisor = createSupervisor(
    { ...deps, network },
    { addresses: peers, minBackoffMs: 50, maxBackoffMs: 400 },
  );
  supervisor.start();
  stopping.push(async () => {
    await supervisor.stop();
    protocols.stop();
    await network.stop();
  });
  const peersNow = () => network.connections().map(({ peer }) => peer);
  return { network, protocols, supervisor, heard, peersNow, logger, address: network.addresses()[0] ?? "" };
}

test("a full mempool's worth of transactions reaches the end of a line of nodes, batched", async () => {
  const a = await createNode();
  const b = await createNode([], [a.address]);
  const c = await createNode([], [b.address]);
  await until("the line stands", () => b.peersNow().length === 2 && c.peersNow().length === 1);
  let probe = 1_000_000;
  await until("gossip flows", () => {
    if (c.heard.nonces.size > 0) return true;
    a.protocols.publishTransactions([sampleTransaction(probe++)]);
    return false;
  });
  for (let nonce = 0; nonce < 3_000; nonce += 10) {
    a.protocols.publishTransactions(
      Array.from({ length: 10 }, (_, index) => sampleTransaction(nonce + index)),
    );
  }
  await until(
    "all of them arrive",
    () => [...c.heard.nonces].filter((nonce) => nonce < 1_000_000).length === 3_000,
  );
  const block = sampleBlock(7);
  await a.protocols.publishBlock({ header: block.header, leaves: [], engineData: new Uint8Array(0) });
  await until("the block arrives", () => c.heard.heights.has(7));
});

test("the greatest block is fetched whole, headers and status besides", async () => {
  const transactions: SealedTransaction[] = [];
  for (let bytes = 0, nonce = 0; ; nonce++) {
    const one = sampleTransaction(nonce, 64);
    bytes += one.bytes.length + 4;
    if (bytes > MAX_BLOCK_BYTES - 100) break;
    transactions.push(one);
  }
  const blocks = [sampleBlock(1, transactions), sampleBlock(2)];
  const a = await createNode(blocks);
  const b = await createNode([], [a.address]);
  await until("they are connected", () => b.peersNow().length === 1);
  assert.deepEqual(await b.protocols.requestStatus(a.network.self, STATUS), STATUS);
  const headers = await b.protocols.requestHeaders(a.network.self, {
    locator: [],
    stop: undefined,
    maxCount: 2_000,
  });
  const ids = headers.map(({ id }) => id);
  assert.deepEqual(
    ids,
    blocks.map(({ header }) => header.id),
  );
  const [got] = await b.protocols.requestBlocks(a.network.self, ids);
  assert.ok((got?.bodyBytes.length ?? 0) > 4_000_000);
  assert.deepEqual(got?.bodyBytes, blocks[0]?.bodyBytes);
});

test("a split lasts until it is healed, then the supervisors join the halves by themselves", async () => {
  const a = await createNode();
  const b = await createNode([], [a.address]);
  await until("they are connected", () => a.peersNow().length === 1 && b.peersNow().length === 1);
  await a.network.refuse(b.network.self);
  await until("they are apart", () => a.peersNow().length === 0 && b.peersNow().length === 0);
  await until("b tried in vain", () => {
    const [status] = b.supervisor.list();
    return status?.state === "waiting" && status.lastError !== undefined;
  });
  assert.deepEqual(a.peersNow(), []);
  a.network.allow(b.network.self);
  b.supervisor.redialNow();
  await until("they are together", () => a.peersNow().length === 1 && b.peersNow().length === 1);
  let probe = 0;
  await until("gossip flows both ways again", () => {
    if (a.heard.nonces.size > 0 && b.heard.nonces.size > 0) return true;
    for (const node of [a, b]) node.protocols.publishTransactions([sampleTransaction(probe++)]);
    return false;
  });
});

test("a node that stops and comes back at its address is found again", async () => {
  const privateKeySeed = randomBytes(32);
  const a = await createNode([], [], { privateKeySeed });
  const b = await createNode([], [a.address]);
  await until("they are connected", () => b.peersNow().length === 1);
  await a.network.stop();
  await until("b noticed", () => b.peersNow().length === 0);
  const again = await createNode([], [], { privateKeySeed, listen: a.address.replace(/\/p2p\/.*/, "") });
  await until("b is back", () => again.peersNow().length === 1 && b.peersNow()[0] === again.network.self);
});

test("five nodes that all dial each other at once end up with four peers each, and stay so", async () => {
  const nodes = await Promise.all(Array.from({ length: 5 }, () => createNode()));
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) node.supervisor.add(other.address);
  }
  await until("everybody knows everybody", () => nodes.every((node) => node.peersNow().length === 4));
  let probe = 0;
  await until(
    "everybody heard from all others",
    () => {
      nodes.forEach((node, index) => {
        node.protocols.publishTransactions([sampleTransaction(1_000 * index + (probe++ % 1_000))]);
      });
      return nodes.every(
        (node) => new Set([...node.heard.nonces].map((nonce) => Math.floor(nonce / 1_000))).size >= 4,
      );
    },
    10_000,
  );
  assert.ok(nodes.every((node) => node.peersNow().length === 4));
  for (const { logger } of nodes)
    assert.deepEqual(
      logger.lines.filter(({ level }) => level === "warn" || level === "error"),
      [],
    );
});
