import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { allGone, processesOf, readFileOf } from "../support/fake-cluster.ts";
import { createTempDir } from "../support/temp-dir.ts";

const NODES = 10;
/** Resident memory of all processes, those that share pages counted each. */
const MAX_RESIDENT_MIB = 2_048;

async function residentMiB(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(
    pids.map(async (pid) => /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]),
  );
  return sizes.reduce((sum, kib) => sum + Number(kib) / 1_024, 0);
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
  });

/** The peers that node `n` of ten is to have. */
const PEERS = {
  full: () => 9,
  ring: () => 2,
  line: (n: number) => (n === 1 || n === NODES ? 1 : 2),
  star: (n: number) => (n === 1 ? 9 : 1),
};

for (const topology of ["full", "ring", "line", "star"] as const)
  test(`ten nodes in a ${topology} topology come up, fork in two halves, agree after the heal, and leave nothing behind`, async (t) => {
    const { path, remove } = await createTempDir();
    const directory = join(path, "cluster");
    t.after(async () => {
      await stopCluster(directory).catch(() => {});
      await remove();
    });
    const cumulo = async (command: string): Promise<string> => {
      const args = [...command.split(" "), "--dir", directory];
      const { code, stdout, stderr } = await runCli(args, { timeoutMs: 120_000 });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await cumulo(`cluster up --nodes ${NODES} --topology ${topology} --log-level warn`);
    const cluster = await createClusterClient(directory);
    for (const { n, status } of await cluster.snapshot())
      assert.equal(status?.peers, PEERS[topology](n), `node ${n}`);
    const file = await readFileOf(directory);
    const processes = processesOf(file);
    if (process.platform === "linux") {
      const taken = await residentMiB(processes.map(({ pid }) => pid));
      assert.ok(taken < MAX_RESIDENT_MIB, `${Math.round(taken)} MiB`);
      t.diagnostic(`${Math.round(taken)} MiB of resident memory in all`);
    }
    await cumulo("cluster split 1-5/6-10");
    await cluster.node(1).mining({ mode: "blocks", count: 2 });
    await cluster.node(10).mining({ mode: "blocks", count: 4 });
    await cluster.act(6, "kill");
    await cluster.act(6, "restart");
    await cumulo("cluster heal");
    const { head } = JSON.parse(await cumulo("cluster wait converged --json"));
    assert.equal(head.height, 4);
    assert.equal((await cluster.node(1).reorgs()).items.length, 1);

    const last = await readFileOf(directory);
    const ports = last.nodes.flatMap(({ api, multiaddrs }) => [
      Number(new URL(api).port),
      ...multiaddrs.map((address) => Number(/\/tcp\/(\d+)/.exec(address)?.[1])),
    ]);
    ports.push(Number(new URL(last.url).port));
    await cumulo("cluster down --purge");
    assert.ok(await allGone([...processes, ...processesOf(last)]), "no process");
    assert.deepEqual(
      await Promise.all(ports.map(isOpen)),
      ports.map(() => false),
      "no port",
    );
    assert.deepEqual(await readdir(path), [], "no file");
  });
