import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { AttackRole } from "../../src/api/index.ts";
import { specToJson } from "../../src/primitives/index.ts";
import { testGenesis } from "./block-builder.ts";
import { createLab, type Daemon, poll } from "./daemon.ts";

/** One attacker and some honest nodes, each connected to all others. */
export interface AttackLab {
  readonly attacker: Daemon;
  readonly honest: readonly Daemon[];
  /** One more honest node that knows these from its start. */
  join(peers: readonly Daemon[]): Promise<Daemon>;
  mine(node: Daemon, count: number): Promise<readonly string[]>;
  /** Waits until the honest nodes have one head, of this height or above, and gives it. */
  agree(height: number): Promise<{ readonly id: string; readonly height: number }>;
}

export async function startAttack(
  t: TestContext,
  role: AttackRole,
  honestNodes = 2,
  args: readonly string[] = [],
): Promise<AttackLab> {
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(testGenesis().spec)));
  const honest: Daemon[] = [];
  const peers = () => honest.map(({ multiaddr }) => multiaddr);
  for (let n = 0; n < honestNodes; n++) honest.push(await lab.start({ genesisFile, peers: peers(), args }));
  const attacker = await lab.start({ genesisFile, peers: peers(), args: ["--attack", role] });
  const all = [...honest, attacker];
  // Whoever spams may have been sent away before the last one is connected.
  const connected = role === "header-spam" ? honest : all;
  await poll("all nodes see all others", async () => {
    const statuses = await Promise.all(connected.map(({ client }) => client.status()));
    return statuses.every((status) => status.peers >= connected.length - 1);
  });
  return {
    attacker,
    honest,
    join: (others) =>
      lab.start({ genesisFile, peers: others.map(({ multiaddr }) => multiaddr), logLevel: "debug" }),
    mine: async (node, count) => (await node.client.mining({ mode: "blocks", count })).blocks,
    agree: (height) =>
      poll("the honest nodes agree", async () => {
        const heads = await Promise.all(honest.map(async ({ client }) => (await client.status()).head));
        const [first] = heads;
        const isOne =
          first !== undefined && first.height >= height && heads.every(({ id }) => id === first.id);
        return isOne && first;
      }),
  };
}
