import assert from "node:assert/strict";
import type { Reorg, Status, TransactionStatus } from "../../src/api/index.ts";
import { poll } from "./commands.ts";
import { checkLateComer } from "./late-comer.ts";
import { type HttpAnswer, type HttpProbe, probe, type ReachAnswer } from "./probe.ts";
import { NODES, type NodeName, type Project } from "./project.ts";
import { seconds } from "./report.ts";
import type { Scene } from "./scene.ts";

/** Blocks that each side mines while node 3 is cut off: different numbers, or the branches would tie. */
const SPLIT_BLOCKS = { majority: 5, node3: 2 } as const;
const RESTART_MS = 60_000;

const short = (id: string): string => id.slice(0, 12);
const headOf = ({ height, id }: { height: number; id: string }): string => `${height} ${short(id)}`;

/** Builds and starts the three nodes, and waits until they are healthy and know each other. */
export async function start({ commands, project, report }: Scene): Promise<void> {
  await report.check("the image builds from the Dockerfile, for each service", async () => {
    await project.compose(["build"]);
    return undefined;
  });
  await report.check("three nodes start and are healthy", async () => {
    await project.compose(["up", "--detach"]);
    await project.findContainers();
    await project.healthy();
    return undefined;
  });
  await report.check("they share one genesis and are connected, each to both others", async () => {
    const statuses = await poll(
      "each node has two peers",
      commands,
      async () => {
        const all = await Promise.all(NODES.map((node) => project.status(node)));
        return all.every(({ peers }) => peers === 2) ? all : undefined;
      },
      60_000,
    );
    assert.equal(new Set(statuses.map(({ chain }) => chain)).size, 1, "one chain");
    assert.equal(new Set(statuses.map(({ node }) => node.peer)).size, 3, "three names");
    return `network ${statuses[0]?.network}, chain ${statuses[0]?.chain.slice(0, 8)}`;
  });
}

/** What a container may not do. */
export async function checkConfinement({ project, report }: Scene): Promise<void> {
  await report.check(
    "every process runs as user 1000, without capabilities or a way to gain any",
    async () => {
      let processes = 0;
      for (const node of NODES) {
        const { stdout } = await project.sh(
          node,
          "grep -hE '^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):' /proc/[0-9]*/status",
        );
        const values = stdout
          .trim()
          .split("\n")
          .map((line) => line.split(/\s+/));
        for (const [name = "", ...rest] of values) {
          const expected = { "Uid:": "1000 1000 1000 1000", "NoNewPrivs:": "1" }[name] ?? "0000000000000000";
          assert.equal(rest.join(" "), expected, `${node} ${name}`);
        }
        processes += values.filter(([name]) => name === "Uid:").length;
      }
      return `${processes} processes looked at`;
    },
  );
  await report.check(
    "the root is read-only; /data is the node's own, and its secrets are its alone",
    async () => {
      for (const node of NODES) {
        for (const path of ["/x", "/etc/x", "/opt/cumulo/x", "/var/tmp/x"]) {
          const { code, stderr } = await project.sh(node, `: >${path}`);
          assert.notEqual(code, 0, `${node} can write ${path}`);
          assert.match(stderr, /Read-only file system/);
        }
        const { stdout } = await project.sh(node, "stat -c '%a %u' /data /data/api-token /data/network-key");
        assert.equal(stdout, "700 1000\n600 1000\n600 1000\n");
      }
      return undefined;
    },
  );
  await report.check(
    "memory, processes and logs are limited, and an end by itself means a new start",
    async () => {
      const { HostConfig } = JSON.parse(await project.inspect("node1", "{{json .}}")) as {
        HostConfig: {
          Memory: number;
          PidsLimit: number;
          LogConfig: { Config: object };
          RestartPolicy: { Name: string };
        };
      };
      const { Memory, PidsLimit, LogConfig, RestartPolicy } = HostConfig;
      assert.deepEqual(
        { Memory, PidsLimit, log: LogConfig.Config, restart: RestartPolicy.Name },
        {
          Memory: 2 ** 30,
          PidsLimit: 512,
          log: { "max-size": "10m", "max-file": "3" },
          restart: "unless-stopped",
        },
      );
      return undefined;
    },
  );
}

