import { ApiError } from "../../client/index.ts";
import { type LoadResult, runLoad } from "../load.ts";
import { waitUntil } from "../processes.ts";
import { formatAmount, type Range } from "./kinds.ts";
import type { Action, StepWord } from "./language.ts";
import { chosen, labels, nodeLabel, pause, scenarioFailed, untilAborted, type World } from "./world.ts";

/** What a step tells of itself when it is done: one line, or nothing. */
type Told = string | undefined;
type Of<W extends StepWord> = Extract<Action, { readonly word: W }>;
type Doing = { readonly [W in StepWord]: (step: Of<W>, world: World) => Promise<Told> };

const draw = ({ random }: World, { least, most }: Range): number =>
  least === most ? least : random.between(Math.round(least), Math.round(most));

const short = (id: string): string => id.slice(0, 8);

/** Hash rate of a share of the network: at all of it, a block comes every interval. */
function hashRateOf({ scenario }: World, share: number): number {
  const { difficultyBits, intervalMs } = scenario.genesis;
  return Math.max(1e-6, (share * 2 ** difficultyBits * 1_000) / intervalMs);
}

export async function startMining(world: World, n: number, share: number): Promise<void> {
  world.mining.set(n, share);
  if (!world.running.has(n)) return;
  await world.cluster.node(n).mining({ mode: "continuous", hashRate: hashRateOf(world, share) });
}

async function stopMining(world: World, n: number): Promise<void> {
  world.mining.delete(n);
  if (world.running.has(n)) await world.cluster.node(n).mining({ mode: "off" });
}

const shareOf = ({ scenario }: World, n: number, share: number | undefined): number =>
  share ?? scenario.miners.find((miner) => miner.n === n)?.share ?? 1 / scenario.nodes.length;

/** A block takes long by chance only; a machine under load makes it longer. */
const MINE_MS = 120_000;

async function mineOne(world: World, n: number): Promise<string> {
  const { blocks } = await world.cluster.node(n).mining({ mode: "blocks", count: 1, timeoutMs: MINE_MS });
  const [id] = blocks;
  if (id === undefined) throw scenarioFailed(`node ${nodeLabel(world.scenario, n)} mined nothing`);
  return id;
}

/** From here on it counts how long the nodes take to find together. */
function disturb(world: World, { line, text }: { readonly line: number; readonly text: string }): void {
  world.disturbance = { line, text, sinceMs: Date.now() };
}

/** A transfer is taken in a moment; a node that has just begun may still be syncing. */
const SEND_MS = 10_000;

async function send(
  world: World,
  name: string,
  transfer: Parameters<World["accounts"]["pay"]>[0],
): Promise<void> {
  let refusal: ApiError | undefined;
  const isTaken = await waitUntil(async () => {
    world.signal.throwIfAborted();
    try {
      world.transactions.set(name, await world.accounts.pay(transfer));
      return true;
    } catch (error) {
      // MEM-04, MEM-05: the node is busy for a moment; anything else will not change.
      if (!(error instanceof ApiError) || !["MEM-04", "MEM-05"].includes(error.code)) throw error;
      refusal = error;
      return false;
    }
  }, SEND_MS);
  if (!isTaken) throw refusal;
}

/** Starts a load that goes on until it is stopped, or its time is over. */
export function startLoad(world: World, tps: number, durationMs: number): void {
  const stop = new AbortController();
  let latest: LoadResult | undefined;
  let failure: Error | undefined;
  const running = runLoad(world.cluster, {
    tps,
    durationMs,
    signal: AbortSignal.any([world.signal, stop.signal]),
    onProgress: (result) => {
      latest = result;
    },
  }).then(
    (result) => {
      latest = result;
    },
    (error: Error) => {
      // One that was told to stop before it had begun has not failed.
      if (!stop.signal.aborted && !world.signal.aborted) failure = error;
    },
  );
  world.loads.push({
    result: () => latest,
    failure: () => failure,
    async stop() {
      stop.abort();
      await running;
    },
  });
}

async function start(world: World, numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    world.running.delete(n);
    await world.cluster.act(n, "restart");
    world.running.add(n);
    const share = world.mining.get(n);
    if (share !== undefined) await startMining(world, n, share);
  }
}

/** The most that a load may send in all; see `MAX_TRANSFERS`. */
const MOST_TRANSFERS = 500_000;
export const longestLoadMs = (tps: number, limitMs: number): number =>
  Math.min(limitMs, (MOST_TRANSFERS / tps) * 1_000);

