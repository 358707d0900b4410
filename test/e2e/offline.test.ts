import assert from "node:assert/strict";
import { test } from "node:test";
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
