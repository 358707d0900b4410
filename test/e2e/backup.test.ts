import assert from "node:assert/strict";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ApiError } from "../../src/client/index.ts";
import { runCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";

test("a running node is backed up while it goes on mining, and the backup starts as another node of its chain", async (t) => {
  const lab = createLab(t);
  const node = await lab.start();
  await node.client.mining({ mode: "blocks", count: 30 });
  await node.client.mining({ mode: "continuous", hashRate: 100_000 });
  const root = await lab.directory();
  const file = join(root, "it.backup");
  const made = await runCli(["backup", "--data", node.dataDir, "-o", file, "--with-keys"], {
    env: { CUMULO_API: "http://127.0.0.1:1" },
  });
  assert.equal(made.code, 0, made.stderr);
  assert.match(
    made.stdout,
    /^backed up devnet at \d+ [0-9a-f]{12} from the running node: .*\nwith 1 key .*\(reward\)/,
  );
  const { height } = (await node.client.status()).head;
  await poll("it goes on mining", async () => (await node.client.status()).head.height > height);

  const dataDir = join(root, "new");
  const restored = await runCli(["restore", file, "--data", dataDir, "--with-keys", "--json"]);
  assert.equal(restored.code, 0, restored.stderr);
  const { head } = JSON.parse(restored.stdout);
  assert.ok(head.height >= 30);
  const checked = await runCli(["db", "check", "--data", dataDir]);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  await node.end("SIGKILL");
  const copy = await lab.start({ dataDir });
  assert.equal((await copy.client.status()).head.id, head.id);
  assert.equal(copy.peer, node.peer, "with the keys it got the name among peers too");
  assert.equal((await runCli(["key", "list", "--data", dataDir])).code, 0);
  await copy.end("SIGTERM");

  // A restore that was cut off: no node starts there.
  const cut = join(root, "cut");
  await mkdir(join(cut, "restoring"), { recursive: true });
  const refused = await runCli(["node", "start", "--data", cut, "--api", "127.0.0.1:0"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /holds an unfinished restore; run "cumulo restore" there again/);
  assert.deepEqual(await readdir(cut), ["restoring"]);
  await rm(cut, { recursive: true });
});

test("one backup at a time comes from a node, to whoever has its token, and one that is left makes room for the next", async (t) => {
  const lab = createLab(t);
  const node = await lab.start();
  await node.client.mining({ mode: "blocks", count: 5 });
  const first = await node.client.backup();
  // The server may have sent all of a small one already: what counts is that none is refused for ever.
  await first.next();
  await first.return(undefined);
  const bytes = await poll("there is room for another", async () => {
    let count = 0;
    for await (const chunk of await node.client.backup()) count += chunk.length;
    return count;
  });
  assert.ok(bytes > 5_000);
  const answer = await fetch(`${node.api}/v1/backup`, { method: "POST" });
  assert.equal(answer.status, 401);
  assert.equal(((await answer.json()) as { code: string }).code, "TOKEN_REQUIRED");
  const gone = new AbortController();
  const aborted = node.client.backup({ signal: gone.signal });
  gone.abort();
  await assert.rejects(aborted, (error) => !(error instanceof ApiError));
});
