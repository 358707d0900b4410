import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Reorg, Status, Tree } from "../../api/index.ts";
import { makePrivateDirectory } from "../../files/index.ts";
import { UNITS_PER_COIN } from "../../primitives/index.ts";
import { markDirectory } from "../claim.ts";
import { type ClusterClient, createClusterClient, type NodeSnapshot } from "../client.ts";
import { waitConverged } from "../converge.ts";
import { relateHeads } from "../heads.ts";
import { sleep, waitUntil } from "../processes.ts";
import type { SentTransfer } from "../scenarios/index.ts";
import { startCluster } from "../up.ts";
import { countFates, type FateCounts } from "./fates.ts";
import { createPeople, type People } from "./people.ts";

const COMMON_BLOCKS = 2;
/** Blocks each side mines while split: the difference decides, the smaller number is the depth. */
const BLOCKS_OF_1 = 3;
const BLOCKS_OF_2 = 5;
const BETWEEN_BLOCKS_MS = 250;
const CONVERGE_MS = 60_000;
/** Mempools need not be equal; the story is only rounder when they are. */
const MEMPOOLS_MS = 5_000;

/** One side of the fork, read from a node just before the heal. */
export interface Branch {
  readonly tip: string;
  /** Cumulative work, hex. */
  readonly work: string;
  /** Blocks since the fork point. */
  readonly blocks: number;
  /** Nodes that follow it. */
  readonly nodes: readonly number[];
}

/** What the demo found, all of it read back from the nodes. */
export interface DemoResult {
  readonly nodes: number;
  readonly converged: boolean;
  readonly head: { readonly id: string; readonly height: number; readonly work: string };
  readonly branches: readonly Branch[];
  /** From the heal to the snapshot that showed one head. */
  readonly timeToConvergenceMs: number;
  readonly reorgs: readonly (Reorg & { readonly n: number })[];
  readonly transactions: FateCounts;
}

/** What is told while it happens. */
export interface DemoEvents {
  step(title: string, detail: string): void;
  heads(nodes: readonly NodeSnapshot[]): void;
  fork(tree: Tree, branches: readonly Branch[]): void;
  doubleSpend(first: SentTransfer, second: SentTransfer): void;
  reorg(reorg: Reorg, n: number, nameOf: (id: string) => SentTransfer | undefined): void;
  converged(head: Status["head"], timeMs: number): void;
  transactions(counts: FateCounts, people: People): void;
}

