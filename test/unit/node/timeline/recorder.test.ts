import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../../src/ports/index.ts";
import { createBlockBuilder } from "../../../support/block-builder.ts";
import { streamGenesis } from "../../../support/seeded-stream.ts";
import { allEntries, openTestLog, recordedChain } from "../../../support/timeline-lab.ts";

const genesis = streamGenesis();

test("each block leaves header, block and head in this order, with times, sender and work; a reorg stands before its head", async () => {
  const log = await openTestLog(new Map(), { genesis });
  const { chain, clock, recorder, told, allTold } = await recordedChain(genesis, log);
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const ours = builder.build({ parent: root, proposer: "alice" });
  const rival = builder.build({ parent: root, proposer: "bob" });
  const above = builder.build({ parent: rival.header.id, proposer: "bob" });
  const startMs = clock.nowMs();
  recorder.headerSeen(ours.header, { peer: "early", receivedMs: startMs });
  clock.advance(5);
  await chain.import(ours, { peer: "late", message: "gossip", receivedMs: startMs, bodyMs: startMs + 4 });
  for (const block of [rival, above])
    await chain.import(block, { peer: "peer", message: "sync", receivedMs: startMs + 5 });
  const entries = await allEntries(log);
  assert.deepEqual(
    entries.map(({ sequence, type, data }) => [sequence, type, "id" in data ? data.id : "-"]),
    [
      [1, "header", ours.header.id],
      [2, "block", ours.header.id],
      [3, "head", ours.header.id],
      [4, "header", rival.header.id],
      [5, "block", rival.header.id],
      [6, "header", above.header.id],
      [7, "block", above.header.id],
      [8, "reorg", "-"],
      [9, "head", above.header.id],
    ],
  );
  const [first, second] = entries;
  assert.ok(first?.type === "header" && second?.type === "block");
  assert.deepEqual([first.timeMs, first.data.peer, first.data.via], [startMs, "early", "gossip"]);
  assert.deepEqual(
    [second.timeMs, second.data.peer, second.data.receivedMs, second.data.state],
    [startMs + 5, "late", startMs + 4, "best"],
  );
  assert.deepEqual(await recorder.arrivals([ours.header.id, above.header.id, root]), [
    { headerMs: startMs, headerPeer: "early", bodyMs: startMs + 4, bodyPeer: "late", via: "gossip" },
    { headerMs: startMs + 5, headerPeer: "peer", bodyMs: startMs + 5, bodyPeer: "peer", via: "sync" },
    null,
  ]);
  await allTold();
  assert.deepEqual(
    told.map(({ type, data }) => [data.sequence, type]),
    entries.map(({ sequence, type }) => [sequence, type]),
    "the stream tells the same entries by the same numbers",
  );
});

test("without a timeline the stream tells the same, without numbers", async () => {
  const { chain, told, allTold, recorder, network } = await recordedChain(genesis, undefined);
  const block = createBlockBuilder(genesis).build({ proposer: "alice" });
  network.connect("peer");
  await chain.import(block, { peer: "local", message: "mined", receivedMs: 1 });
  network.disconnect("peer", "bye");
  await allTold();
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.sequence]),
    [
      ["peer", null],
      ["header", null],
      ["block", null],
      ["head", null],
      ["peer", null],
    ],
  );
  // What is still in memory is known none the less.
  assert.equal((await recorder.arrivals([block.header.id]))[0]?.via, "mined");
});

test("headers whose bodies never come are noted up to a bound, and so are connections that come and go", async () => {
  const log = await openTestLog(new Map(), { genesis });
  const { clock, recorder, network } = await recordedChain(genesis, log);
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  for (let n = 0; n < 5_050; n++)
    recorder.headerSeen(builder.build({ parent: root, proposer: `spam ${n}` }).header, {
      peer: "spammer",
      receivedMs: clock.nowMs(),
    });
  for (let n = 0; n < 2_050; n++) network.connect("hectic");
  assert.equal((await log.page({ limit: 1, order: "newest" })).lastSequence, 5_000 + 2_000);
  clock.advance(1_000);
  for (let n = 0; n < 10; n++) network.connect("hectic");
  assert.equal((await log.page({ limit: 1, order: "newest" })).lastSequence, 7_000 + 5);
});

test("a timeline that cannot be read keeps nobody from the blocks: their arrival is not known", async () => {
  let isBroken = false;
  const log = await openTestLog(new Map(), {
    genesis,
    wrap: (store) => ({
      ...store,
      getMany: async (asked) => {
        if (isBroken) throw new StoreError("STORE_CORRUPT", "a table is damaged");
        return await store.getMany(asked);
      },
    }),
  });
  const { recorder } = await recordedChain(genesis, log);
  isBroken = true;
  assert.deepEqual(await recorder.arrivals(["a".repeat(64)]), [null]);
});
