import assert from "node:assert/strict";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readBase, readPruned } from "../../src/chain/base.ts";
import { checkChain, MIN_PRUNE_DEPTH } from "../../src/chain/index.ts";
import { otherBases } from "../../src/chain/schema.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createSeededRandom, type KeyValueStore, type Random } from "../../src/ports/index.ts";
import { type Block, equalBytes, specToJson } from "../../src/primitives/index.ts";
import { type ActingPeer, createActingPeer } from "./acting-peer.ts";
import { createBlockBuilder, keyOf, testGenesis, transfer } from "./block-builder.ts";
import { headStateRoot, openTestChain, replayedRoot } from "./chain-lab.ts";
import { spawnCli } from "./cli.ts";
import { createLab, type Daemon, type Lab, poll, spawnDaemon } from "./daemon.ts";
import { encodedBlocks } from "./encoded-blocks.ts";
import { newestLog } from "./log-damage.ts";

/** What is aimed at, in turn; import and reorg are fed by a peer over TCP. */
const AIMS = ["import", "reorg", "shutdown", "opening", "reorg", "reindex"] as const;
const DEPTH = 5;
/** Several batches of the writer, so that a kill can fall between two. */
const MORE_BLOCKS = 300;
/** After so many runs another network and directory: a replay of everything follows each kill. */
const RUNS_OF_ONE = 12;
/** Of every growth by so many blocks two rounds come. */
const PRUNING = ["--prune", String(MIN_PRUNE_DEPTH)];
const NAMES = ["alice", "bob"];
/** Whose transfers nobody mines. */
const SAVER = "carol";

export interface DaemonCount {
  kills: number;
  /** Work that ended before the kill came. */
  clean: number;
  /** Kills that left the head in the middle of what a peer fed, or a reindex or a pruning unfinished. */
  midway: number;
  /** Kills that left a chain some of whose blocks were pruned. */
  pruned: number;
  /** Kills after which the database was whole, with all that was shown, and its state that of a replay: all, or it throws. */
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
  const counts = new Map<string, DaemonCount>();
  const lab = createLab();
  try {
    for (let killed = 0; killed < kills; )
      killed += await runOnOneNetwork(lab, random, counts, kills - killed);
    return counts;
  } finally {
    await lab.close();
  }
}

