import assert from "node:assert/strict";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { checkChain } from "../../src/chain/index.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createSeededRandom } from "../../src/ports/index.ts";
import { type Block, specToJson } from "../../src/primitives/index.ts";
import { type ActingPeer, createActingPeer } from "./acting-peer.ts";
import { createBlockBuilder, keyOf, testGenesis, transfer } from "./block-builder.ts";
import { headStateRoot, openTestChain, replayedRoot } from "./chain-lab.ts";
import { spawnCli } from "./cli.ts";
import { createLab, type Daemon, spawnDaemon } from "./daemon.ts";

/** What is aimed at, in turn; import and reorg are fed by a peer over TCP. */
const AIMS = ["import", "reorg", "shutdown", "opening", "reorg", "reindex"] as const;
const DEPTH = 5;
const MORE_BLOCKS = 25;
const NAMES = ["alice", "bob"];
/** Whose transfers nobody mines. */
const SAVER = "carol";

export interface DaemonCount {
  kills: number;
  /** Stops on SIGTERM that ended before the kill came. */
  clean: number;
  /** Kills after which the database was whole, with all that was shown, and its state that of a replay. */
  whole: number;
}

/** An honest chain that grows, or is overtaken from a few blocks below, whenever one asks. */
function createFeed(genesis: ReturnType<typeof testGenesis>) {
  const builder = createBlockBuilder(genesis);
  let chain: Block[] = [];
  return {
    get chain(): readonly Block[] {
      return chain;
    },
    grow(depth: number): void {
      const base = chain.slice(0, Math.max(0, chain.length - depth));
      for (let i = 0; i < depth + MORE_BLOCKS; i++) {
        const parent = base.at(-1)?.header.id ?? genesis.block.header.id;
        const transactions = NAMES.map((from) =>
          transfer(genesis, {
            from,
            to: `guest ${base.length % 40}`,
            amount: 1_000,
            nonce: builder.account(parent, from)?.nonce ?? 0,
          }),
        );
        base.push(builder.build({ parent, transactions, proposer: `miner ${chain.length}` }));
      }
      chain = base;
    },
  };
}

/**
 * Kills whole daemons: while they import from a peer, reorganize, stop, start, and while `cumulo reindex` runs. After each
 * kill the database is opened and checked whole, and held to every head that the daemon's API had shown.
 */
export async function runDaemonCampaign(seed: number, kills: number): Promise<Map<string, DaemonCount>> {
  const random = createSeededRandom(seed);
  const lab = createLab();
  const genesis = testGenesis();
  const dataDir = await lab.directory();
  const genesisFile = join(dataDir, "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const feed = createFeed(genesis);
  const counts = new Map<string, DaemonCount>();
  const shown = new Set<string>();
  const promised = new Set<string>();

  /** Reads the killed node's database; before anything mends it where it is not half made anew. */
  async function checkDatabase(aim: string): Promise<void> {
    const store = await createLevelStore({ directory: join(dataDir, "chain") });
    if (aim !== "reindex" && aim !== "opening")
      assert.deepEqual(
        (await checkChain(store, genesis)).findings,
        [],
        `${aim}: before opening, seed ${seed}`,
      );
    const chain = await openTestChain(genesis, { store });
    assert.deepEqual((await checkChain(store, genesis)).findings, [], `${aim}: after opening, seed ${seed}`);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), `${aim}: seed ${seed}`);
    for (const id of shown)
      assert.ok(await chain.blocks.block(id), `${aim}: block ${id} was shown and is lost`);
    await chain.close();
  }

  /** Notes every head the API shows until it answers no more. */
  async function watch(daemon: Daemon): Promise<void> {
    while (daemon.exit() === undefined) {
      const status = await daemon.client.status().catch(() => undefined);
      if (status !== undefined) shown.add(status.head.id);
      await pause(5);
    }
  }

  async function killWhileFed(aim: "import" | "reorg"): Promise<void> {
    feed.grow(aim === "reorg" ? Math.min(DEPTH, feed.chain.length) : 0);
    const bodiesBefore = Math.floor(random.fraction() * MORE_BLOCKS);
    const afterMs = 40 * random.fraction();
    const killNow = Promise.withResolvers<void>();
    let bodies = 0;
    const { chain } = feed;
    const peer: ActingPeer = await createActingPeer({
      genesis,
      blocks: chain,
      answers: {
        async block(_peer, id) {
          const block = chain.find(({ header }) => header.id === id);
          if (block === undefined) return undefined;
          if (bodies++ === bodiesBefore) setTimeout(killNow.resolve, afterMs);
          return { headerBytes: block.header.bytes, bodyBytes: block.bodyBytes };
        },
      },
    });
    try {
      const daemon = await lab.start({ dataDir, genesisFile, peers: [peer.address] });
      const watching = watch(daemon);
      await killNow.promise;
      await daemon.end("SIGKILL");
      await watching;
    } finally {
      await peer.stop();
    }
  }

  /** Answers whether it was still stopping when the kill came. A clean stop promises that what is pending waits on. */
  async function killWhileStopping(): Promise<boolean> {
    const daemon = await lab.start({ dataDir, genesisFile });
    assert.doesNotMatch(daemon.log(), /what was pending before the restart is lost/);
    const watching = watch(daemon);
    for (const txid of promised)
      assert.equal((await daemon.client.transaction(txid)).fate.state, "pending", `seed ${seed}`);
    const { nextNonce: nonce } = await daemon.client.account(keyOf(SAVER).address);
    const fresh = transfer(genesis, { from: SAVER, to: SAVER, amount: 1_000, nonce });
    await daemon.client.submit(fresh.bytes);
    process.kill(daemon.pid, "SIGTERM");
    await pause(80 * random.fraction());
    const { signal } = await daemon.end("SIGKILL");
    await watching;
    if (signal !== "SIGKILL") promised.add(fresh.txid);
    return signal === "SIGKILL";
  }

  async function killWhileOpening(): Promise<void> {
    await rm(join(dataDir, "node.json"), { force: true });
    const child = spawnDaemon(dataDir, { genesisFile });
    const exited = once(child, "exit");
    await pause(100 + 900 * random.fraction());
    child.kill("SIGKILL");
    await exited;
  }

  async function killWhileReindexing(): Promise<boolean> {
    const child = spawnCli(["reindex", "--data", dataDir, "--json"]);
    const exited = once(child, "exit");
    await pause(250 + 500 * random.fraction());
    child.kill("SIGKILL");
    return ((await exited) as [unknown, string | null])[1] === "SIGKILL";
  }

  try {
    for (let run = 0, killed = 0; killed < kills && run < 3 * kills; run++) {
      const aim = AIMS[run % AIMS.length] ?? "import";
      const count = counts.get(aim) ?? { kills: 0, clean: 0, whole: 0 };
      counts.set(aim, count);
      let wasKilled = true;
      if (aim === "import" || aim === "reorg") await killWhileFed(aim);
      else if (aim === "shutdown") wasKilled = await killWhileStopping();
      else if (aim === "opening") await killWhileOpening();
      else wasKilled = await killWhileReindexing();
      if (wasKilled) count.kills += 1;
      else count.clean += 1;
      killed += wasKilled ? 1 : 0;
      await checkDatabase(aim);
      if (wasKilled) count.whole += 1;
    }
    return counts;
  } finally {
    await lab.close();
  }
}
