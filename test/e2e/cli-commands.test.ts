import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Reorg } from "../../src/api/index.ts";
import { createKeyStore } from "../../src/keys/index.ts";
import { parseGenesis, type SealedTransaction } from "../../src/primitives/index.ts";
import { startApi, TOKEN } from "../support/api-server.ts";
import { runCli, spawnCli } from "../support/cli.ts";
import { headEvent } from "../support/sample-events.ts";
import { ADDRESS, ID_A, ID_B, PEER, stubStatus } from "../support/stub-node-service.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const block = (height: number) => ({ id: ID_A, height, transactions: 1 });
const reorg: Reorg = {
  id: "1",
  node: PEER,
  oldHead: { id: ID_A, height: 12, work: "3000" },
  newHead: { id: ID_B, height: 13, work: "3400" },
  forkPoint: { id: ID_A, height: 10, work: "2800" },
  depth: 2,
  blocksOut: [block(12), block(11)],
  blocksIn: [block(11), block(12), block(13)],
  blocksInCount: 3,
  transactionCount: 2,
  cause: { peer: PEER, message: "gossip", block: ID_B, arrival: null },
  receivedMs: 1_767_225_600_000,
  startedMs: 1_767_225_600_001,
  durationMs: 4.5,
  transactions: [
    { id: ID_A, fate: "returned" },
    { id: ID_B, fate: "conflicted", by: ID_A },
  ],
};

