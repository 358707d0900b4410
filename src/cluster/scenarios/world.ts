import type { Reorg } from "../../api/index.ts";
import type { ClusterClient, NodeSnapshot } from "../client.ts";
import { ClusterError } from "../errors.ts";
import type { LoadResult } from "../load.ts";
import type { Accounts, SentTransfer } from "./accounts.ts";
import type { SeededRandom } from "./random.ts";
import type { Scenario } from "./scenario.ts";

/** A block that a step gave a name. */
export interface NamedBlock {
  readonly id: string;
  readonly height: number;
}

/** A load that runs beside the steps. */
export interface BackgroundLoad {
  /** As far as it has come. */
  readonly result: () => LoadResult | undefined;
  /** Why it could not go on; undefined while it does. */
  readonly failure: () => Error | undefined;
  stop(): Promise<void>;
}

/** What the steps have made so far: names and who is expected to be there. */
export interface World {
  readonly scenario: Scenario;
  readonly cluster: ClusterClient;
  readonly accounts: Accounts;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  /** Nodes that must answer: neither late, nor killed or paused by a step. */
  readonly running: Set<number>;
  readonly transactions: Map<string, SentTransfer>;
  readonly blocks: Map<string, NamedBlock>;
  /** Who mines all the time, with the share of the hash rate. */
  readonly mining: Map<number, number>;
  readonly loads: BackgroundLoad[];
  /** The last step after which the nodes have to find together again, and when it was done (Unix ms). */
  disturbance: { readonly line: number; readonly text: string; readonly sinceMs: number } | undefined;
}

export function createWorld(
  given: Pick<World, "scenario" | "cluster" | "accounts" | "random" | "signal">,
): World {
  const { scenario } = given;
  const all = scenario.nodes.map((_, i) => i + 1);
  return {
    ...given,
    running: new Set(all.filter((n) => !scenario.late.includes(n))),
    transactions: new Map(),
    blocks: new Map(),
    mining: new Map(),
    loads: [],
    disturbance: undefined,
  };
}

/** A node as people call it. */
export const nodeLabel = ({ nodes }: Scenario, n: number): string => nodes[n - 1] || String(n);

export const labels = (scenario: Scenario, numbers: Iterable<number>): string =>
  [...numbers].map((n) => nodeLabel(scenario, n)).join(", ");

/** The nodes asked for, else all that are expected to run. */
export const chosen = ({ running }: World, at: readonly number[] | undefined): readonly number[] =>
  at ?? [...running].sort((a, b) => a - b);

export async function snapshotOf(world: World, numbers: readonly number[]): Promise<readonly NodeSnapshot[]> {
  return (await world.cluster.snapshot()).filter(({ n }) => numbers.includes(n));
}

/** Fails as soon as the run is to end, whatever is still under way. */
export function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

export const pause = (signal: AbortSignal, timeMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, timeMs);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });

/** More than any scenario leads to. */
const MAX_REORGS = 1_000;

/** All reorgs of a node, oldest first. */
export async function reorgsOf(cluster: ClusterClient, n: number): Promise<Reorg[]> {
  const found: Reorg[] = [];
  let after: string | null = null;
  do {
    const page: { items: Reorg[]; next: string | null } = await cluster
      .node(n)
      .reorgs({ limit: 100, ...(after === null ? {} : { after }) });
    found.push(...page.items);
    after = page.next;
  } while (after !== null && found.length < MAX_REORGS);
  return found.reverse();
}

export const scenarioFailed = (
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): ClusterError => new ClusterError("CLUSTER_SCENARIO_FAILED", message, { details });
