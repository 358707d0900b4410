import type { Template } from "../chain/index.ts";
import { createMiner, type Miner, type MiningTemplate, type SearchTasks } from "../miner/index.ts";
import type { Clock, Logger, Metrics, Random, Timers, WorkerPool } from "../ports/index.ts";
import { assembleBlock, bigintFromBytes, bytesToHex } from "../primitives/index.ts";
import type { BlockRelay } from "./block-relay.ts";
import type { MiningChain } from "./presence.ts";
import type { TransactionPool } from "./transaction-pool.ts";

export interface MiningDeps {
  readonly chain: MiningChain;
  readonly pool: TransactionPool;
  readonly relay: Pick<BlockRelay, "announce">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  readonly searchers: WorkerPool<SearchTasks>;
  /** A node that is fetching a better chain must not mine on its own. */
  readonly isSyncing: () => boolean;
}

export interface MiningOptions {
  /** Public key that gets rewards. */
  readonly rewardTo: Uint8Array;
  readonly defaultHashRate: number;
}

interface NodeTemplate extends MiningTemplate {
  readonly template: Template;
}

/** The miner, fed with templates of pending transactions; what it finds goes through the chain like any block. */
export function createMining(deps: MiningDeps, options: MiningOptions): { readonly miner: Miner } {
  const { chain, pool, relay, clock } = deps;
  const miner = createMiner<NodeTemplate>(
    {
      clock,
      timers: deps.timers,
      random: deps.random,
      logger: deps.logger,
      ...(deps.metrics && { metrics: deps.metrics }),
      pool: deps.searchers,
      async buildTemplate() {
        if (deps.isSyncing()) return undefined;
        const candidates = () => pool.mempool.select();
        const template = await chain.buildTemplate({ proposer: options.rewardTo, candidates });
        if (template.refused.length > 0) {
          await pool.refusedOn(bytesToHex(template.core.parent), template.refused);
        }
        return { core: template.core, target: bigintFromBytes(template.target), template };
      },
      async submit(header, { template }) {
        const block = assembleBlock(header, template.body);
        const source = { peer: "local", message: "mined" as const, receivedMs: clock.nowMs() };
        const result = await chain.import(block, source);
        if (result.status === "refused") {
          const { code, detail } = result.verdict;
          deps.logger.warn({ block: header.id, code, detail }, "a block of our own was refused");
        }
        if (result.status === "connected" || result.status === "side") relay.announce(block);
        return { connected: result.status === "connected" };
      },
    },
    { defaultHashRate: options.defaultHashRate },
  );
  return { miner };
}