export interface DemoOptions {
  /** Made, and filled with genesis, keys and nodes. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

async function prepare(directory: string): Promise<Awaited<ReturnType<typeof createPeople>>> {
  await makePrivateDirectory(directory);
  await markDirectory(directory);
  const people = await createPeople(directory);
  const genesis = {
    name: "demo",
    difficultyBits: 10,
    reward: 50 * UNITS_PER_COIN,
    genesisTimestampMs: Date.now(),
    allocations: people.allocations,
  };
  await writeFile(join(directory, "genesis.json"), `${JSON.stringify(genesis, undefined, 2)}\n`);
  return people;
}

async function mine(
  cluster: ClusterClient,
  n: number,
  count: number,
  tell: DemoEvents,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    await sleep(BETWEEN_BLOCKS_MS);
    signal.throwIfAborted();
    await cluster.node(n).mining({ mode: "blocks", count: 1 });
    tell.heads(await cluster.snapshot());
  }
}

/** Both sides as their own nodes see them. */
async function readBranches(cluster: ClusterClient, forkHeight: number): Promise<Branch[]> {
  const branches = new Map<string, Branch>();
  for (const { n, status } of await cluster.snapshot()) {
    if (status === undefined) continue;
    const { id, work, height } = status.head;
    const known = branches.get(id);
    branches.set(id, { tip: id, work, blocks: height - forkHeight, nodes: [...(known?.nodes ?? []), n] });
  }
  return [...branches.values()];
}

/** Waits until the nodes of a group show one head: gossip within a side takes a moment. */
async function settle(cluster: ClusterClient, group: readonly number[]): Promise<void> {
  await waitUntil(async () => {
    const heads = (await cluster.snapshot())
      .filter(({ n }) => group.includes(n))
      .map(({ status }) => status?.head.id);
    return new Set(heads).size === 1;
  }, CONVERGE_MS);
}

/**
 * Three nodes fork and converge: load, split, two branches with one coin spent on both, heal, reorg, and what became of
 * every transaction. Leaves the cluster running.
 */
export async function runDemo(options: DemoOptions, tell: DemoEvents): Promise<DemoResult> {
  const { directory, signal } = options;
  tell.step("Three nodes start", "difficulty 10 bits, reward 50 coins, all connected over TCP");
  const cast = await prepare(directory);
  await startCluster({ directory, nodes: 3, genesisFile: join(directory, "genesis.json"), signal });
  const cluster = await createClusterClient(directory);
  const { chain } = await cluster.node(1).status();
  const people = cast.join({ chain, node: cluster.node });
  const stopLoad = new AbortController();
  const load = people.load(AbortSignal.any([signal, stopLoad.signal]));
  // Awaited below; a failing transfer must not count as unhandled before that.
  load.catch(() => {});

  tell.step(
    "Alice, Bob, Carol and Dave pay each other",
    `all the time; node 1 mines ${COMMON_BLOCKS} blocks`,
  );
  await mine(cluster, 1, COMMON_BLOCKS, tell, signal);
  const { head: forkHead } = await waitConverged(cluster, { timeoutMs: CONVERGE_MS, signal });

  tell.step("The network splits: node 1 | nodes 2 and 3", "both sides go on mining and paying");
  await cluster.split([[1], [2, 3]]);
  const first = await people.pay({
    from: "mallory",
    to: "alice",
    amount: 300 * UNITS_PER_COIN,
    node: 1,
    nonce: 0,
  });
  const second = await people.pay({
    from: "mallory",
    to: "bob",
    amount: 300 * UNITS_PER_COIN,
    node: 2,
    nonce: 0,
  });
  tell.doubleSpend(first, second);
  await mine(cluster, 1, BLOCKS_OF_1, tell, signal);
  await mine(cluster, 2, BLOCKS_OF_2, tell, signal);
  stopLoad.abort();
  await load;
  await settle(cluster, [2, 3]);
  const branches = await readBranches(cluster, forkHead.height);

  tell.step("The network heals", "the branch with the most cumulative work wins");
  await cluster.heal();
  const { head, timeMs } = await waitConverged(cluster, { timeoutMs: CONVERGE_MS, signal });
  tell.fork(await cluster.node(1).tree(BLOCKS_OF_2), branches);
  tell.converged(head, timeMs);
  const reorgs: (Reorg & { n: number })[] = [];
  for (const n of [1, 2, 3]) {
    for (const reorg of (await cluster.node(n).reorgs()).items.reverse()) {
      reorgs.push({ n, ...reorg });
      tell.reorg(reorg, n, (id) => people.sent.find((transfer) => transfer.id === id));
    }
  }

  tell.step("Two more blocks", "what came back to the mempool is mined again");
  await mempoolsSettle(cluster);
  await mine(cluster, 2, 2, tell, signal);
  const last = await waitConverged(cluster, { timeoutMs: CONVERGE_MS, signal });
  const transactions = await countFates(cluster, people.sent, reorgs);
  tell.transactions(transactions, people);
  const { id, height, work } = last.head;
  return {
    nodes: last.nodes.length,
    converged: relateHeads(last.nodes) === "equal",
    head: { id, height, work },
    branches,
    timeToConvergenceMs: Math.round(timeMs),
    reorgs,
    transactions,
  };
}

/** Returned transactions travel to the node that mines next; waits until all mempools hold as many. */
async function mempoolsSettle(cluster: ClusterClient): Promise<void> {
  await waitUntil(async () => {
    const counts = (await cluster.snapshot()).map(({ status }) => status?.mempool.transactions);
    return new Set(counts).size === 1;
  }, MEMPOOLS_MS);
}
