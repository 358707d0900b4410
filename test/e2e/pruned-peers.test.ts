import assert from "node:assert/strict";
import { test } from "node:test";
import { MIN_PRUNE_DEPTH } from "../../src/chain/index.ts";
import { ApiError } from "../../src/client/index.ts";
import { buildChain } from "../support/built-chain.ts";
import { runCli } from "../support/cli.ts";
import { converged, createLab, poll } from "../support/daemon.ts";

const BLOCKS = 450;
const FIRST = BLOCKS - MIN_PRUNE_DEPTH + 1;

test("a newcomer among pruned nodes says what it lacks, and syncs from both kinds once a full node is there", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const { head, genesisFile } = await buildChain({ dataDir, blocks: BLOCKS, transfersAt: () => 1 });
  const prunedDir = await lab.copyOf(dataDir);
  const pruned = await lab.start({ dataDir: prunedDir, args: ["--prune", String(MIN_PRUNE_DEPTH)] });
  await poll("it has pruned", () => pruned.log().includes("blocks were pruned"));
  assert.equal((await pruned.client.status()).firstHeight, FIRST);

  const fresh = await lab.start({ genesisFile, peers: [pruned.multiaddr], logLevel: "debug" });
  const waiting = await poll("it says what it lacks", async () => {
    const status = await fresh.client.status();
    return status.obstacle !== null && status;
  });
  assert.deepEqual(waiting.obstacle, { code: "PEERS_PRUNED", neededHeight: 1, firstHeight: FIRST });
  assert.equal(waiting.state, "waiting-for-peers");
  assert.match(waiting.reason, /; connect to a full node$/);
  assert.deepEqual([waiting.head.height, waiting.peers], [0, 1]);

  const full = await lab.start({ dataDir });
  await fresh.client.addPeer(full.multiaddr);
  assert.equal((await converged([fresh, full, pruned])).id, head.id);
  const done = await poll("it is synced", async () => {
    const status = await fresh.client.status();
    return status.state === "synced" && status;
  });
  assert.deepEqual([done.firstHeight, done.obstacle, done.peers], [0, null, 2]);
  const blamed = [...fresh.logged(), ...pruned.logged()].filter(({ level }) => Number(level) >= 40);
  assert.deepEqual(blamed, [], "nobody is blamed or sent away");

  await assert.rejects(
    pruned.client.block(FIRST - 1),
    (error) => error instanceof ApiError && error.code === "BLOCK_PRUNED" && error.status === 410,
  );
  const shown = await runCli(["block", "7", "--data", prunedDir]);
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /^block +[0-9a-f]{64}\nheight +7, best, depth 444\n/);
  assert.match(shown.stderr, /^cumulo: block 7 was pruned here: .* ask a full node\n$/);
  const status = await runCli(["status", "--data", prunedDir]);
  assert.match(status.stdout, new RegExp(`\\nblocks +from ${FIRST} on; those below were pruned\\n`));
});

test("a pruned node does not follow a better branch from below its blocks, says so, and keeps the peer that has it", async (t) => {
  const lab = createLab(t);
  const [dataDir, rivalDir] = [await lab.directory(), await lab.directory()];
  const { head } = await buildChain({ dataDir, blocks: BLOCKS, transfersAt: () => 0 });
  const rival = await buildChain({ dataDir: rivalDir, blocks: BLOCKS + 10, transfersAt: () => 0 });
  const pruned = await lab.start({ dataDir, args: ["--prune", String(MIN_PRUNE_DEPTH)] });
  await poll("it has pruned", () => pruned.log().includes("blocks were pruned"));
  const other = await lab.start({ dataDir: rivalDir, peers: [pruned.multiaddr] });
  const status = await poll("it says so", async () => {
    const now = await pruned.client.status();
    return now.state === "cut-off" && now;
  });
  const work = rival.head.work.toString(16);
  assert.deepEqual(status.obstacle, { code: "BRANCH_CUT_OFF", forkHeight: 0, work, firstHeight: FIRST });
  // The other's head moves, which is told, and the branch is the same.
  const mined = await other.client.mining({ mode: "blocks", count: 2 });
  const claimed = await poll("the new head is known", async () => {
    const { items } = await pruned.client.peers();
    return items.find(({ head: theirs }) => theirs?.id === mined.blocks.at(-1));
  });
  assert.equal(claimed.state, "connected");
  const after = await pruned.client.status();
  assert.deepEqual([after.head.id, after.state, after.peers], [head.id, "cut-off", 1]);
  const told = pruned.logged("a branch with more work leaves our chain where it is pruned: not followed");
  assert.deepEqual(
    told.map(({ forkHeight, firstHeight }) => [forkHeight, firstHeight]),
    [[0, FIRST]],
    "once",
  );
});
