import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const example = join(root, "docs/examples/fork.ts");

function run(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    timeout: 30_000,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

test("the example of the client library makes a fork, follows it and tells the fate of what was in it", async (t) => {
  const { path, remove } = await createTempDir();
  const directory = join(path, "cluster");
  t.after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });
  const up = await runCli(["cluster", "up", "--nodes", "2", "--log-level", "warn", "--dir", directory]);
  assert.equal(up.code, 0, up.stderr);
  const cluster = await createClusterClient(directory);
  await cluster.node(1).mining({ mode: "blocks", count: 2 });
  const load = await runCli(["cluster", "load", "--tps", "3", "--for", "1s", "--dir", directory]);
  assert.equal(load.code, 0, load.stderr);
  const pending = async (n: number) => (await cluster.node(n).status()).mempool.transactions;
  await until(
    "both have all transactions",
    async () => (await pending(1)) === 3 && (await pending(2)) === 3,
    15_000,
  );

  const { code, stdout, stderr } = await run([example, directory]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^reorg on node 1: 1 block\(s\) given up since height \d+$/m);
  assert.equal(stdout.match(/^transaction [0-9a-f]{8}: mined$/gm)?.length, 3, stdout);
  assert.match(stdout, /^node 2: head \d+ [0-9a-f]{8}$/m);
  assert.match(stdout, /^without the token: TOKEN_REQUIRED$/m);
});

test("docs/client.md shows the example as it stands", async () => {
  const page = await readFile(join(root, "docs/client.md"), "utf8");
  const code = await readFile(example, "utf8");
  assert.ok(page.includes(`\`\`\`ts\n${code}\`\`\`\n`), "copy docs/examples/fork.ts into docs/client.md");
});