/** What the host sees of the nodes. */
export async function checkPorts({ commands, engine, project, report }: Scene): Promise<void> {
  const http = (what: Omit<HttpProbe, "kind">): Promise<HttpAnswer> =>
    probe(commands, engine, { kind: "http", ...what });
  const ports = NODES.map((node) => project.ports[node]);
  const port = project.ports.node1;

  await report.check("the APIs answer on the host's loopback, and on no other address of it", async () => {
    for (const node of NODES) {
      const bound = await project.inspect(
        node,
        "{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}",
      );
      assert.equal(bound, "127.0.0.1", `${node} is published on ${bound}`);
      const { status, body } = await http({ port: project.ports[node], path: "/v1/status" });
      assert.equal(status, 200);
      assert.equal((body as unknown as Status).network, "devnet");
    }
    const { tried, reached } = await probe<ReachAnswer>(commands, engine, { kind: "reach", ports });
    assert.ok(tried.length > 0, "this host has no other address to try");
    assert.deepEqual(reached, []);
    return `ports ${ports.join(", ")}; ${tried.length} others refuse`;
  });
  await report.check("a foreign host name is refused, and changing anything needs the token", async () => {
    const foreign = await http({ port, path: "/v1/status", hostName: "rebound.example" });
    assert.deepEqual([foreign.status, foreign.body["code"]], [421, "HOST_NOT_SERVED"]);
    const mining = { port, path: "/v1/mining", method: "POST", json: { mode: "blocks", count: 1 } } as const;
    assert.equal((await http(mining)).status, 401);
    const { stdout } = await project.compose(["exec", "-T", "node1", "cat", "/data/api-token"]);
    assert.equal((await http({ ...mining, token: stdout.trim() })).status, 200);
    return undefined;
  });
}

/** Blocks and a transfer on all three. */
export async function mineAndPay({ commands, engine, project, report }: Scene): Promise<void> {
  await report.check(
    "blocks mined on one node are on all, a transfer sent to one is mined by another",
    async () => {
      await project.text("node1", "mine", "3");
      await project.text("node3", "mine", "1");
      await project.converged();
      const zoe = await project.cumulo<{ address: string }>("node1", "key", "new", "zoe");
      const sent = ["send", "--from", "reward", "--to", "zoe", "--amount", "12.5"];
      const { id } = await project.cumulo<{ id: string }>("node1", ...sent);
      const isPending = async () => (await project.status("node2")).mempool.transactions === 1;
      await poll("the transfer is at node 2", commands, isPending, 30_000);
      await project.text("node2", "mine", "1");
      const head = await project.converged();
      // Read from outside, of the node that neither sent nor mined it.
      const path = `/v1/accounts/${zoe.address}`;
      const { body } = await probe<HttpAnswer>(commands, engine, {
        kind: "http",
        port: project.ports.node3,
        path,
      });
      assert.equal(body["balance"], 1_250_000_000);
      return `transfer ${short(id)}, head ${headOf(head)}`;
    },
  );
}

/** Cuts node 3 off, lets both sides mine, and joins them again. */
export async function splitAndHeal({ project, report }: Scene): Promise<void> {
  const before = await project.status("node3");
  let transfer = "";
  await report.check(
    "node 3, cut off by `docker network disconnect`, and the others mine branches",
    async () => {
      await project.docker(["network", "disconnect", project.network, project.container("node3")]);
      const { address } = await project.cumulo<{ address: string }>("node3", "key", "new", "yan");
      const sent = ["send", "--from", "reward", "--to", address, "--amount", "3"];
      transfer = (await project.cumulo<{ id: string }>("node3", ...sent)).id;
      await project.text("node3", "mine", String(SPLIT_BLOCKS.node3));
      await project.text("node1", "mine", String(SPLIT_BLOCKS.majority));
      const [one, three] = [await project.status("node1"), await project.status("node3")];
      assert.equal(one.head.height, before.head.height + SPLIT_BLOCKS.majority);
      assert.equal(three.head.height, before.head.height + SPLIT_BLOCKS.node3);
      return `node 1 at ${headOf(one.head)}, node 3 at ${headOf(three.head)}`;
    },
  );
  await report.check(
    "joined again by `connect --alias`, they agree on the branch with more work",
    async () => {
      const joined = ["network", "connect", "--alias", "node3", project.network];
      const begunMs = performance.now();
      await project.docker([...joined, project.container("node3")]);
      const head = await project.converged(120_000);
      assert.equal(head.height, before.head.height + SPLIT_BLOCKS.majority);
      return `converged ${seconds(performance.now() - begunMs)} after the heal began, on ${headOf(head)}`;
    },
  );
  await report.check(
    "node 3 has a record of its reorg, with its depth and what became of the transfer",
    async () => {
      const [reorg, ...others] = await project.cumulo<Reorg[]>("node3", "reorgs");
      assert.ok(reorg !== undefined && others.length === 0, "one reorg");
      assert.deepEqual(
        {
          forkPoint: reorg.forkPoint.id,
          depth: reorg.depth,
          out: reorg.blocksOut.length,
          transactions: reorg.transactions,
        },
        {
          forkPoint: before.head.id,
          depth: SPLIT_BLOCKS.node3,
          out: SPLIT_BLOCKS.node3,
          transactions: [{ id: transfer, fate: "returned" }],
        },
      );
      // It goes over once the new branch has more work, which it may before the last of its blocks has come.
      const { length } = reorg.blocksIn;
      assert.ok(length > SPLIT_BLOCKS.node3 && length <= SPLIT_BLOCKS.majority, `${length} blocks in`);
      assert.equal((await project.status("node3")).reorgs, before.reorgs + 1);
      assert.equal((await project.status("node1")).reorgs, 0);
      return `depth ${reorg.depth}, ${length} blocks in, took ${reorg.durationMs.toFixed(1)} ms`;
    },
  );
  report.show(await project.text("node3", "tips"));
  report.show(await project.text("node3", "reorgs", "--transactions"));
  await report.check("the transfer that the reorg took out is mined in the branch that stayed", async () => {
    await project.text("node3", "mine", "1");
    const head = await project.converged();
    const { fate } = await project.cumulo<TransactionStatus>("node1", "tx", transfer);
    assert.deepEqual([fate.state, fate.state === "mined" && fate.block], ["mined", head.id]);
    return `in block ${headOf(head)}`;
  });
}

