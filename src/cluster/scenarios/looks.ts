import type { BlockSummary, Fate } from "../../api/index.ts";
import { ApiError } from "../../client/index.ts";
import type { NodeSnapshot } from "../client.ts";
import { isTied, relateHeads } from "../heads.ts";
import { askTransaction, fatesOf, type TakenTransaction } from "./fates.ts";
import { formatBlocks, formatCompared, formatShare, isWithin, type Range } from "./kinds.ts";
import type { Assertion, AssertionWord } from "./language.ts";
import { chosen, nodeLabel, reorgsOf, snapshotOf, type World } from "./world.ts";

/** What one look at the cluster shows of an assertion. */
export interface Look {
  readonly isTrue: boolean;
  readonly actual: string;
  /** It can never become true by itself: waiting on is in vain. */
  readonly isHopeless?: boolean;
}
/** An assertion as it is looked at again and again. */
export interface Looking {
  readonly expected: string;
  look(): Promise<Look>;
}
type Of<W extends AssertionWord> = Extract<Assertion, { readonly word: W }>;
type Lookings = { readonly [W in AssertionWord]: (options: Of<W>["options"], world: World) => Looking };

const short = (id: string): string => id.slice(0, 8);

/** The same of several nodes stands once: `6 000fbde4 at nodes 1, 2; 4 002198f8 at node 3`. */
function byNode({ scenario }: World, seen: readonly (readonly [n: number, actual: string])[]): string {
  const nodesOf = new Map<string, number[]>();
  for (const [n, actual] of seen) nodesOf.set(actual, [...(nodesOf.get(actual) ?? []), n]);
  const told = [...nodesOf].map(([actual, numbers]) => {
    const who = numbers.map((n) => nodeLabel(scenario, n)).join(", ");
    return `${actual} at node${numbers.length === 1 ? "" : "s"} ${who}`;
  });
  return told.join("; ");
}

function headsText(world: World, nodes: readonly NodeSnapshot[]): string {
  const heads = nodes.map(({ n, status, state }) => {
    const head =
      status === undefined ? `no answer (${state})` : `${status.head.height} ${short(status.head.id)}`;
    return [n, head] as const;
  });
  return byNode(world, heads);
}

/** Looks in a row that must show a tie before it is called one: a block may be on its way. */
const TIE_LOOKS = 10;

function converged(at: readonly number[] | undefined, world: World): Looking {
  const intervalMs = world.scenario.genesis.intervalMs;
  let adjacentSinceMs: number | undefined;
  let tiedLooks = 0;
  return {
    expected: "one head on all nodes",
    async look() {
      const nodes = await snapshotOf(world, chosen(world, at));
      const relation = relateHeads(nodes);
      const nowMs = performance.now();
      adjacentSinceMs = relation === "adjacent" ? (adjacentSinceMs ?? nowMs) : undefined;
      tiedLooks = isTied(nodes) ? tiedLooks + 1 : 0;
      const settled = adjacentSinceMs !== undefined && nowMs - adjacentSinceMs >= 3 * intervalMs;
      const isHopeless = tiedLooks >= TIE_LOOKS;
      const tied = isHopeless
        ? "; they have the same work, so they stay apart until one more block is mined"
        : "";
      return { isTrue: relation === "equal" || settled, actual: headsText(world, nodes) + tied, isHopeless };
    },
  };
}

function heads(wanted: "equal" | "apart", at: readonly number[] | undefined, world: World): Looking {
  return {
    expected: wanted === "equal" ? "one head" : "different heads",
    async look() {
      const nodes = await snapshotOf(world, chosen(world, at));
      const distinct = new Set(nodes.map(({ status }) => status?.head.id));
      const isWhole = !distinct.has(undefined);
      return {
        isTrue: isWhole && (wanted === "equal") === (distinct.size === 1),
        actual: headsText(world, nodes),
      };
    },
  };
}

