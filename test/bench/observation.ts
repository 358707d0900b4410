import { setTimeout as pause } from "node:timers/promises";
import { followTimeline } from "../../src/cluster/node-timeline.ts";
import type { Genesis } from "../../src/ledger/index.ts";
import { silentLogger } from "../../src/ports/index.ts";
import { transfer } from "../support/block-builder.ts";
import { buildChain } from "../support/built-chain.ts";
import { createLab, type Daemon, type Lab, poll } from "../support/daemon.ts";
import { cpuMs } from "./processes.ts";

const TRANSFERS_PER_BLOCK = 50;
const SENDERS = 50;
/** Blocks of a round: enough for Linux's ticks of 10 ms not to matter. */
const BLOCKS_PER_ROUND = 40;
const SCRAPE_MS = 5_000;

export interface ObservationResult {
  /** CPU of both nodes for each block, ms, a figure per round: without observation, and with it. */
  readonly plainMs: readonly number[];
  readonly observedMs: readonly number[];
  readonly blocks: number;
  readonly transfersPerBlock: number;
}

/** Two nodes in processes of their own: the first mines what the second was sent, so both gossip, store and execute. */
interface Pair {
  readonly nodes: readonly [Daemon, Daemon];
  readonly genesis: Genesis;
  /** Next one of all senders: they send in turn. */
  sent: number;
}

async function startPair(lab: Lab, args: readonly string[]): Promise<Pair> {
  const dataDir = await lab.directory();
  const { genesis } = await buildChain({
    dataDir,
    blocks: 1,
    senders: SENDERS,
    transfersAt: () => SENDERS,
  });
  const copy = await lab.copyOf(dataDir);
  const first = await lab.start({ dataDir, args, logLevel: "warn" });
  const second = await lab.start({ dataDir: copy, args, peers: [first.multiaddr], logLevel: "warn" });
  await poll("the nodes are connected", async () => (await first.client.status()).peers === 1);
  return { nodes: [first, second], genesis, sent: 0 };
}

const usedMs = async ({ nodes }: Pair): Promise<number> =>
  (await Promise.all(nodes.map(({ pid }) => cpuMs(pid)))).reduce((sum, ms) => sum + ms, 0);

/** A round's CPU for each block. */
async function round(pair: Pair, blocks: number): Promise<number> {
  const [miner, other] = pair.nodes;
  const before = await usedMs(pair);
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < TRANSFERS_PER_BLOCK; i++) {
      const sender = pair.sent % SENDERS;
      const nonce = 1 + Math.floor(pair.sent / SENDERS);
      pair.sent += 1;
      const options = { from: `sender ${sender}`, to: "bob", amount: 1, nonce, fee: 30_000 };
      await other.client.submit(transfer(pair.genesis, options).bytes);
    }
    await poll("the miner has them", async () =>
      (await miner.client.status()).mempool.transactions >= TRANSFERS_PER_BLOCK ? true : undefined,
    );
    const { blocks: mined } = await miner.client.mining({ mode: "blocks", count: 1 });
    await poll("the other has the block", async () =>
      (await other.client.status()).head.id === mined[0] ? true : undefined,
    );
  }
  return ((await usedMs(pair)) - before) / blocks;
}

/** What observes a node: a reader of all events, a supervisor's recorder, and Prometheus. */
function observe({ client, api }: Daemon, signal: AbortSignal): Promise<unknown> {
  const read = async (): Promise<void> => {
    for await (const event of client.events(signal)) void event;
  };
  const scrape = async (): Promise<void> => {
    while (!signal.aborted) {
      await fetch(`${api}/metrics`, { signal }).then((response) => response.text());
      await pause(SCRAPE_MS, undefined, { signal });
    }
  };
  const record = followTimeline(
    { n: 1, client: () => client, logger: silentLogger, take: () => {} },
    { most: 1_000 },
    signal,
  );
  return Promise.allSettled([read(), scrape(), record]);
}

/**
 * What it costs two nodes to be observed: with a timeline, a reader of all events, a recorder and a scraper on each of
 * them, against two that keep none and that nobody reads. Rounds of the two alternate, so a machine that changes its pace
 * changes it for both.
 */
export async function measureObservation(
  runs: number,
  { blocks = BLOCKS_PER_ROUND }: { readonly blocks?: number } = {},
): Promise<ObservationResult> {
  const lab = createLab();
  const stop = new AbortController();
  let observing: Promise<unknown> = Promise.resolve();
  try {
    const plain = await startPair(lab, ["--no-timeline"]);
    const observed = await startPair(lab, []);
    observing = Promise.all(observed.nodes.map((node) => observe(node, stop.signal)));
    // Compiling and the first batches are nobody's cost.
    for (const pair of [plain, observed]) await round(pair, blocks);
    const [plainMs, observedMs]: [number[], number[]] = [[], []];
    for (let run = 0; run < runs; run++) {
      // Each goes first in every other round.
      const order = run % 2 === 0 ? ([plain, observed] as const) : ([observed, plain] as const);
      for (const pair of order) (pair === plain ? plainMs : observedMs).push(await round(pair, blocks));
    }
    return { plainMs, observedMs, blocks, transfersPerBlock: TRANSFERS_PER_BLOCK };
  } finally {
    stop.abort();
    await observing;
    await lab.close();
  }
}