/** The height at which a node last opened its chain, from its log: before any peer was there to bring it blocks. */
async function heightAtStart(project: Project, node: NodeName): Promise<number | undefined> {
  // Standard error and output of the container come back on ours.
  const { stdout } = await project.compose(["logs", "--no-color", node]);
  const starts = [...stdout.matchAll(/\{"level".*"msg":"the chain is open"\}/g)];
  const last = starts.at(-1)?.[0];
  return last === undefined ? undefined : (JSON.parse(last) as { height: number }).height;
}

/** Kills node 2 and starts it again. */
export async function killAndStart({ project, report }: Scene): Promise<void> {
  const before = await project.status("node2");
  await report.check("node 2, killed, stays down while the others go on", async () => {
    await project.docker(["kill", project.container("node2")]);
    await project.text("node1", "mine", "3");
    const state = await project.inspect("node2", "{{.State.Status}} {{.State.ExitCode}}");
    assert.equal(state, "exited 137");
    return undefined;
  });
  await report.check("started again, it has its name, key and blocks, and catches up", async () => {
    const begunMs = performance.now();
    await project.docker(["start", project.container("node2")]);
    await project.healthy(["node2"]);
    const head = await project.converged();
    const after = await project.status("node2");
    assert.equal(head.height, before.head.height + 3);
    assert.deepEqual([after.node.peer, after.mining.rewardTo], [before.node.peer, before.mining.rewardTo]);
    assert.equal(await heightAtStart(project, "node2"), before.head.height, "what its disk held");
    const took = seconds(performance.now() - begunMs);
    return `from ${before.head.height}, which it still had, to ${head.height} in ${took}`;
  });
}

/** Takes everything down, and up again with the same volumes. */
export async function downAndUp({ project, report }: Scene): Promise<void> {
  const before = await Promise.all(NODES.map((node) => project.status(node)));
  await report.check("all nodes stop cleanly within their grace period", async () => {
    await project.compose(["stop"]);
    for (const node of NODES) assert.equal(await project.inspect(node, "{{.State.ExitCode}}"), "0", node);
    return undefined;
  });
  await report.check("`down` takes away the containers and the network, and leaves the volumes", async () => {
    await project.compose(["down"]);
    const left = await project.remains();
    assert.ok(
      left.every((line) => line.startsWith("volume ")),
      left.join(", "),
    );
    // Compose 1.29 makes the volumes of profiles that are off, too.
    const ofNodes = left.filter((line) => NODES.some((node) => line.endsWith(`_${node}`)));
    assert.equal(ofNodes.length, NODES.length, left.join(", "));
    return undefined;
  });
  await report.check("`up` again goes on with the same chain, names and reorg record", async () => {
    await project.compose(["up", "--detach"], RESTART_MS);
    await project.findContainers();
    await project.healthy();
    const after = await Promise.all(NODES.map((node) => project.status(node)));
    const kept = ({ head, node, reorgs, mining }: Status) => [head.id, node.peer, reorgs, mining.rewardTo];
    assert.deepEqual(after.map(kept), before.map(kept));
    await project.text("node2", "mine", "1");
    return `one more block for all: ${headOf(await project.converged())}`;
  });
}

/** Takes everything away. */
export async function downWithVolumes({ project, report }: Scene): Promise<void> {
  await report.check("`down --volumes` leaves no container, network or volume", async () => {
    await project.compose(["down", "--volumes"]);
    assert.deepEqual(await project.remains(), []);
    return undefined;
  });
}

/** Everything, one after the other. */
export async function tellWholeStory(scene: Scene): Promise<void> {
  const { report } = scene;
  report.section("Build and start");
  await start(scene);
  report.section("What the containers may do, and what the host sees");
  await checkConfinement(scene);
  await checkPorts(scene);
  report.section("Blocks and a transfer");
  await mineAndPay(scene);
  report.section("Split and heal");
  await splitAndHeal(scene);
  report.section("A peer known by name only");
  await checkLateComer(scene);
  report.section("Kill and start one node");
  await killAndStart(scene);
  report.section("Down and up");
  await downAndUp(scene);
  await downWithVolumes(scene);
}

/** That another Compose takes the file too: it builds, runs, agrees and goes. */
export async function tellShortStory(scene: Scene): Promise<void> {
  await start(scene);
  await scene.report.check("a block mined on one node is on all", async () => {
    await scene.project.text("node1", "mine", "1");
    return headOf(await scene.project.converged());
  });
  await downWithVolumes(scene);
}
