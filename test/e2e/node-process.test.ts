import assert from "node:assert/strict";
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open, readdir, readFile, readlink, stat } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { createClient } from "../../src/client/index.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

interface NodeFile {
  readonly pid: number;
  readonly api: string;
}

/** A directory for nodes that run as their own processes; they are killed with the test, then it is removed. */
async function openLab(t: TestContext) {
  const { path, remove } = await createTempDir();
  const children: ChildProcess[] = [];
  t.after(async () => {
    for (const child of children) {
      const ended = child.exitCode === null && child.signalCode === null ? exitOf(child) : undefined;
      child.kill("SIGKILL");
      await ended;
    }
    await remove();
  });
  async function startNode(data: string, args: readonly string[] = []) {
    const fixed = ["node", "start", "--data", data, "--api", "127.0.0.1:0", "--log-level", "warn"];
    const child = spawnCli([...fixed, ...args]);
    children.push(child);
    const file = await until<NodeFile>(
      "the node answers",
      async () => {
        assert.equal(child.exitCode, null, "the node runs");
        const text = await readFile(join(data, "node.json"), "utf8").catch(() => "null");
        const note = JSON.parse(text) as NodeFile | null;
        return note !== null && note.pid === child.pid ? note : undefined;
      },
      30_000,
    );
    return { child, file };
  }
  return { directory: path, children, startNode };
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once("exit", (code) => resolve(code)));

