import type { Fate, NodeEvent } from "../api/index.ts";
import type { Clock, Logger } from "../ports/index.ts";
import type { TxId } from "../primitives/index.ts";

/** More changed transactions than this in one go (a sync, a deep reorg) are not told one by one. */
const MAX_TOLD_TRANSACTIONS = 2_000;
/**
 * Events and changed transactions that wait to be told, while the store is slow to read or the node is flooded. What is
 * above it would grow without end; readers are told that they missed something instead.
 */
export const MAX_UNTOLD = 10_000;

type FindFate = (id: TxId) => Promise<Fate | undefined>;

/** Something to be told, for whose words the store may have to be read. */
interface Untold {
  readonly make: () => Promise<NodeEvent[]> | NodeEvent[];
  /** Events that it becomes, at most. */
  readonly size: number;
}

interface Listener {
  readonly event: (event: NodeEvent) => void;
  readonly missed: (() => void) | undefined;
}

export interface NodeEvents {
  /** `onMissed`: so many waited to be told that they were dropped; who keeps a picture of the node reads it anew. */
  subscribe(listener: (event: NodeEvent) => void, onMissed?: () => void): () => void;
  transactionsChanged(txids: readonly TxId[]): void;
  /** Call once everything is made: how to find what became of a transaction. */
  attach(findFate: FindFate): void;
  /** Tells what `make` makes, after all that was told before. */
  tell(make: Untold["make"]): void;
}

/** Turns what happens inside into the events of the API, in order. Costs nothing while nobody listens. */
export function createNodeEvents({
  clock,
  logger,
}: {
  readonly clock: Clock;
  readonly logger: Logger;
}): NodeEvents {
  const listeners = new Set<Listener>();
  let fateOf: FindFate | undefined;
  // Views read the store, so events are told one after the other.
  let waiting: Untold[] = [];
  let untold = 0;
  let isTelling = false;

  function tell(make: Untold["make"], size = 1): void {
    if (listeners.size === 0) return;
    if (untold + size > MAX_UNTOLD) dropAll();
    waiting.push({ make, size });
    untold += size;
    if (!isTelling) void tellWaiting();
  }

  async function tellWaiting(): Promise<void> {
    isTelling = true;
    // Never within whoever says that something happened.
    await undefined;
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      const made = await makeOf(next);
      // What was dropped while it was made would come after what its readers then read.
      if (waiting[0] !== next) continue;
      waiting.shift();
      untold -= next.size;
      for (const event of made) for (const listener of listeners) safely(() => listener.event(event));
    }
    isTelling = false;
  }

  async function makeOf({ make }: Untold): Promise<NodeEvent[]> {
    try {
      return await make();
    } catch (error) {
      logger.error({ error: String(error) }, "an event could not be told");
      return [];
    }
  }

  function safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      logger.error({ error: String(error) }, "an event could not be told");
    }
  }

  function dropAll(): void {
    logger.warn({ dropped: untold }, "events came faster than they can be told, and were dropped");
    waiting = [];
    untold = 0;
    for (const listener of listeners) safely(() => listener.missed?.());
  }

  return {
    subscribe(event, missed) {
      const listener: Listener = { event, missed };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    transactionsChanged(txids) {
      if (listeners.size === 0 || txids.length > MAX_TOLD_TRANSACTIONS) return;
      const timeMs = clock.nowMs();
      tell(async () => {
        const told: NodeEvent[] = [];
        for (const id of txids) {
          const fate = await fateOf?.(id);
          if (fate !== undefined) told.push({ type: "tx", data: { id, fate, timeMs, sequence: null } });
        }
        return told;
      }, txids.length);
    },
    attach(findFate) {
      fateOf = findFate;
    },
    tell,
  };
}
