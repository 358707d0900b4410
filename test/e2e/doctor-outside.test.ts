import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { createLab, poll } from "../support/daemon.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

interface Printed {
  readonly problems: number;
  readonly findings: readonly {
    readonly code: string;
    readonly node?: number | null;
    readonly severity: string;
    readonly summary: string;
    readonly advice: string;
  }[];
}

async function doctor(...args: string[]): Promise<Printed> {
  const { code, stdout, stderr } = await runCli(["doctor", ...args, "--json"]);
  assert.notEqual(stdout, "", stderr);
  const printed = JSON.parse(stdout) as Printed;
  assert.equal(code, printed.problems > 0 ? 1 : 0);
  return printed;
}

/** How busy the test machine is, how full its disk, and who has the usual port there, is no part of the tests. */
const OF_THE_MACHINE = ["EVENT_LOOP_BUSY", "DISK_FULL", "DISK_NEARLY_FULL", "PORT_BUSY"];
const codesOf = ({ findings }: Printed): string[] =>
  findings.map(({ code }) => code).filter((code) => !OF_THE_MACHINE.includes(code));

test("the doctor tells a paused, a killed and a cleanly stopped node apart, and who has the chain open", async (t) => {
  const lab = createLab(t);
  const dataDir = await lab.directory();
  const node = await lab.start({ dataDir });
  assert.deepEqual(codesOf(await doctor("--data", dataDir)), ["NO_PEERS"]);

  process.kill(node.pid, "SIGSTOP");
  const paused = await doctor("--data", dataDir).finally(() => process.kill(node.pid, "SIGCONT"));
  assert.equal(paused.findings[0]?.advice, `let it go on: kill -CONT ${node.pid}`);

  const note = join(dataDir, "node.json");
  await rename(note, `${note}.away`);
  const locked = await doctor("--data", dataDir);
  assert.deepEqual(codesOf(locked), ["CHAIN_LOCKED"]);
  assert.match(locked.findings[0]?.summary ?? "", new RegExp(`^process ${node.pid} has the chain in `));
  await rename(`${note}.away`, note);

  await node.end("SIGKILL");
  await writeFile(join(dataDir, "node.log"), '{"level":50,"msg":"out of memory"}\n');
  const crashed = await doctor("--data", dataDir);
  assert.deepEqual(codesOf(crashed), ["NODE_CRASHED"]);
  assert.match(
    crashed.findings[0]?.summary ?? "",
    new RegExp(`^process ${node.pid}, .*its last words: out of memory$`),
  );

  const again = await lab.start({ dataDir });
  await again.end("SIGTERM");
  assert.deepEqual(codesOf(await doctor("--data", dataDir)), ["NODE_NOT_RUNNING"]);
});

test("the doctor tells directories that are no node's, and another program at the port", async (t) => {
  const directory = await temporaryDirectory(t);
  assert.deepEqual(codesOf(await doctor("--data", join(directory, "nowhere"))), ["DATA_MISSING"]);
  assert.deepEqual(codesOf(await doctor("--data", directory)), ["DATA_OTHER"]);
  const file = join(directory, "file");
  await writeFile(file, "");
  assert.deepEqual(codesOf(await doctor("--data", file)), ["DATA_UNUSABLE"]);
  assert.deepEqual(codesOf(await doctor("--dir", directory)), ["CLUSTER_NOT_RUNNING"]);

  const server = createServer((_request, response) => response.end("<html>"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { findings } = await doctor("--api", `http://127.0.0.1:${port}`);
  assert.deepEqual(
    findings.map(({ code }) => code),
    ["PORT_BUSY"],
  );
  server.close();
  assert.deepEqual(codesOf(await doctor("--api", `http://127.0.0.1:${port}`)), ["NODE_NOT_RUNNING"]);

  const both = await runCli(["doctor", "--data", directory, "--dir", directory]);
  assert.equal(both.code, 2);
});

test("of a cluster the doctor tells a split, a paused and a killed node, each node's own findings, and who attacks", async (t) => {
  const directory = join(await temporaryDirectory(t), "cluster");
  t.after(() => stopCluster(directory).catch(() => {}));
  const up = await runCli(["cluster", "up", "--nodes", "3", "--attack", "3=withhold", "--dir", directory]);
  assert.equal(up.code, 0, up.stderr);
  assert.match(up.stdout, /node 3 attacks the others: withhold/);
  const cluster = await createClusterClient(directory);
  assert.equal((await cluster.node(3).status()).attack, "withhold");
  const told = async () =>
    (await doctor("--dir", directory)).findings
      .filter(({ code }) => !OF_THE_MACHINE.includes(code))
      .map(({ node, code }) => `${node ?? "all"} ${code}`);
  assert.deepEqual(await told(), ["3 ATTACK_ROLE"]);

  // What it mines in secret sets no honest node apart.
  await cluster.node(3).mining({ mode: "blocks", count: 2 });
  const withSecret = await told();
  assert.ok(!withSecret.includes("all CLUSTER_APART"), withSecret.join());

  await cluster.split([[1], [2, 3]]);
  const split = await told();
  assert.ok(split.includes("all CLUSTER_SPLIT") && split.includes("1 NO_PEERS"), split.join());
  await cluster.heal();
  await poll("all are connected", async () => (await cluster.node(1).status()).peers === 2);

  await cluster.act(2, "pause");
  await cluster.act(1, "kill");
  const hurt = await told();
  assert.equal(hurt[0], "1 NODE_ENDED");
  assert.ok(hurt.includes("2 NODE_PAUSED"), hurt.join());
  const words = await runCli(["cluster", "doctor", "--dir", directory]);
  assert.equal(words.code, 1);
  assert.match(words.stdout, /^problem {2}node 1 has ended: killed by cluster kill \(NODE_ENDED\)$/m);
  assert.match(words.stdout, /^1 problem with /m);
});