/** The same of each node; all must agree. */
function eachNode(
  expected: string,
  at: readonly number[],
  world: World,
  ask: (n: number) => Promise<{ readonly isTrue: boolean; readonly actual: string }>,
): Looking {
  return {
    expected,
    async look() {
      const answers = await Promise.all(at.map(ask));
      const seen = answers.map(({ actual }, i) => [at[i] ?? 0, actual] as const);
      return { isTrue: answers.every(({ isTrue }) => isTrue), actual: byNode(world, seen) };
    },
  };
}

function compared(
  what: string,
  { at, is }: { readonly at: readonly number[]; readonly is: Range },
  world: World,
  ask: (n: number) => Promise<number>,
  format: (range: Range) => string = formatCompared,
): Looking {
  return eachNode(`${what} ${format(is)}`, at, world, async (n) => {
    const value = await ask(n);
    return { isTrue: isWithin(is, value), actual: format({ least: value, most: value }) };
  });
}

const statusOf = ({ cluster }: World, n: number) => cluster.node(n).status();

/** Depths that `GET /v1/tree` answers; a scenario's chain is shorter. */
const TREE_DEPTH = 1_000;

async function treeOf({ cluster }: World, n: number): Promise<readonly BlockSummary[]> {
  const { items } = await cluster.node(n).tree(TREE_DEPTH);
  return items.filter(({ height }) => height > 0);
}

const sharesText = (some: number, all: number): string =>
  `${some} of ${all} blocks (${all === 0 ? 0 : Math.round((some / all) * 100)}%)`;

/** The blocks that another node has seen, and those of them that a node mined. */
async function blocksOf(world: World, n: number): Promise<Record<"all" | "own", readonly BlockSummary[]>> {
  const { rewardTo } = (await statusOf(world, n)).mining;
  const [asked = n] = [...world.running].filter((other) => other !== n);
  const all = await treeOf(world, asked);
  return { all, own: all.filter(({ proposer }) => proposer === rewardTo) };
}

const isBest = ({ state }: BlockSummary): boolean => state === "best";

function shareMined({ at, is }: Of<"share">["options"], world: World): Looking {
  return eachNode(`mined ${formatShare(is)} of the best chain`, [at], world, async (n) => {
    const { all, own } = await blocksOf(world, n);
    const [mined, best] = [own.filter(isBest).length, all.filter(isBest).length];
    return { isTrue: best > 0 && isWithin(is, mined / best), actual: sharesText(mined, best) };
  });
}

function wasted({ at, is }: Of<"wasted">["options"], world: World): Looking {
  return eachNode(`${formatShare(is)} of its blocks wasted`, at, world, async (n) => {
    const { own } = await blocksOf(world, n);
    const lost = own.length - own.filter(isBest).length;
    return {
      isTrue: own.length > 0 && isWithin(is, lost / own.length),
      actual: sharesText(lost, own.length),
    };
  });
}

export function fateText(fate: Fate | undefined, nameOf: (id: string) => string): string {
  if (fate === undefined) return "unknown";
  if (fate.state === "mined") return `mined in ${fate.height} ${short(fate.block)}`;
  if (fate.state === "dropped") return `dropped by ${fate.rule}`;
  return fate.state === "conflicted" ? `conflicted by ${nameOf(fate.by)}` : fate.state;
}

/** The name that a step gave a transaction, else the beginning of its id. */
export function transactionName({ transactions }: World, id: string): string {
  return [...transactions].find(([, sent]) => sent.id === id)?.[0] ?? short(id);
}

function transaction({ name, is, at, by }: Of<"transaction">["options"], world: World): Looking {
  const { id = "" } = world.transactions.get(name) ?? {};
  const other = by === undefined ? undefined : world.transactions.get(by)?.id;
  const expected = `${name} is ${is}${by === undefined ? "" : ` by ${by}`}`;
  return eachNode(expected, chosen(world, at), world, async (n) => {
    const fate = (await askTransaction(world.cluster, n, id))?.fate;
    const isSame = (fate?.state ?? "unknown") === is;
    const isBy = other === undefined || (fate?.state === "conflicted" && fate.by === other);
    return { isTrue: isSame && isBy, actual: fateText(fate, (one) => transactionName(world, one)) };
  });
}