export const ACTIONS: Doing = {
  say: async () => undefined,
  async mine({ value, options: { at, every = 0, save } }, world) {
    const count = draw(world, value);
    let id = "";
    for (let i = 0; i < count; i++) {
      if (every > 0) await pause(world.signal, every);
      id = await untilAborted(world.signal, mineOne(world, at));
    }
    const { height } = await world.cluster.node(at).block(id);
    if (save !== undefined) world.blocks.set(save, { id, height });
    return `height ${height}, ${short(id)}`;
  },
  async mining({ value, options: { at, share } }, world) {
    const { scenario } = world;
    const miners = scenario.miners.map(({ n }) => n);
    const numbers = at ?? (miners.length > 0 ? miners : chosen(world, undefined));
    for (const n of numbers) {
      if (value === "on") await startMining(world, n, shareOf(world, n, share));
      else await stopMining(world, n);
    }
    return `${labels(scenario, numbers)}: ${value}`;
  },
  async split({ value: { groups, names }, options }, { cluster }) {
    await cluster.split(groups, { names, forMs: options.for });
    return undefined;
  },
  async heal(step, world) {
    disturb(world, step);
    await world.cluster.heal();
    await world.cluster.unlink();
    return undefined;
  },
  async link({ value, options }, { cluster }) {
    const { delay, jitter, loss, rate, blackhole } = options;
    const shape = {
      ...(delay === undefined ? {} : { delayMs: delay }),
      ...(jitter === undefined ? {} : { jitterMs: jitter }),
      ...(loss === undefined ? {} : { lossRatio: loss }),
      ...(rate === undefined ? {} : { bytesPerSecond: rate }),
      ...(blackhole === undefined ? {} : { blackhole }),
    };
    for (const [from, to] of value) await cluster.link(from, to, shape, options.for);
    return undefined;
  },
  async unlink(step, world) {
    disturb(world, step);
    for (const [from, to] of step.value) await world.cluster.unlink(from, to);
    return undefined;
  },
  async kill({ value }, world) {
    for (const n of value) {
      world.running.delete(n);
      await world.cluster.act(n, "kill");
    }
    return undefined;
  },
  async restart(step, world) {
    await start(world, step.value);
    disturb(world, step);
    return undefined;
  },
  async pause({ value }, world) {
    for (const n of value) {
      world.running.delete(n);
      await world.cluster.act(n, "pause");
    }
    return undefined;
  },
  async resume(step, world) {
    for (const n of step.value) {
      await world.cluster.act(n, "resume");
      world.running.add(n);
    }
    disturb(world, step);
    return undefined;
  },
  async join(step, world) {
    await start(world, step.value);
    disturb(world, step);
    return undefined;
  },
  async send({ value, options: { from, to, amount, at } }, world) {
    await send(world, value, { from, to, amount, node: at });
    return short(world.transactions.get(value)?.id ?? "");
  },
  async "double-spend"({ value, options: { from, to, amount, at } }, world) {
    const nonce = world.accounts.nextNonce(from);
    for (const i of [0, 1] as const)
      await send(world, value[i], { from, to: to[i], amount, node: at[i], nonce });
    const told = value.map(
      (name, i) => `${name} ${short(world.transactions.get(name)?.id ?? "")} to ${to[i]}`,
    );
    return `${formatAmount(amount)} twice with nonce ${nonce}: ${told.join(", ")}`;
  },
  async load({ value, options }, world) {
    // One at a time: two would use the same keys.
    await Promise.all(world.loads.map((load) => load.stop()));
    if (value > 0) startLoad(world, value, longestLoadMs(value, options.for ?? world.scenario.limitMs));
    return undefined;
  },
  async release(step, world) {
    disturb(world, step);
    for (const n of step.value) await world.cluster.node(n).releaseAttack();
    return undefined;
  },
  async save({ value, options: { at } }, world) {
    const { id, height } = (await world.cluster.node(at).status()).head;
    world.blocks.set(value, { id, height });
    return `height ${height}, ${short(id)}`;
  },
  async wait({ value }, world) {
    if (value !== "converged") await pause(world.signal, draw(world, value));
    return undefined;
  },
};

/** Does one step. Fails with what could not be done, or the signal's reason. */
export function act(step: Action, world: World): Promise<Told> {
  const doing = ACTIONS[step.word] as (step: Action, world: World) => Promise<Told>;
  return untilAborted(world.signal, doing(step, world));
}
