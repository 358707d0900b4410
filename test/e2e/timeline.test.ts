import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeEvent, TimelineEntry } from "../../src/api/index.ts";
import { transfer } from "../support/block-builder.ts";
import { buildChain } from "../support/built-chain.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";

async function timelineOf({ client }: Daemon): Promise<TimelineEntry[]> {
  const entries: TimelineEntry[] = [];
  for (let next: string | null = "0"; next !== null; ) {
    const page = await client.timeline({ after: next, limit: 1_000 });
    entries.push(...page.items);
    next = page.next;
  }
  return entries;
}

const numbersOf = (entries: readonly { readonly sequence: number }[]) =>
  entries.map(({ sequence }) => sequence);

test("killed with -9 while it mines, a node has kept all that it told, and counts on without a hole or a double", async (t) => {
  const lab = createLab(t);
  let node = await lab.start();
  const { dataDir } = node;
  const told: { type: string; sequence: number }[] = [];
  for (let round = 0; round < 3; round++) {
    const stop = new AbortController();
    const reading = (async () => {
      for await (const event of node.client.events(stop.signal, { retryForMs: 0 }))
        if (event.type !== "gap" && event.data.sequence !== null)
          told.push({ type: event.type, sequence: (event as NodeEvent).data.sequence ?? 0 });
    })().catch(() => {});
    const before = told.length;
    const mining = node.client.mining({ mode: "blocks", count: 10_000 }).catch(() => undefined);
    await poll("it tells what it mines", async () => told.length > before + 100);
    await node.end("SIGKILL");
    stop.abort();
    await Promise.all([mining, reading]);
    node = await lab.start({ dataDir });
    const entries = await timelineOf(node);
    assert.deepEqual(
      numbersOf(entries),
      entries.map((_, i) => i + 1),
    );
    const byNumber = new Map(entries.map(({ sequence, type }) => [sequence, type]));
    for (const { sequence, type } of told) assert.equal(byNumber.get(sequence), type, `entry ${sequence}`);
    assert.deepEqual(
      [entries.at(-1)?.type, entries.filter(({ type }) => type === "start").length],
      ["start", round + 2],
    );
    assert.ok(!entries.some(({ type }) => type === "stop"), "a node that is killed says nothing");
  }
  await node.end("SIGTERM");
  node = await lab.start({ dataDir, args: ["--no-timeline"] });
  assert.deepEqual((await node.client.status()).timeline, { on: false, lastSequence: 0, problem: null });
  await assert.rejects(node.client.timeline(), { code: "TIMELINE_OFF" });
  await node.end("SIGTERM");
  const last = await timelineOf(await lab.start({ dataDir }));
  assert.deepEqual(
    last.slice(-2).map(({ type }) => type),
    ["stop", "start"],
  );
});

test("the life of a transaction: received, mined in A, disconnected, conflicted by one in B, over a kill and a restart", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const { genesis } = await buildChain({ dataDir, blocks: 2, transfersAt: () => 1 });
  const copy = await lab.copyOf(dataDir);
  let a = await lab.start({ dataDir });
  const b = await lab.start({ dataDir: copy, peers: [a.multiaddr] });
  await poll("they are connected", async () => (await a.client.status()).peers === 1);
  const spend = (to: string, fee: number) =>
    transfer(genesis, { from: "sender 90", to, amount: 1, nonce: 0, fee });
  const [first, second] = [spend("bob", 30_000), spend("carol", 90_000)];
  await b.client.submit(first.bytes);
  await poll("it is pending on both", async () => (await a.client.status()).mempool.transactions === 1);
  await Promise.all([a.client.refuseLink(b.peer), b.client.refuseLink(a.peer)]);
  await b.client.submit(second.bytes);
  // A clean end writes all; what a kill keeps from being written, the chain completes.
  await a.end("SIGTERM");
  a = await lab.start({ dataDir });
  const mined = await a.client.mining({ mode: "blocks", count: 1 });
  await a.end("SIGKILL");
  a = await lab.start({ dataDir });
  const life = async () => {
    const { fate, events } = await a.client.transaction(first.txid);
    return [fate.state, ...events.map(({ what }) => what)];
  };
  assert.deepEqual(await life(), ["mined", "received", "mined"]);
  await b.client.mining({ mode: "blocks", count: 2 });
  await b.client.healLink(a.peer);
  await a.client.addPeer(b.multiaddr);
  await poll("it has gone over", async () => (await a.client.status()).reorgs === 1);
  const whole = ["conflicted", "received", "mined", "disconnected", "conflicted"];
  assert.deepEqual(await life(), whole);
  await a.end("SIGTERM");
  a = await lab.start({ dataDir });
  assert.deepEqual(await life(), whole, "also after a restart");
  const { fate, events, transaction } = await a.client.transaction(first.txid);
  assert.deepEqual(fate, { state: "conflicted", by: second.txid });
  assert.deepEqual(
    [events[0]?.peer, events[1]?.block, events[2]?.block],
    [b.peer, mined.blocks[0], mined.blocks[0]],
  );
  assert.deepEqual(
    events.map(({ timeMs }) => timeMs),
    events.map(({ timeMs }) => timeMs).toSorted(),
  );
  assert.equal(transaction?.fee, 30_000, "it is kept whole");
  const [reorg] = (await a.client.reorgs()).items;
  assert.deepEqual(
    [reorg?.transactions, reorg?.transactionCount, reorg?.blocksInCount],
    [[{ id: first.txid, fate: "conflicted", by: second.txid }], 1, 2],
  );
  const { arrival } = reorg?.cause ?? {};
  assert.deepEqual([arrival?.via, arrival?.headerPeer, arrival?.bodyPeer], ["sync", b.peer, b.peer]);
  assert.ok((arrival?.headerMs ?? 0) <= (arrival?.bodyMs ?? 0));
});
