import type { Fate, NodeEvent } from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import type { Logger, Network } from "../ports/index.ts";
import type { TxId } from "../primitives/index.ts";
import { headView, reorgView } from "./views.ts";

/** More changed transactions than this in one go (a sync, a deep reorg) are not told one by one. */
const MAX_TOLD_TRANSACTIONS = 2_000;

type FindFate = (id: TxId) => Promise<Fate | undefined>;

export interface NodeEvents {
  subscribe(listener: (event: NodeEvent) => void): () => void;
  transactionsChanged(txids: readonly TxId[]): void;
  /** Starts telling; call once everything is made. */
  attach(chain: Chain, network: Network, findFate: FindFate): void;
}

/** Turns what happens inside into the events of the API, in order. Costs nothing while nobody listens. */
export function createNodeEvents(logger: Logger): NodeEvents {
  const listeners = new Set<(event: NodeEvent) => void>();
  let fateOf: FindFate | undefined;
  // Views read the store, so events are told one after the other through this chain.
  let last: Promise<void> = Promise.resolve();

  function tell(make: () => Promise<NodeEvent[]> | NodeEvent[]): void {
    if (listeners.size === 0) return;
    last = last.then(async () => {
      try {
        for (const event of await make()) for (const listener of listeners) listener(event);
      } catch (error) {
        logger.error({ error: String(error) }, "an event could not be told");
      }
    });
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    transactionsChanged(txids) {
      if (listeners.size === 0 || txids.length > MAX_TOLD_TRANSACTIONS) return;
      tell(async () => {
        const told: NodeEvent[] = [];
        for (const id of txids) {
          const fate = await fateOf?.(id);
          if (fate !== undefined) told.push({ type: "tx", data: { id, fate } });
        }
        return told;
      });
    },
    attach(chain, network, findFate) {
      fateOf = findFate;
      // The chain tells of the head first; people want the reorg that explains it before.
      let head: NodeEvent | undefined;
      chain.on("head", ({ disconnected }) => {
        const event: NodeEvent = { type: "head", data: headView(chain.head) };
        if (disconnected.length > 0) head = event;
        else tell(() => [event]);
      });
      chain.on("reorg", (record) => {
        const after = head;
        head = undefined;
        tell(() => [
          { type: "reorg", data: reorgView(chain, record) },
          ...(after === undefined ? [] : [after]),
        ]);
      });
      chain.on("block", ({ block, status }) => {
        const known = chain.tree.get(block.header.id);
        if (known === undefined) return;
        const { id, height, parent, work } = known;
        const state = status === "connected" ? "best" : status;
        tell(() => [{ type: "block", data: { id, height, parent, work: work.toString(16), state } }]);
      });
      network.on("connect", ({ peer }) =>
        tell(() => [{ type: "peer", data: { peer, connected: true, reason: null } }]),
      );
      network.on("disconnect", (peer, reason) =>
        tell(() => [{ type: "peer", data: { peer, connected: false, reason } }]),
      );
    },
  };
}