describe("command line", { concurrency: 2 }, () => {
  it("status says what matters in a few lines, and everything with --json", async (t) => {
    const { url } = await startApi(t, {
      status: async () => ({ ...stubStatus, tied: [{ id: ID_A, height: 12, work: "3000" }] }),
    });
    const human = await runCli(["status", "--api", url]);
    assert.equal(human.code, 0, human.stderr);
    assert.match(human.stdout, new RegExp(`head +12 +${ID_B}`));
    assert.match(human.stdout, /work +12,288/);
    assert.match(human.stdout, /tied .*mine one block/);
    assert.ok(!human.stdout.includes("\u001b"), "no colours where it is no terminal");
    const machine = await runCli(["status", "--json"], { env: { CUMULO_API: url } });
    assert.equal(JSON.parse(machine.stdout).head.id, ID_B);
  });

  it("lists are tables for people and items for programs", async (t) => {
    const { url } = await startApi(t, {
      status: async () => ({ ...stubStatus, tied: [{ id: ID_A, height: 12, work: "3000" }] }),
      tips: async () => [
        { ...stubStatus.head, state: "head", forkPoint: { id: ID_B, height: 12 }, length: 0 },
        { ...stubStatus.head, id: ID_A, state: "side", forkPoint: { id: ID_B, height: 10 }, length: 2 },
      ],
      reorgs: async () => ({ items: [reorg], next: null }),
    });
    const tips = await runCli(["tips", "--api", url]);
    assert.match(tips.stdout, /^TIP +HEIGHT +WORK +STATE +BRANCH\n/);
    assert.match(tips.stdout, /aaaaaaaaaaaa +12 +12,288 +side +2 from 10\n/);
    assert.match(tips.stdout, /tied: mine one block/);
    const reorgs = await runCli(["reorgs", "--transactions", "--api", url]);
    assert.match(reorgs.stdout, /^reorg 1: depth 2, fork point 10 aaaaaaaaaaaa\n/);
    assert.match(reorgs.stdout, /out +2 blocks.*\n +in +3 blocks.*\n +why +gossip from …/);
    assert.match(reorgs.stdout, /1 returned to the mempool, 1 conflicted/);
    assert.match(reorgs.stdout, new RegExp(`${ID_B} +conflicted with ${ID_A}`));
    assert.match((await runCli(["peers", "--api", url])).stdout, /^no peers/);
    assert.deepEqual(JSON.parse((await runCli(["reorgs", "--api", url, "--json"])).stdout), [reorg]);
  });

  it("a data directory gives the API's address and the token", async (t) => {
    const { url, node } = await startApi(t);
    const data = await temporaryDirectory(t);
    await writeFile(join(data, "node.json"), JSON.stringify({ pid: 1, api: url, multiaddrs: [] }));
    await writeFile(join(data, "api-token"), `${TOKEN}\n`);
    const mined = await runCli(["mine", "2", "--data", data]);
    assert.match(mined.stdout, /mined 2 blocks; the last is bbbbbbbbbbbb/, mined.stderr);
    assert.equal((await runCli(["mine", "--every", "2s", "--data", data])).code, 0);
    assert.equal((await runCli(["mine", "off"], { env: { CUMULO_DATA: data } })).code, 0);
    assert.equal((await runCli(["peer", "add", "/ip4/127.0.0.1/tcp/4001", "--data", data])).code, 0);
    const withToken = { env: { CUMULO_TOKEN: TOKEN } };
    assert.equal((await runCli(["peer", "remove", PEER, "--api", url], withToken)).code, 0);
    // Difficulty 0x400 every 2 s is 512 tries a second.
    const calls = ["mineBlocks 2", "mineContinuously 512", "stopMining", "addPeer /ip4/127.0.0.1/tcp/4001"];
    assert.deepEqual(node.calls, [...calls, `removePeer ${PEER}`]);
  });

  it("bans are made, shown and ended by what the lists show of a peer", async (t) => {
    const ban = {
      subject: PEER,
      kind: "peer",
      sinceMs: 0,
      untilMs: 86_400_000,
      reason: "spam",
      byHand: true,
    } as const;
    const { url, node } = await startApi(t, { bans: async () => ({ items: [ban], next: null }) });
    const run = (...args: string[]) => runCli([...args, "--api", url], { env: { CUMULO_TOKEN: TOKEN } });
    const banned = await run("peer", "ban", PEER, "--for", "7d", "--reason", "too loud");
    assert.equal(banned.stdout, `banned ${PEER} until 1970-01-08T00:00:00Z\n`, banned.stderr);
    assert.equal((await run("peer", "ban", "20.1.1.1")).code, 0);
    assert.equal((await run("peer", "unban", `…${PEER.slice(-8)}`)).code, 0);
    assert.deepEqual(node.calls, [`ban ${PEER} 604800000 too loud`, "ban 20.1.1.1 1000 ", `unban ${PEER}`]);
    assert.match(
      (await run("peer", "bans")).stdout,
      new RegExp(`…${PEER.slice(-8)} +1970-01-02T00:00:00Z .*by hand +spam`),
    );
    assert.deepEqual(JSON.parse((await run("peer", "bans", "--json")).stdout), [ban]);
  });

  it("mining that is not done in time ends with exit code 3", async (t) => {
    const { url } = await startApi(t, {
      mineBlocks: (_count, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve([ID_A]))),
    });
    const args = ["mine", "5", "--timeout", "100ms", "--api", url, "--json"];
    const { code, stderr } = await runCli(args, { env: { CUMULO_TOKEN: TOKEN } });
    assert.equal(code, 3);
    assert.deepEqual(JSON.parse(stderr).details, { blocks: [ID_A] });
  });

  it("send signs with the next nonce and the least fee, and --wait follows the fate", async (t) => {
    let submitted: SealedTransaction | undefined;
    let looks = 0;
    const { url } = await startApi(t, {
      account: async (key) => ({
        address: ADDRESS,
        exists: key[0] !== 7,
        balance: 10,
        nonce: 3,
        nextNonce: 5,
        pending: 2,
        head: { id: ID_B, height: 12 },
      }),
      submit: async ([transaction]) => {
        submitted = transaction;
        return [{ id: transaction?.txid ?? "", accepted: true }];
      },
      transaction: async (id) => ({
        id,
        fate: ++looks < 3 ? { state: "pending" } : { state: "mined", block: ID_B, height: 13, depth: 2 },
        transaction: null,
        sizeBytes: null,
        events: [],
      }),
    });
    const data = await temporaryDirectory(t);
    const alice = await createKeyStore(join(data, "keys")).create("alice");
    const args = [
      "send",
      "--from",
      "alice",
      "--to",
      ADDRESS,
      "--amount",
      "1.5",
      "--memo",
      "hi",
      "--wait",
      "2",
    ];
    const { code, stdout, stderr } = await runCli([...args, "--data", data, "--api", url, "--json"], {
      env: { CUMULO_TOKEN: TOKEN },
    });
    assert.equal(code, 0, stderr);
    assert.ok(submitted !== undefined);
    const { body } = submitted.transaction;
    assert.deepEqual(body.sender, alice.publicKey);
    assert.deepEqual([body.nonce, body.action.value.amount, body.expiry], [5, 150_000_000, 1_012]);
    assert.equal(new TextDecoder().decode(body.action.value.memo), "hi");
    assert.equal(body.fee, submitted.bytes.length + 10_000, "a unit a byte, and the new account");
    const answer = JSON.parse(stdout) as { id: string; fate: { state: string } };
    assert.deepEqual([answer.id, answer.fate.state], [submitted.txid, "mined"]);
  });

  it("a transfer that waits in vain ends with 3, one that is lost with 1", async (t) => {
    const fates = [{ state: "pending" as const }, { state: "conflicted" as const, by: ID_A }];
    for (const [i, fate] of fates.entries()) {
      const { url } = await startApi(t, {
        transaction: async (id) => ({ id, fate, transaction: null, sizeBytes: null, events: [] }),
      });
      const data = await temporaryDirectory(t);
      await createKeyStore(join(data, "keys")).create("alice");
      const args = [
        "send",
        "--from",
        "alice",
        "--to",
        "alice",
        "--amount",
        "1",
        "--wait",
        "1",
        "--timeout",
        "50ms",
      ];
      const { code, stderr } = await runCli([...args, "--data", data, "--api", url], {
        env: { CUMULO_TOKEN: TOKEN },
      });
      assert.equal(code, i === 0 ? 3 : 1);
      assert.match(stderr, i === 0 ? /not 1 deep after 50 ms/ : /its nonce was used by a{64}/);
    }
  });

  it("watch prints events until it is interrupted", async (t) => {
    const { url, node } = await startApi(t);
    const child = spawnCli(["watch", "--api", url]);
    t.after(() => child.kill("SIGKILL"));
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await until(
      "the events arrive",
      () => {
        node.emit(headEvent());
        node.emit({ type: "reorg", data: { ...reorg, timeMs: reorg.startedMs, sequence: null } });
        return /head +12 bbbbbbbbbbbb/.test(text) && text.includes("reorg 1: depth 2");
      },
      20_000,
    );
    const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
    child.kill("SIGINT");
    assert.equal(await ended, 0);
  });

  it("genesis new writes rules that node init takes, different each time", async (t) => {
    const data = await temporaryDirectory(t);
    const make = async (file: string) => {
      const path = join(data, file);
      const args = ["genesis", "new", "--difficulty", "4", "--adjust", "--reward", "2.5", "--interval", "1s"];
      const { code, stderr } = await runCli([...args, "--alloc", `${ADDRESS}=100`, "-o", path]);
      assert.equal(code, 0, stderr);
      const parsed = parseGenesis(await readFile(path, "utf8"));
      assert.ok(parsed.ok);
      return { path, spec: parsed.spec };
    };
    const [a, b] = [await make("a.json"), await make("b.json")];
    const { difficultyBits, difficultyMode, reward, intervalMs, allocations } = a.spec;
    assert.deepEqual(
      [difficultyBits, difficultyMode, reward, intervalMs],
      [4, "adjusting", 250_000_000, 1_000],
    );
    assert.equal(allocations[0]?.amount, 10_000_000_000);
    assert.notDeepEqual(a.spec.salt, b.spec.salt);
    const node = join(data, "node");
    const { code } = await runCli(["node", "init", "--data", node, "--genesis", a.path]);
    assert.equal(code, 0);
    assert.equal((await stat(node)).mode & 0o777, 0o700);
    const again = await runCli(["node", "init", "--data", node]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /choose another --data DIR/);
  });

  it("ids as tables show them name a block or a transaction", async (t) => {
    const asked: string[] = [];
    const { url } = await startApi(t, {
      findIds: async (kind, prefix) =>
        [ID_A, ID_B].filter((id) => kind === "transaction" && id.startsWith(prefix)),
      transaction: async (id) => {
        asked.push(id);
        return { id, fate: { state: "pending" }, transaction: null, sizeBytes: null, events: [] };
      },
    });
    assert.match((await runCli(["tx", ID_B.slice(0, 12), "--api", url])).stdout, new RegExp(ID_B));
    assert.deepEqual(asked, [ID_B]);
    const twice = await startApi(t, { findIds: async () => [ID_A, ID_B] });
    const { code, stderr } = await runCli(["block", "abcdef01", "--api", twice.url, "--json"]);
    assert.equal(code, 1);
    const { message, details } = JSON.parse(stderr) as { message: string; details: object };
    assert.equal(message, "abcdef01 is the beginning of 2 blocks; give more digits");
    assert.deepEqual(details, { matches: [ID_A, ID_B] });
  });

  it("peers fit in 100 columns, and a peer is removed by what they show of it", async (t) => {
    const address = "/ip4/192.168.100.200/tcp/40001";
    const peer = {
      peer: PEER,
      state: "connected",
      configured: true,
      direction: "outbound",
      sinceMs: 1,
      score: -40,
    } as const;
    const { url, node } = await startApi(t, {
      peers: async () => [
        { ...peer, address: `${address}/p2p/${PEER}`, head: stubStatus.head, problem: null },
        {
          ...peer,
          peer: null,
          state: "disconnected",
          address: "/ip4/127.0.0.1/tcp/1",
          head: null,
          problem:
            "the connection was refused by 127.0.0.1 port 1, nobody listens there; tried again in 30 s",
        },
      ],
    });
    const { stdout } = await runCli(["peers", "--api", url]);
    assert.match(stdout, new RegExp(`…${PEER.slice(-8)} .*${address}\n`));
    assert.ok(!stdout.includes(PEER), "the long name is for --json");
    for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
    const withToken = { env: { CUMULO_TOKEN: TOKEN } };
    for (const name of [`…${PEER.slice(-8)}`, PEER.slice(-8), address, PEER]) {
      assert.equal((await runCli(["peer", "remove", name, "--api", url], withToken)).code, 0, name);
      assert.equal(node.calls.at(-1), `removePeer ${PEER}`, name);
    }
  });

  it("a hint is a command that can be copied: it names the same node or cluster", async (t) => {
    const { url } = await startApi(t);
    const data = await temporaryDirectory(t);
    const withToken = { env: { CUMULO_TOKEN: TOKEN } };
    const mining = await runCli(["mine", "on", "--api", url], withToken);
    assert.match(mining.stdout, new RegExp(`stop it with: cumulo mine off --api ${url}\n`));
    const spaced = join(data, "my node");
    await mkdir(spaced);
    const list = await runCli(["key", "list", "--data", spaced]);
    assert.equal(list.stdout, `no keys yet; make one with: cumulo key new NAME --data '${spaced}'\n`);
  });

  it("the first key may come before the node: its directory is made, next to those that exist", async (t) => {
    const data = join(await temporaryDirectory(t), "node");
    assert.equal((await runCli(["key", "new", "alice", "--data", data])).code, 0);
    assert.equal((await stat(data)).mode & 0o777, 0o700);
  });

  it("help shows defaults as they would be typed", async () => {
    const text = (...args: string[]) => runCli([...args, "--help"]).then(({ stdout }) => stdout);
    assert.match(await text("mine"), /\(default: 60s\)/);
    assert.match(await text("genesis", "new"), /\(default: 2s\)/);
    const start = await text("node", "start");
    assert.match(start, /\(default:\s+127\.0\.0\.1:7070\)/);
    assert.ok(!start.includes("{"), start);
  });

  it("keys are made and listed", async (t) => {
    const data = await temporaryDirectory(t);
    const made = await runCli(["key", "new", "alice", "--data", data, "--json"]);
    const { address } = JSON.parse(made.stdout) as { address: string };
    assert.match((await runCli(["key", "list", "--data", data])).stdout, new RegExp(`alice +${address}`));
  });

  it("help tells the exit codes", async () => {
    const { code, stdout } = await runCli(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 timed out/);
  });
});
