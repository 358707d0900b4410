import assert from "node:assert/strict";
import { test } from "node:test";
import type { Chain } from "../../../src/chain/index.ts";
import type { Status, Supervisor } from "../../../src/network/index.ts";
import type { SyncDriver } from "../../../src/node/sync-driver.ts";
import { syncView, tiedView } from "../../../src/node/sync-view.ts";
import { createManualClock, type Network } from "../../../src/ports/index.ts";
import type { SyncObstacle } from "../../../src/sync/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";

/** What a node with three blocks says that is 90 s behind its head's time. */
async function openView(t: { after(end: () => Promise<void>): void }) {
  const chain = await openTestChain(testGenesis());
  t.after(() => chain.close());
  await importAll(chain, createBlockBuilder(chain.genesis).extend(3));
  const clock = createManualClock(chain.head.timestampMs + 90_000);
  return (
    claims: readonly (bigint | undefined)[],
    progress?: SyncDriver["progress"],
    configured = 0,
    obstacle?: SyncObstacle,
  ) => {
    const status = (work: bigint): Status => {
      const head = "ff".repeat(32);
      return { version: 1, chain: chain.genesis.block.header.id, head, height: 9, work, firstHeight: 0 };
    };
    const statuses = claims.map((work) => (work === undefined ? undefined : status(work)));
    const peers = claims.map((_, i) => ({ peer: String(i) }));
    return syncView({
      chain: chain as Chain,
      clock,
      network: { connections: () => peers } as unknown as Network,
      supervisor: { list: () => Array.from({ length: configured }) } as unknown as Supervisor,
      sync: {
        progress,
        obstacle,
        lastStatus: (peer: string) => statuses[Number(peer)],
      } as unknown as SyncDriver,
    });
  };
}

test("synced is said with the work that peers claim and the age of the head", async (t) => {
  const view = await openView(t);
  const { state, reason, sync } = view([16n, 48n, undefined]);
  assert.deepEqual([state, sync], ["synced", null]);
  assert.equal(reason, "2 peers claim no more work: 48 at most, ours is 48; the head is 90 s old");
  assert.match(view([undefined]).reason, /^no peer has said yet what it has; ours is work 48; /);
});

test("a peer that claims more work and has not shown it is not passed over", async (t) => {
  const view = await openView(t);
  assert.match(view([16n, 4_096n]).reason, /^a peer claims work 4,096 and has not shown it; ours is 48; /);
});

test("without peers it is said whether there are any to wait for", async (t) => {
  const view = await openView(t);
  assert.deepEqual(view([]).reason, "no peers are configured; the head is 90 s old");
  const { state, reason } = view([], undefined, 2);
  assert.equal(state, "waiting-for-peers");
  assert.match(reason, /^none of 2 configured peers answers; /);
});

test("peers that have pruned what is needed are named as such, with what to do", async (t) => {
  const view = await openView(t);
  const obstacle = { code: "PEERS_PRUNED", neededHeight: 4, firstHeight: 900 } as const;
  const told = view([4_096n], undefined, 0, obstacle);
  assert.deepEqual([told.state, told.obstacle], ["waiting-for-peers", obstacle]);
  assert.equal(
    told.reason,
    "connected peers keep only blocks from height 900 on, and block 4 is needed; connect to a full node",
  );
});

test("a better branch that leaves below what is kept makes the node say that it is cut off", async (t) => {
  const view = await openView(t);
  const branch = { code: "BRANCH_CUT_OFF", forkHeight: 1, work: 4_096n, firstHeight: 3 } as const;
  const told = view([4_096n], undefined, 0, branch);
  assert.deepEqual([told.state, told.obstacle], ["cut-off", { ...branch, work: "1000" }]);
  assert.match(
    told.reason,
    /^peers have a branch with work 4,096 \(ours 48\) that leaves our chain at height 1; /,
  );
  assert.match(told.reason, /pruned its blocks below 3 and cannot go back there; to follow it, start with/);
  assert.equal(view([], undefined, 0, undefined).obstacle, null);
});

test("while blocks come it is said how many of how many, from whom, how fast, and how long the rest takes", async (t) => {
  const view = await openView(t);
  const figures = { targetHeight: 1_003, blocksTotal: 1_000, blocksDone: 250 };
  const { state, reason, sync } = view([1n, 1n], {
    phase: "blocks",
    shownBy: "a",
    peers: ["a", "b"],
    ...figures,
    blocksPerSecond: 12.4,
    remainingMs: 61_000,
  });
  assert.equal(state, "syncing");
  assert.equal(reason, "fetching blocks up to height 1003 from 2 peers; head is at 3, about 61 s left");
  assert.deepEqual(sync, { ...figures, blocksPerSecond: 12, remainingMs: 61_000, peers: ["a", "b"] });
});

test("tied is what a peer stands on or what was the head, and not a cheap block of the same work that nobody has", async (t) => {
  const chain = await openTestChain(testGenesis());
  t.after(() => chain.close());
  const ours = createBlockBuilder(chain.genesis).extend(3);
  await importAll(chain, ours);
  const rival = createBlockBuilder(chain.genesis).extend(3, { proposer: "rival" });
  await importAll(chain, rival);
  const [rivalHead, ownHead] = [rival.at(-1)?.header.id ?? "", ours.at(-1)?.header.id ?? ""];
  assert.equal(chain.head.id, ownHead);
  const tiedWith = (...claims: readonly (string | undefined)[]) => {
    const lastStatus = (peer: string) => ({ head: claims[Number(peer)] });
    const connections = () => claims.map((_, i) => ({ peer: String(i) }));
    return tiedView({
      chain: chain as Chain,
      network: { connections } as unknown as Network,
      sync: { lastStatus } as unknown as SyncDriver,
    }).map(({ id }) => id);
  };
  assert.deepEqual(tiedWith(undefined, ownHead, "ff".repeat(32)), [], "nobody says that it could be a head");
  assert.deepEqual(tiedWith(rivalHead, rivalHead), [rivalHead]);
  // The rival's next block moves the head there, and back as it turns out invalid.
  const builder = createBlockBuilder(chain.genesis);
  builder.extend(3, { proposer: "rival" });
  const wrong = builder.build({ tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32) }) });
  await importAll(chain, [wrong]);
  assert.equal(chain.tree.get(wrong.header.id)?.status, "invalid");
  assert.deepEqual([chain.head.id, tiedWith()], [ownHead, [rivalHead]]);
});
