import assert from "node:assert/strict";
import { test } from "node:test";
import { createMempool } from "../../../src/mempool/index.ts";
import type { Protocols } from "../../../src/network/index.ts";
import { createBlockRelay } from "../../../src/node/block-relay.ts";
import { createManualClock, silentLogger } from "../../../src/ports/index.ts";
import type { Block, SealedTransaction } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";
import { until } from "../../support/until.ts";

const genesis = testGenesis();
const compact = ({ header, transactions }: Block) => ({
  header,
  leaves: transactions.map(({ leafBytes }) => leafBytes),
  engineData: new Uint8Array(),
});

/** A relay over a real chain whose peers answer as the test says. */
async function createLab(answers: Partial<Protocols>) {
  const chain = await openTestChain(genesis);
  const punished: string[] = [];
  const relay = createBlockRelay({
    chain,
    mempool: createMempool(genesis.spec),
    clock: createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000),
    logger: silentLogger,
    protocols: () => answers as Protocols,
    punish: (peer, reason) => punished.push(`${peer} ${reason}`),
    askStatus: () => {},
    headerSeen: () => {},
    noteRefusal: () => {},
  });
  return { chain, relay, punished };
}

test("case 2: of two branches the head is the one whose data was complete first, whichever header came first", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const spend = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
  const early = builder.build({ parent: root, proposer: "alice", transactions: [spend] });
  const late = builder.build({ parent: root, proposer: "bob" });
  const body = Promise.withResolvers<SealedTransaction[]>();
  const { chain, relay } = await createLab({ requestTransactions: () => body.promise });
  assert.equal(await relay.announced("slow", compact(early)), "accept");
  assert.equal(await relay.announced("quick", compact(late)), "accept");
  await until("the complete one is the head", () => chain.head.id === late.header.id);
  body.resolve([spend]);
  await until("the other is stored", () => chain.tree.get(early.header.id) !== undefined);
  const next = builder.build({ parent: late.header.id });
  assert.equal(await relay.announced("quick", compact(next)), "accept");
  await until("the next block extends the head", () => chain.head.id === next.header.id);
  assert.equal(chain.lastReorg, 0, "nothing was ever disconnected");
  await chain.close();
});

test("case 17: a body in another encoding costs its sender the connection; the canonical one of another is accepted", async () => {
  const builder = createBlockBuilder(genesis);
  const spend = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
  const block = builder.build({ transactions: [spend] });
  const { bodyBytes, header } = block;
  // The same content behind a first offset that leaves a byte unused.
  const loose = Uint8Array.of(9, 0, 0, 0, ...bodyBytes.subarray(4, 8), 0, ...bodyBytes.subarray(8));
  const { chain, relay, punished } = await createLab({
    requestTransactions: async (peer) => (peer === "honest" ? [spend] : []),
    requestBlocks: async () => [{ header, bodyBytes: loose }],
  });
  assert.equal(await relay.announced("liar", compact(block)), "accept");
  await until("the liar is punished", () => punished.length > 0);
  assert.match(punished[0] ?? "", /^liar .*BLK-01/);
  assert.equal(chain.tree.get(header.id), undefined);
  // What was announced once is no news while it is unknown: it may be announced again.
  await until("the honest one's is the head", async () => {
    await relay.announced("honest", compact(block));
    return chain.head.id === header.id;
  });
  assert.equal(punished.length, 1);
  await chain.close();
});

test("case 28: who passes on a block that fails only when it is connected is not punished, and the block is invalid", async () => {
  const builder = createBlockBuilder(genesis);
  const block = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(7) }) });
  const { chain, relay, punished } = await createLab({});
  assert.equal(await relay.announced("honest", compact(block)), "accept");
  await until("it is judged", () => chain.tree.get(block.header.id)?.status === "invalid");
  assert.equal(await relay.announced("honest", compact(block)), "ignore", "known now, and not passed on");
  assert.deepEqual(punished, []);
  await chain.close();
});

test("case 28: an unasked block far ahead of the clock, or far behind in work, is ignored, and nobody is blamed", async () => {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const branch = builder.extend(150, { parent: root });
  const ahead = builder.build({ timestampMs: genesis.spec.genesisTimestampMs + 400 * 86_400_000 });
  const stale = builder.build({ parent: root, proposer: "late" });
  const { chain, relay, punished } = await createLab({});
  await importAll(chain, branch);
  for (const block of [ahead, stale]) assert.equal(await relay.announced("peer", compact(block)), "ignore");
  assert.deepEqual([chain.tree.get(stale.header.id), punished], [undefined, []]);
  await chain.close();
});