/** All that any node took: named ones, and those of loads. */
export function takenTransactions({ transactions, loads, running }: World): TakenTransaction[] {
  const [first = 1] = running;
  const named = [...transactions.values()].map(({ id, node }) => ({ id, node }));
  const loaded = loads.flatMap((load) => (load.result()?.ids ?? []).map((id) => ({ id, node: first })));
  return [...named, ...loaded];
}

function nothingLost(world: World): Looking {
  return {
    expected: "every transaction that a node took is mined, pending or conflicted",
    async look() {
      const taken = takenTransactions(world);
      const fates = await fatesOf(world.cluster, chosen(world, undefined), taken);
      const count = (state: string) => fates.filter((fate) => (fate?.state ?? "unknown") === state).length;
      const states = ["mined", "pending", "conflicted", "dropped", "unknown"].map(
        (state) => `${count(state)} ${state}`,
      );
      const isTrue = count("dropped") + count("unknown") === 0;
      return { isTrue, actual: `${taken.length} sent: ${states.join(", ")}` };
    },
  };
}

const LOOKINGS: Lookings = {
  converged: ({ at }, world) => converged(at, world),
  "heads equal": ({ at }, world) => heads("equal", at, world),
  "heads apart": ({ at }, world) => heads("apart", at, world),
  head({ at, is }, world) {
    const { id = "", height } = world.blocks.get(is) ?? {};
    return eachNode(`the head is ${is} (${height} ${short(id)})`, at, world, async (n) => {
      const { head } = await statusOf(world, n);
      return { isTrue: head.id === id, actual: `${head.height} ${short(head.id)}` };
    });
  },
  branch({ at, has, lacks }, world) {
    const name = has ?? lacks ?? "";
    const { id = "" } = world.blocks.get(name) ?? {};
    return eachNode(`the best chain ${has === undefined ? "lacks" : "has"} ${name}`, at, world, async (n) => {
      const state = await world.cluster
        .node(n)
        .block(id)
        .then((block) => block.state as string)
        .catch((error: unknown) => {
          if (error instanceof ApiError && error.status === 404) return "unknown";
          throw error;
        });
      return { isTrue: (state === "best") === (has !== undefined), actual: `${name} is ${state}` };
    });
  },
  height: (options, world) =>
    compared("height", options, world, async (n) => (await statusOf(world, n)).head.height),
  peers: (options, world) => compared("peers", options, world, async (n) => (await statusOf(world, n)).peers),
  mempool: (options, world) =>
    compared(
      "pending transactions",
      options,
      world,
      async (n) => (await statusOf(world, n)).mempool.transactions,
    ),
  reorg: ({ at, depth }, world) =>
    compared(
      "a reorg of depth",
      { at, is: depth },
      world,
      async (n) => Math.max(0, ...(await reorgsOf(world.cluster, n)).map((reorg) => reorg.depth)),
      formatBlocks,
    ),
  "no reorg": ({ at }, world) =>
    eachNode("no reorg", at, world, async (n) => {
      const reorgs = await reorgsOf(world.cluster, n);
      const depths = reorgs.map(({ depth }) => depth).join(", ");
      return {
        isTrue: reorgs.length === 0,
        actual: reorgs.length === 0 ? "none" : `${reorgs.length} (depth ${depths})`,
      };
    }),
  transaction,
  share: shareMined,
  wasted,
  stale: ({ at, is }, world) =>
    compared(
      "off the best chain",
      { at, is },
      world,
      async (n) => (await treeOf(world, n)).filter((block) => !isBest(block)).length,
      formatBlocks,
    ),
  "nothing lost": (_, world) => nothingLost(world),
};

export function lookingFor(assertion: Assertion, world: World): Looking {
  const create = LOOKINGS[assertion.word] as (options: Assertion["options"], world: World) => Looking;
  return create(assertion.options, world);
}

export const lookingForConvergence = (at: readonly number[] | undefined, world: World): Looking =>
  converged(at, world);
