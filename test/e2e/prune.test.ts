import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { MIN_PRUNE_DEPTH } from "../../src/chain/index.ts";
import { ApiError } from "../../src/client/index.ts";
import { keyOf } from "../support/block-builder.ts";
import { buildChain } from "../support/built-chain.ts";
import { runCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";

const BLOCKS = 450;
const FIRST = BLOCKS - MIN_PRUNE_DEPTH + 1;

test("a node with --prune deletes what lies deep once its history has it, and is as good a node afterwards", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const { head } = await buildChain({ dataDir, blocks: BLOCKS, transfersAt: () => 2 });
  const check = async () => {
    const { stdout, stderr } = await runCli(["db", "check", "--data", dataDir, "--json"]);
    assert.equal(stderr, "");
    const { firstHeight, findings, unchecked, blocks } = JSON.parse(stdout);
    return { firstHeight, findings, unchecked: unchecked.length, blocks };
  };
  const whole = { firstHeight: 0, findings: [], unchecked: 0, blocks: BLOCKS + 1 };
  const pruned = { firstHeight: FIRST, findings: [], unchecked: 1, blocks: MIN_PRUNE_DEPTH + 1 };
  assert.deepEqual(await check(), whole);

  const daemon = await lab.start({ dataDir, args: ["--prune", String(MIN_PRUNE_DEPTH)] });
  await poll("it has pruned", () => daemon.log().includes("blocks were pruned"));
  const history = await poll("all is indexed", async () => {
    const page = await daemon.client.accountHistory(keyOf("builder").address, { limit: 1 });
    return page.indexedHeight === BLOCKS && page;
  });
  assert.equal(history.firstHeight, 0);
  await assert.rejects(
    daemon.client.invalidateBlock(FIRST - 1),
    (error) => error instanceof ApiError && error.code === "CHAIN_PRUNED" && error.status === 409,
  );
  const file = join(await lab.directory(), "it.backup");
  const made = await runCli(["backup", "--data", dataDir, "-o", file]);
  assert.match(made.stdout, new RegExp(`\\npruned: blocks below ${FIRST} are not in it\\n`), made.stderr);
  await daemon.end("SIGKILL");
  assert.deepEqual(await check(), pruned);

  const again = await runCli(["reindex", "--data", dataDir, "--json"]);
  assert.deepEqual(JSON.parse(again.stdout), {
    head: head.id,
    height: BLOCKS,
    firstHeight: FIRST,
    wentOn: false,
  });
  assert.deepEqual(await check(), pruned);
  const plain = await lab.start({ dataDir });
  assert.equal((await plain.client.status()).head.id, head.id);
  assert.equal((await plain.client.mining({ mode: "blocks", count: 3 })).blocks.length, 3);
  await plain.end("SIGTERM");
  assert.deepEqual(await check(), { ...pruned, blocks: pruned.blocks + 3 });
});

test("a depth below the least is refused as wrong usage, with the least", async () => {
  for (const depth of ["0", String(MIN_PRUNE_DEPTH - 1), "-1", "all"]) {
    const refused = await runCli(["node", "start", "--data", "/nowhere", "--prune", depth]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, new RegExp(`--prune .*from ${MIN_PRUNE_DEPTH} to`));
  }
});
