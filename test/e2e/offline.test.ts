import assert from "node:assert/strict";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { markForReindex } from "../../src/chain/index.ts";
import { createLevelStore } from "../../src/node/index.ts";
import { buildChain } from "../support/built-chain.ts";
import { runCli } from "../support/cli.ts";
import { createLab } from "../support/daemon.ts";

test("db check and reindex work on a stopped node's directory, and leave it as good as before", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const { head } = await buildChain({ dataDir, blocks: 60, transfersAt: () => 5 });
  const checked = await runCli(["db", "check", "--signatures", "--data", dataDir, "--json"]);
  assert.equal(checked.code, 0, checked.stderr);
  const report = JSON.parse(checked.stdout);
  assert.deepEqual(
    [report.head, report.height, report.transactions, report.findings],
    [head.id, 60, 300, []],
  );
  const shown = await runCli(["db", "check", "--data", dataDir]);
  assert.match(shown.stdout, /coins issued = [\d.]+ in accounts \+ [\d.]+ burned\nnothing is wrong\n$/);

  const again = await runCli(["reindex", "--data", dataDir]);
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout, `executed 60 blocks again; the head is 60 ${head.id.slice(0, 12)}\n`);
  assert.equal((await runCli(["db", "check", "--data", dataDir])).code, 0);
  const daemon = await lab.start({ dataDir });
  assert.equal((await daemon.client.status()).head.id, head.id);
  assert.equal((await daemon.client.status()).reorgs, 0);
  for (const command of [["reindex"], ["db", "check"]]) {
    const refused = await runCli([...command, "--data", dataDir]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^cumulo: \S+ is in use by another node; stop it first\n$/);
  }
});

test("db check tells of a reindex that was interrupted, until it has ended", async (t) => {
  const dataDir = await createLab(t).directory();
  await buildChain({ dataDir, blocks: 5, transfersAt: () => 1 });
  const store = await createLevelStore({ directory: join(dataDir, "chain") });
  await markForReindex(store);
  await store.close();
  const interrupted = await runCli(["db", "check", "--data", dataDir]);
  assert.equal(interrupted.code, 0, interrupted.stdout);
  assert.match(interrupted.stdout, /\nnot checked: [^\n]+ a reindex was interrupted; the next one[^\n]+\n/);
  assert.match((await runCli(["reindex", "--data", dataDir])).stdout, /this one went on with it\n$/);
  const { unchecked } = JSON.parse((await runCli(["db", "check", "--data", dataDir, "--json"])).stdout);
  assert.deepEqual(unchecked, []);
});

test("a reindex that meets a damaged table says what to do", async (t) => {
  const dataDir = await createLab(t).directory();
  await buildChain({ dataDir, blocks: 60, transfersAt: () => 20 });
  const directory = join(dataDir, "chain");
  const store = await createLevelStore({ directory });
  await store.compact([]);
  await store.close();
  for (const name of (await readdir(directory)).filter((name) => name.endsWith(".ldb"))) {
    const table = await open(join(directory, name), "r+");
    // The end, which tells where everything is, stays whole: so the damage shows only while rows are read.
    const { size } = await table.stat();
    await table.write(Buffer.alloc(Math.floor(size / 2), 0xa5), 0, Math.floor(size / 2), 0);
    await table.close();
  }
  const { code, stderr } = await runCli(["reindex", "--data", dataDir]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^cumulo: the chain in \S+ is damaged \([^\n]+\); restore it from a backup, or [^\n]+\n$/,
  );
});

test("a directory that holds no node is refused in one line and nothing is made there", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  for (const command of [["reindex"], ["db", "check"]]) {
    const refused = await runCli([...command, "--data", dataDir]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^cumulo: \S+ holds no node's chain; name a directory [^\n]+\n$/);
    const unnamed = await runCli(command);
    assert.equal(unnamed.code, 2);
    assert.match(unnamed.stderr, /--data DIR/);
  }
});
