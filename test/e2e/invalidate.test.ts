import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../src/client/index.ts";
import { runCli } from "../support/cli.ts";
import { converged, createLab, poll } from "../support/daemon.ts";

const codeOf = (error: unknown): string => (error instanceof ApiError ? error.code : String(error));

test("case 11: an operator leaves a block's branch and comes back, over a restart, and no peer is blamed for it", async (t) => {
  const lab = createLab(t);
  const other = await lab.start();
  const first = await lab.start({ peers: [other.multiaddr] });
  const { blocks } = await first.client.mining({ mode: "blocks", count: 5 });
  await converged([first, other]);
  const args = ["--data", first.dataDir];
  const told = await runCli(["block", "invalidate", "4", ...args]);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stdout, /^invalidated block 4 [0-9a-f]{12} and what builds on it; reorg 1 led to 3 /);
  assert.equal((await first.client.status()).head.id, blocks[2]);

  // The peer goes on where it is: its blocks are neither taken nor held against it.
  const { blocks: more } = await other.client.mining({ mode: "blocks", count: 2 });
  await poll("its new head is known", async () => {
    const { items } = await first.client.peers();
    return items.some(({ head }) => head?.height === 7);
  });
  const [peer] = (await first.client.peers()).items;
  assert.equal(peer?.state, "connected");
  const blamed = first.logged().filter(({ level, reason }) => level === 40 && reason !== undefined);
  assert.deepEqual(blamed, []);
  const tips = await runCli(["tips", ...args]);
  assert.match(
    tips.stdout,
    /\n[0-9a-f]{12} +3 .*head.*\n[0-9a-f]{12} +5 .*invalidated \(with 4 [0-9a-f]{12}\)/,
  );
  assert.match((await runCli(["reorgs", ...args])).stdout, /why +the operator: invalidate [0-9a-f]{12},/);
  assert.match((await first.client.status()).reason, /invalidated here \(1 blocks/);

  assert.deepEqual(await first.end("SIGTERM"), { code: 0, signal: null });
  const again = await lab.start({ dataDir: first.dataDir, peers: [other.multiaddr] });
  assert.equal((await again.client.status()).head.id, blocks[2], "the mark outlasts a restart");
  const shown = await again.client.block(blocks[4] ?? "");
  assert.deepEqual([shown.state, shown.mark], ["invalidated", { id: blocks[3], height: 4 }]);
  const done = await again.client.reconsiderBlock((blocks[4] ?? "").slice(0, 16));
  assert.deepEqual([done.changed, done.marks, done.state], [true, [blocks[3]], "best"]);
  assert.equal((await converged([again, other])).id, more[1], "and what the peer mined meanwhile comes too");

  await assert.rejects(again.client.invalidateBlock(0), (error) => codeOf(error) === "BLOCK_IS_GENESIS");
  for (const unknown of ["f".repeat(64), "ffffffff", 99])
    await assert.rejects(
      again.client.reconsiderBlock(unknown),
      (error) => codeOf(error) === "BLOCK_NOT_FOUND",
      String(unknown),
    );
  assert.equal((await runCli(["block", "invalidate", "xyz", ...args])).code, 2);
  const json = await runCli(["block", "reconsider", "3", "--json", ...args]);
  assert.equal(JSON.parse(json.stdout).changed, false);
});
