import { silentMetrics } from "../ports/index.ts";
import { createBlockChecks } from "./block-checks.ts";
import { createBlockStore } from "./block-store.ts";
import type { Chain, ChainDeps } from "./chain.ts";
import { createConnector } from "./connector.ts";
import { ChainError } from "./errors.ts";
import { type ChainEvents, createEmitter } from "./events.ts";
import { createJournal } from "./journal.ts";
import { createChainMetrics } from "./metrics.ts";
import { createPublisher } from "./publisher.ts";
import { isDamage, recover } from "./recovery.ts";
import { createWriter } from "./writer.ts";

/**
 * Opens the chain in a store, mends it where a crash left it, and finishes a reorg that was under way. Takes the store
 * over: it is closed with the chain, or at once where opening fails.
 */
export async function openChain(deps: ChainDeps): Promise<Chain> {
  try {
    return await open(deps).catch((error: unknown) => {
      // The links are whole, yet data that the reorg under way needs is not there. It is marked, so this rebuilds.
      if (!(error instanceof ChainError && isDamage(error.cause))) throw error;
      return open(deps);
    });
  } catch (error) {
    await deps.store.close().catch(() => {});
    throw error;
  }
}

async function open(deps: ChainDeps): Promise<Chain> {
  const { store, genesis, logger } = deps;
  const metrics = createChainMetrics(deps.metrics ?? silentMetrics, deps.clock);
  const recovered = await recover(store, genesis, logger);
  const journal = metrics.measured(createJournal(store, recovered.journal));
  const { state, tree } = recovered;
  const blocks = createBlockStore(store, () => tree.floor.height);
  const connector = createConnector({ spec: genesis.spec, tree, state, blocks, journal }, recovered.head);
  const checks = createBlockChecks({ genesis, tree, clock: deps.clock, signatures: deps.signatures });
  const emitter = createEmitter<ChainEvents>((error) =>
    logger.error({ error }, "a listener of chain events failed"),
  );
  const publisher = await createPublisher({ ...deps, tree, state, connector, emitter });
  metrics.watch({ tree, state, publisher, emitter });
  const parts = { recovered, state, blocks, connector, checks, emitter, publisher, metrics };
  const chain = createWriter({ ...deps, ...parts });
  await chain.resume();
  return chain;
}
