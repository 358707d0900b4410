import type { NodeEvent, TimelineEntry } from "../../src/api/index.ts";
import type { Genesis } from "../../src/ledger/index.ts";
import {
  createTimelineRecorder,
  openTimelineLog,
  type TimelineLog,
  type TimelineRecorder,
} from "../../src/node/timeline/index.ts";
import {
  createManualClock,
  createMemoryStore,
  type KeyValueStore,
  type ManualClock,
  type MemoryStoreData,
  type Network,
  silentLogger,
} from "../../src/ports/index.ts";
import { openTestChain } from "./chain-lab.ts";

/** A timeline over memory that outlives its log, as a directory outlives a process. */
export function openTestLog(
  data: MemoryStoreData,
  options: {
    readonly genesis: Genesis;
    readonly maxEntries?: number;
    readonly wrap?: (store: KeyValueStore) => KeyValueStore;
  },
): Promise<TimelineLog> {
  const { genesis, maxEntries, wrap = (store) => store } = options;
  return openTimelineLog(
    {
      async openStore({ anew }) {
        if (anew) data.clear();
        return wrap(createMemoryStore(data));
      },
      chainId: genesis.chainId,
      logger: silentLogger,
    },
    maxEntries === undefined ? {} : { maxEntries },
  );
}

export async function allEntries(log: TimelineLog): Promise<TimelineEntry[]> {
  return (await log.page({ limit: 5_000, order: "oldest" })).items;
}

/** A recorder on a real chain; `told` are its events, `network` says what a network would. */
export async function recordedChain(genesis: Genesis, log: TimelineLog | undefined) {
  const clock: ManualClock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const chain = await openTestChain(genesis, { clock });
  const told: NodeEvent[] = [];
  let telling: Promise<unknown> = Promise.resolve();
  const recorder: TimelineRecorder = createTimelineRecorder({
    log,
    clock,
    chain,
    mempool: { size: 0, bytes: 0 },
    tell(make) {
      telling = telling.then(async () => told.push(...(await make())));
    },
  });
  const listeners = new Map<string, (...args: never[]) => void>();
  const network: Pick<Network, "on"> = {
    on(name, listener) {
      listeners.set(name, listener as (...args: never[]) => void);
      return () => {};
    },
  };
  recorder.attach(network);
  const wire = {
    connect: (peer: string) => (listeners.get("connect") as (c: { peer: string }) => void)({ peer }),
    disconnect: (peer: string, reason: string) =>
      (listeners.get("disconnect") as (peer: string, reason: string) => void)(peer, reason),
  };
  return { chain, clock, recorder, told, allTold: () => telling, network: wire };
}
