import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileProblem, makePrivateDirectory } from "../../files/index.ts";
import { markAlone } from "../claim.ts";
import { createClusterClient } from "../client.ts";
import { stopCluster } from "../down.ts";
import { ClusterError } from "../errors.ts";
import { keepTopology, namedTopology, type Topology } from "../topology.ts";
import { startCluster } from "../up.ts";
import { type PreparedAccounts, prepareAccounts } from "./accounts.ts";
import { agreementAfter, type Facts, gatherFacts } from "./facts.ts";
import { createSeededRandom } from "./random.ts";
import { type ConvergenceResult, type RunEvents, type RunResult, runSteps } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { createWorld, pause, untilAborted, type World } from "./world.ts";

/** Two senders a node, as a load uses them. */
const LOAD_SENDERS_PER_NODE = 2;
/** Asking all nodes for what they know at the end. */
const FACTS_MS = 60_000;

export interface LabOptions {
  /** New or empty; filled with genesis, keys and nodes. */
  readonly directory: string;
  /** Keys, and what the scenario leaves to chance, follow from it. */
  readonly seed: number;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface LabEvents extends RunEvents {
  started(url: string): void;
}

export interface LabResult extends RunResult, Facts {
  readonly startedMs: number;
  readonly endedMs: number;
}

function topologyOf({ topology, nodes, attackers }: Scenario): Topology {
  const shape =
    typeof topology === "string"
      ? namedTopology(topology, nodes.length)
      : { nodes: nodes.length, links: topology };
  return Object.keys(attackers).length === 0 ? shape : { ...shape, attacks: attackers };
}

/** Whether anything in it makes load: only then are there keys for it. */
const usesLoad = ({ loadTps, steps }: Scenario): boolean =>
  loadTps > 0 || steps.some((step) => step.kind === "action" && step.word === "load");

/** Only what is nobody's is taken: all of it is removed again afterwards. Fails with `CLUSTER_START_FAILED`. */
async function takeDirectory(directory: string): Promise<void> {
  const refused = (why: string, cause?: unknown): ClusterError =>
    new ClusterError("CLUSTER_START_FAILED", `${why}; choose another --dir DIR, new or empty`, { cause });
  const unusable = (error: unknown): ClusterError =>
    refused(`cannot use ${directory}: ${fileProblem(error, "no directory can be made there")}`, error);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw unusable(error);
  });
  if (names.length > 0) throw refused(`${directory} is not empty (${names[0]})`);
  const isOurs = await makePrivateDirectory(directory)
    .then(() => markAlone(directory))
    .catch((error: unknown) => {
      throw unusable(error);
    });
  if (!isOurs) throw refused(`another scenario or cluster starts in ${directory}`);
}

async function prepare(scenario: Scenario, { directory, seed }: LabOptions): Promise<PreparedAccounts> {
  const random = createSeededRandom(seed);
  const loadSenders = usesLoad(scenario) ? scenario.nodes.length * LOAD_SENDERS_PER_NODE : 0;
  const accounts = await prepareAccounts(directory, { amounts: scenario.accounts, loadSenders }, random);
  const { difficultyBits, adjusting, intervalMs, smoothing, reward } = scenario.genesis;
  const genesis = {
    name: "scenario",
    difficultyBits,
    difficultyMode: adjusting ? "adjusting" : "fixed",
    intervalMs,
    smoothing,
    reward,
    genesisTimestampMs: Date.now(),
    salt: randomBytes(16).toString("hex"),
    allocations: accounts.allocations,
  };
  await writeFile(join(directory, "genesis.json"), `${JSON.stringify(genesis, undefined, 2)}\n`);
  await keepTopology(directory, topologyOf(scenario));
  return accounts;
}

/** A cluster that was started for a scenario, with nothing done in it yet. */
export interface Lab {
  readonly url: string;
  readonly world: World;
  /** Ends what runs beside the steps; the cluster goes on. */
  close(): Promise<void>;
}

/** Fails, with nothing left of it, where the cluster does not come up. */
export async function openLab(scenario: Scenario, options: LabOptions): Promise<Lab> {
  const directory = resolve(options.directory);
  await takeDirectory(directory);
  try {
    const prepared = await prepare(scenario, { ...options, directory });
    const { late } = scenario;
    await startCluster({
      directory,
      genesisFile: join(directory, "genesis.json"),
      signal: options.signal,
      ...(late.length === 0 ? {} : { late }),
    });
    const cluster = await createClusterClient(directory);
    const [first = 1] = scenario.nodes.map((_, i) => i + 1).filter((n) => !late.includes(n));
    const { chain } = await cluster.node(first).status();
    const limit = new AbortController();
    const timer = setTimeout(() => {
      const message = `the steps took longer than the scenario's limit of ${scenario.limitMs / 1_000} s`;
      limit.abort(new ClusterError("CLUSTER_TIMEOUT", message));
    }, scenario.limitMs);
    const world = createWorld({
      scenario,
      cluster,
      accounts: prepared.open({ chain, node: cluster.node }),
      random: createSeededRandom(options.seed),
      signal: AbortSignal.any([options.signal, limit.signal]),
    });
    return {
      url: cluster.url,
      world,
      async close() {
        clearTimeout(timer);
        await Promise.all(world.loads.map((load) => load.stop()));
      },
    };
  } catch (error) {
    await stopCluster(directory, { purge: true }).catch(() => {});
    throw error;
  }
}

/**
 * Runs a scenario on a cluster of its own and settles with what became of it. The cluster goes on afterwards: whoever
 * called ends it with `stopCluster`. Fails, with nothing left of it, where the cluster does not come up.
 */
export async function runScenario(
  scenario: Scenario,
  options: LabOptions,
  events: LabEvents,
): Promise<LabResult> {
  const { url, world, close } = await openLab(scenario, options);
  try {
    events.started(url);
    const startedMs = Date.now();
    const result = await runSteps(world, events).finally(close);
    const endedMs = Date.now();
    // The steps' own limit may be what ended them: what they left is asked for all the same.
    const after = { ...world, signal: options.signal };
    const facts = await untilAborted(options.signal, withLimit(gatherFacts(after))).catch(() => NO_FACTS);
    return { ...result, ...facts, convergences: exactly(result.convergences, facts), startedMs, endedMs };
  } catch (error) {
    await stopCluster(options.directory, { purge: true }).catch(() => {});
    throw error;
  }
}

/** A run looks ten times a second; what the nodes recorded is exact. */
function exactly(seen: readonly ConvergenceResult[], { recording }: Facts): ConvergenceResult[] {
  return seen.map((one) => {
    const untilMs = one.sinceMs + one.timeMs;
    const exact = recording === null ? undefined : agreementAfter(recording, one.sinceMs, untilMs);
    return { ...one, timeMs: exact ?? one.timeMs };
  });
}

const NO_FACTS: Facts = {
  recording: null,
  nodes: [],
  transactions: [],
  counts: { sent: 0, mined: 0, pending: 0, dropped: 0, conflicted: 0, unknown: 0 },
};

/** A node that hangs must not keep a report from being written. */
async function withLimit(facts: Promise<Facts>): Promise<Facts> {
  const done = new AbortController();
  const late = pause(done.signal, FACTS_MS).then(
    () => NO_FACTS,
    () => NO_FACTS,
  );
  try {
    return await Promise.race([facts, late]);
  } finally {
    done.abort();
  }
}