describe("node process", { concurrency: 2 }, () => {
  it("answers when ready, mines, and stops cleanly within 5 s of SIGTERM", async (t) => {
    const { directory, startNode } = await openLab(t);
    const data = join(directory, "node");
    const { child, file } = await startNode(data);
    const mined = await runCli(["mine", "2", "--data", data, "--json"]);
    assert.equal(mined.code, 0, mined.stderr);
    const status = await createClient({ url: file.api }).status();
    assert.deepEqual([status.head.height, status.network, status.state], [2, "devnet", "waiting-for-peers"]);
    assert.equal((await stat(join(data, "api-token"))).mode & 0o777, 0o600);
    const startedMs = performance.now();
    const exited = exitOf(child);
    child.kill("SIGTERM");
    assert.equal(await exited, 0);
    assert.ok(performance.now() - startedMs < 5_000);
    await assert.rejects(stat(join(data, "node.json")), { code: "ENOENT" });
    const gone = await runCli(["status", "--data", data]);
    assert.deepEqual([gone.code, /cumulo node start/.test(gone.stderr)], [1, true]);
  });

  it("goes on from its disk after a restart", async (t) => {
    const { directory, startNode } = await openLab(t);
    const data = join(directory, "node");
    const first = await startNode(data);
    const { stdout } = await runCli(["mine", "3", "--data", data, "--json"]);
    const [, , last] = (JSON.parse(stdout) as { blocks: string[] }).blocks;
    const exited = exitOf(first.child);
    first.child.kill("SIGINT");
    assert.equal(await exited, 0);
    const second = await startNode(data);
    const { head } = await createClient({ url: second.file.api }).status();
    assert.deepEqual([head.height, head.id], [3, last]);
  });

  it("a busy port, a used directory and another network are refused in one line", async (t) => {
    const { directory, startNode } = await openLab(t);
    const data = join(directory, "node");
    const { file } = await startNode(data);
    const { port } = new URL(file.api);
    const start = (dir: string, ...args: string[]) =>
      runCli(["node", "start", "--data", join(directory, dir), "--log-level", "silent", ...args], {
        timeoutMs: 20_000,
      });
    const busy = await start("other", "--api", `127.0.0.1:${port}`);
    assert.deepEqual([busy.code, busy.stdout], [1, ""]);
    assert.match(busy.stderr, new RegExp(`^cumulo: port ${port} on 127\\.0\\.0\\.1 is in use [^\\n]+\\n$`));
    const second = await start("node", "--api", "127.0.0.1:0");
    assert.deepEqual([second.code, second.stdout], [1, ""]);
    assert.match(second.stderr, /^cumulo: [^\n]* in use by another node[^\n]*\n$/);
    assert.equal((await createClient({ url: file.api }).status()).head.height, 0, "the first goes on");
    const genesis = join(directory, "genesis.json");
    await runCli(["genesis", "new", "-o", genesis]);
    await assert.rejects(stat(join(directory, "other")), { code: "ENOENT" }, "nothing is left of it");
    const foreign = await start("node", "--api", "127.0.0.1:0", "--genesis", genesis);
    assert.deepEqual([foreign.code, foreign.stdout], [1, ""], foreign.stderr);
    assert.match(foreign.stderr, /^cumulo: [^\n]*genesis\.json describes another network than [^\n]+\n$/);
  });

  it("a stop asked for as soon as the API can be reached is a clean one", async (t) => {
    const { directory, children } = await openLab(t);
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    holder.close();
    await once(holder, "close");
    const args = ["--data", join(directory, "node"), "--api", `127.0.0.1:${port}`, "--log-level", "silent"];
    const child = spawnCli(["node", "start", ...args]);
    children.push(child);
    const exited = exitOf(child);
    const isReached = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => {
          // At once: node.json is on its way to the disk.
          child.kill("SIGTERM");
          socket.destroy();
          resolve(true);
        });
        socket.once("error", () => resolve(false));
      });
    await until("its API is there", isReached, 30_000);
    assert.equal(await exited, 0);
    await assert.rejects(stat(join(directory, "node", "node.json")), { code: "ENOENT" });
  });

  it("a log that cannot be written stops neither the node nor its end", {
    skip: !existsSync("/dev/full"),
  }, async (t) => {
    const { directory, children } = await openLab(t);
    const full = await open("/dev/full", "w");
    t.after(() => full.close());
    const data = join(directory, "node");
    const child = spawnCli(
      ["node", "start", "--data", data, "--api", "127.0.0.1:0"],
      {},
      { stderr: full.fd },
    );
    children.push(child);
    const exited = exitOf(child);
    await until("it says that it runs", () => existsSync(join(data, "node.json")), 30_000);
    const mined = await runCli(["mine", "2", "--data", data]);
    assert.equal(mined.code, 0, mined.stderr);
    child.kill("SIGTERM");
    assert.equal(await exited, 0);
  });

  it("an orphan ends even while it starts", { skip: !existsSync("/proc/self/fd") }, async (t) => {
    const { directory, children } = await openLab(t);
    // Reading the token from this pipe, which has a writer that says nothing, holds the start up.
    const tokenFile = join(directory, "pipe");
    await promisify(execFile)("mkfifo", [tokenFile]);
    const pipe = await open(tokenFile, "r+");
    t.after(() => pipe.close());
    const child = spawnCli(
      ["node", "start", "--data", join(directory, "node"), "--api", "127.0.0.1:0", "--token-file", tokenFile],
      {},
      { withChannel: true },
    );
    children.push(child);
    const exited = exitOf(child);
    const fds = `/proc/${child.pid}/fd`;
    await until(
      "the node waits for its token",
      async () => {
        const links = (await readdir(fds)).map((fd) => readlink(join(fds, fd)).catch(() => ""));
        return (await Promise.all(links)).includes(tokenFile);
      },
      20_000,
    );
    child.disconnect();
    assert.equal(await exited, 1);
  });

  it("two nodes started by hand meet, and a transfer reaches the other one", async (t) => {
    const { directory, startNode } = await openLab(t);
    const [a, b] = [join(directory, "a"), join(directory, "b")];
    const first = await startNode(a);
    const [address] = (await createClient({ url: first.file.api }).status()).node.multiaddrs;
    await startNode(b, ["--peer", String(address)]);
    await runCli(["mine", "1", "--data", a]);
    await runCli(["key", "new", "bob", "--data", b]);
    const { stdout } = await runCli(["key", "list", "--data", b, "--json"]);
    const bob = (JSON.parse(stdout) as { name: string; address: string }[]).find(
      ({ name }) => name === "bob",
    );
    const sent = await runCli([
      "send",
      "--from",
      "reward",
      "--to",
      String(bob?.address),
      "--amount",
      "2.5",
      "--data",
      a,
    ]);
    assert.equal(sent.code, 0, sent.stderr);
    const id = sent.stdout.slice(0, 64);
    await until(
      "the transfer is pending on the other node",
      async () => (await runCli(["tx", id, "--data", b])).code === 0,
      20_000,
    );
    const mined = await runCli(["mine", "1", "--data", b]);
    assert.equal(mined.code, 0, mined.stderr);
    await until("it is mined here too", async () =>
      /mined in block 2/.test((await runCli(["tx", id, "--data", a])).stdout),
    );
    assert.match((await runCli(["account", "bob", "--data", b])).stdout, /balance +2\.5 coins/);
  });
});
