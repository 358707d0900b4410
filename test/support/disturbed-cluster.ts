import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { specToJson } from "../../src/primitives/index.ts";
import { keyOf, testGenesis, transfer } from "./block-builder.ts";
import { converged, createLab, type Daemon, poll } from "./daemon.ts";

/** After any of the disturbances all heads are the same within this time. */
const CONVERGED_MS = 20_000;
const SEND_EVERY_MS = 50;

/**
 * Three nodes that mine under a load of transfers, one of which is killed, paused, cut off and restarted in turn; after
 * each all agree, go on, and have no transfer twice.
 */
export async function disturbCluster(
  t: TestContext,
  { pauseMs }: { readonly pauseMs: number },
): Promise<void> {
  const lab = createLab(t);
  const genesis = testGenesis({ difficultyBits: 8, intervalMs: 500 });
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const nodes: Daemon[] = [];
  const start = (dataDir?: string): Promise<Daemon> =>
    lab.start({
      genesisFile,
      peers: nodes.filter(({ exit }) => exit() === undefined).map(({ multiaddr }) => multiaddr),
      args: ["--mine", "--hash-rate", "100"],
      ...(dataDir === undefined ? {} : { dataDir }),
    });
  for (let n = 0; n < 3; n++) nodes.push(await start());

  const loading = new AbortController();
  let sent = 0;
  async function load(): Promise<void> {
    const from = nodes[0] as Daemon;
    while (!loading.signal.aborted) {
      // A client whose node is away, or has lost what was pending, asks for its next nonce and tries again.
      await (async () => {
        const { nextNonce: nonce } = await from.client.account(keyOf("alice").address);
        await from.client.submit(transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce }).bytes);
        sent += 1;
      })().catch(() => {});
      await pause(SEND_EVERY_MS);
    }
  }
  const isLoaded = load();

  async function agrees(what: string): Promise<void> {
    const { height } = await converged(nodes, CONVERGED_MS);
    // And not only for a moment: they go on together.
    await poll(`the chain goes on after ${what}`, async () =>
      (await Promise.all(nodes.map(({ client }) => client.status()))).every(
        ({ head }) => head.height > height,
      ),
    );
    await converged(nodes, CONVERGED_MS);
  }

  try {
    await agrees("the start");
    const [, second, third] = nodes as [Daemon, Daemon, Daemon];
    assert.equal((await second.end("SIGKILL")).signal, "SIGKILL");
    nodes[1] = await start(second.dataDir);
    await agrees("a kill -9");

    process.kill(third.pid, "SIGSTOP");
    await pause(pauseMs);
    process.kill(third.pid, "SIGCONT");
    await agrees("a pause");

    const rest = nodes.filter((node) => node !== third);
    await Promise.all(
      rest.flatMap((one) => [one.client.refuseLink(third.peer), third.client.refuseLink(one.peer)]),
    );
    await pause(pauseMs);
    await Promise.all(
      rest.flatMap((one) => [one.client.healLink(third.peer), third.client.healLink(one.peer)]),
    );
    await agrees("a loss of network");

    assert.equal((await third.end("SIGTERM")).code, 0);
    nodes[2] = await start(third.dataDir);
    await agrees("a restart");
  } finally {
    loading.abort();
    await isLoaded;
  }
  assert.ok(sent > 10, `${sent} transfers were sent meanwhile`);
  // What the last blocks have not mined yet is pending; all nodes have the same account.
  for (const { client } of nodes) await client.mining({ mode: "off" });
  await converged(nodes, CONVERGED_MS).catch(async () => {
    await nodes[0]?.client.mining({ mode: "blocks", count: 1 });
    await converged(nodes, CONVERGED_MS);
  });
  const accounts = await Promise.all(nodes.map(({ client }) => client.account(keyOf("alice").address)));
  assert.equal(new Set(accounts.map(({ nonce, balance }) => `${nonce} ${balance}`)).size, 1);
  assert.ok((accounts[0]?.nonce ?? 0) > 0, "transfers were mined under way");
}