/** Answers how many were killed, at most `kills`. */
async function runOnOneNetwork(
  lab: Lab,
  random: Random,
  counts: Map<string, DaemonCount>,
  kills: number,
): Promise<number> {
  const genesis = testGenesis();
  const dataDir = await lab.directory();
  const chainDir = join(dataDir, "chain");
  const genesisFile = join(dataDir, "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(genesis.spec)));
  const feed = createFeed(genesis);
  /** Heights by id. */
  const shown = new Map<string, number>();
  const promised = new Set<string>();

  function countOf(aim: string): DaemonCount {
    const count = counts.get(aim) ?? { kills: 0, clean: 0, midway: 0, pruned: 0, whole: 0 };
    counts.set(aim, count);
    return count;
  }

  /** Whether what the process was doing was half done, as the database has it. */
  async function isMidway(store: KeyValueStore): Promise<boolean> {
    const metaKey = (name: string): Uint8Array => new TextEncoder().encode(`m${name}`);
    const [head, ...marks] = await store.getMany(["head", "rebuild", "reindex"].map(metaKey));
    if (marks.some((mark) => mark !== undefined)) return true;
    const base = await readBase(store);
    if (base !== undefined && (await readPruned(store)) <= base.height) return true;
    for (const range of otherBases(base?.height)) for await (const _ of store.scan(range)) return true;
    const at = feed.chain.findIndex(({ header }) => head !== undefined && equalBytes(header.idBytes, head));
    return at >= feed.chain.length - MORE_BLOCKS && at < feed.chain.length - 1;
  }

  /** Reads the killed node's database, before anything mends it where it is not half made anew. Answers whether it was midway. */
  async function checkDatabase(aim: string): Promise<boolean> {
    const store = await createLevelStore({ directory: chainDir });
    const midway = await isMidway(store);
    if (aim !== "reindex" && aim !== "opening")
      assert.deepEqual((await checkChain(store, genesis)).findings, [], `${aim}: before opening`);
    const chain = await openTestChain(genesis, { store });
    // What an interrupted pruning left is deleted beside whoever reads.
    await chain.prune();
    assert.deepEqual((await checkChain(store, genesis)).findings, [], `${aim}: after opening`);
    assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain, store), `${aim}`);
    for (const [id, height] of shown) {
      // Pruned, or on a branch that left the best chain where it was pruned.
      const mayBeGone = chain.isConnected(id) ? 0 : DEPTH;
      if (height < chain.firstHeight + mayBeGone) shown.delete(id);
      else assert.ok(await chain.blocks.block(id), `${aim}: block ${id} was shown and is lost`);
    }
    if (chain.firstHeight > 0) countOf(aim).pruned += 1;
    await chain.close();
    return midway;
  }

  /** Waits until somebody has opened the database: it begins a new log. */
  async function opened(before: string): Promise<void> {
    await poll("the database is opened", async () => {
      const log = await newestLog(chainDir).catch(() => undefined);
      return log !== undefined && log.path !== before;
    });
  }

  /** Notes every head the API shows until it answers no more. */
  async function watch(daemon: Daemon, onHead: (height: number) => void = () => {}): Promise<void> {
    while (daemon.exit() === undefined) {
      const status = await daemon.client.status().catch(() => undefined);
      if (status !== undefined) {
        shown.set(status.head.id, status.head.height);
        onHead(status.head.height);
      }
      await pause(5);
    }
  }

  async function killWhileFed(aim: "import" | "reorg"): Promise<void> {
    feed.grow(aim === "reorg" ? Math.min(DEPTH, feed.chain.length) : 0);
    // Either so long after some body was sent, or when some part of them is seen to be connected.
    const bodiesBefore = Math.floor(random.fraction() * MORE_BLOCKS);
    const afterMs = 600 * random.fraction();
    const heightSeen = feed.chain.length - Math.ceil(random.fraction() * MORE_BLOCKS);
    const byHeight = random.fraction() < 0.5;
    const killNow = Promise.withResolvers<void>();
    let bodies = 0;
    const { chain } = feed;
    const peer: ActingPeer = await createActingPeer({
      genesis,
      blocks: chain,
      answers: {
        async blocks(_peer, ids) {
          const served = encodedBlocks(chain, ids);
          const isDue = bodies <= bodiesBefore && bodies + served.length > bodiesBefore;
          bodies += served.length;
          if (isDue && !byHeight) setTimeout(killNow.resolve, afterMs);
          return served;
        },
      },
    });
    try {
      const daemon = await lab.start({ dataDir, genesisFile, peers: [peer.address], args: PRUNING });
      const watching = watch(daemon, (height) => {
        if (byHeight && height >= heightSeen) killNow.resolve();
      });
      await killNow.promise;
      await daemon.end("SIGKILL");
      await watching;
    } finally {
      await peer.stop();
    }
  }

  /** Answers whether it was still stopping when the kill came. A clean stop promises that what is pending waits on. */
  async function killWhileStopping(): Promise<boolean> {
    const daemon = await lab.start({ dataDir, genesisFile, args: PRUNING });
    assert.doesNotMatch(daemon.log(), /what was pending before the restart is lost/);
    const watching = watch(daemon);
    for (const txid of promised) assert.equal((await daemon.client.transaction(txid)).fate.state, "pending");
    const { nextNonce: nonce } = await daemon.client.account(keyOf(SAVER).address);
    const fresh = transfer(genesis, { from: SAVER, to: SAVER, amount: 1_000, nonce });
    await daemon.client.submit(fresh.bytes);
    process.kill(daemon.pid, "SIGTERM");
    await pause(1_500 * random.fraction());
    const { signal } = await daemon.end("SIGKILL");
    await watching;
    if (signal !== "SIGKILL") promised.add(fresh.txid);
    return signal === "SIGKILL";
  }

  async function killWhileOpening(): Promise<void> {
    await rm(join(dataDir, "node.json"), { force: true });
    const { path } = await newestLog(chainDir);
    const child = spawnDaemon(dataDir, { genesisFile });
    const exited = once(child, "exit");
    await opened(path);
    await pause(200 * random.fraction());
    child.kill("SIGKILL");
    await exited;
  }

  async function killWhileReindexing(): Promise<boolean> {
    const { path } = await newestLog(chainDir);
    const child = spawnCli(["reindex", "--data", dataDir, "--json"]);
    const exited = once(child, "exit");
    await opened(path);
    await pause(300 * random.fraction());
    child.kill("SIGKILL");
    return ((await exited) as [unknown, string | null])[1] === "SIGKILL";
  }

  let killed = 0;
  for (let run = 0; killed < kills && run < RUNS_OF_ONE; run++) {
    const aim = AIMS[run % AIMS.length] ?? "import";
    const count = countOf(aim);
    let wasKilled = true;
    if (aim === "import" || aim === "reorg") await killWhileFed(aim);
    else if (aim === "shutdown") wasKilled = await killWhileStopping();
    else if (aim === "opening") await killWhileOpening();
    else wasKilled = await killWhileReindexing();
    const midway = await checkDatabase(aim);
    if (!wasKilled) count.clean += 1;
    else {
      killed += 1;
      count.kills += 1;
      count.whole += 1;
      if (midway) count.midway += 1;
    }
  }
  return killed;
}
