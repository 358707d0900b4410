import * as kinds from "./kinds.ts";
import { flag, type Kind, oneOf } from "./kinds.ts";
import * as names from "./names.ts";

/** An option of a step or an assertion. */
export interface Option<T, Needed extends boolean> {
  readonly kind: Kind<T>;
  readonly isNeeded: Needed;
  readonly about: string;
}
type Options = Readonly<Record<string, Option<unknown, boolean>>>;

/** A word of the language: a step, or what is asserted. `check` gives a sentence where options do not go together. */
export interface Word<Value, Known extends Options> {
  readonly about: string;
  readonly value: Kind<Value> | undefined;
  readonly options: Known;
  readonly check?: (options: Partial<Record<string, unknown>>) => string | undefined;
}

const need = <T>(kind: Kind<T>, about: string): Option<T, true> => ({ kind, isNeeded: true, about });
const may = <T>(kind: Kind<T>, about: string): Option<T, false> => ({ kind, isNeeded: false, about });
const step = <Value, Known extends Options>(
  about: string,
  value: Kind<Value>,
  options: Known,
  check?: (options: Partial<Record<string, unknown>>) => string | undefined,
): Word<Value, Known> => ({ about, value, options, ...(check === undefined ? {} : { check }) });
/** A word that says all by itself. */
const bare = <Known extends Options>(about: string, options: Known): Word<undefined, Known> => ({
  about,
  value: undefined,
  options,
});

const forTime = may(kinds.time, "ends by itself after this time");
const atNodes = need(names.nodes, "the nodes that are looked at");
const within = may(kinds.time, "how long it may take to become true; default 10s");
const holds = may(kinds.time, "how long it must then stay true");
const timed = { within, for: holds };

const SHAPES = ["delay", "jitter", "loss", "rate", "blackhole"];

/** The steps, the one source of what is understood, of the schema for editors and of the table in the docs. */
export const STEPS = {
  say: step("a sentence for whoever watches", kinds.text, {}),
  mine: step("so many blocks, one after the other, each as fast as it is found", kinds.blocks, {
    at: need(names.node, "who mines them"),
    every: may(kinds.time, "waits so long before each block"),
    save: may(names.naming("block"), "a name for the last of them"),
  }),
  mining: step("mining goes on by itself from here, or ends", oneOf("on", "off"), {
    at: may(names.nodes, "who; default: the miners named at the top, or all"),
    share: may(kinds.percent, "of the whole network's hash rate, for each of them"),
  }),
  split: step("cuts the network into sides that cannot reach each other", names.sides, { for: forTime }),
  heal: bare("joins all sides and makes all links whole", {}),
  link: step(
    "makes a line worse, one way (->) or both (<->)",
    names.direction,
    {
      delay: may(kinds.time, "every byte comes so much later"),
      jitter: may(kinds.time, "plus up to so much, by chance"),
      loss: may(kinds.percent, "so many packets are lost and sent again"),
      rate: may(kinds.bandwidth, "no more gets through in a second"),
      blackhole: may(flag, "nothing gets through, and nobody is told"),
      for: forTime,
    },
    (options) =>
      SHAPES.some((shape) => options[shape] !== undefined)
        ? undefined
        : `say what the link is like: ${SHAPES.join(", ")}; to make it whole use unlink`,
  ),
  unlink: step("makes a line whole again", names.direction, {}),
  kill: step("ends nodes at once, as a crash would", names.nodes, {}),
  restart: step("starts nodes again with the data they had", names.nodes, {}),
  pause: step("stops nodes in the middle of what they do, as if their machine hung", names.nodes, {}),
  resume: step("lets paused nodes go on", names.nodes, {}),
  join: step("starts nodes that are late", names.nodes, {}),
  send: step("a transfer, under a name", names.naming("transaction"), {
    from: need(names.account, "who pays"),
    to: need(names.account, "who is paid"),
    amount: need(kinds.coins, "how much"),
    at: need(names.node, "the node that it is handed to"),
  }),
  "double-spend": step(
    "two transfers of which only one can ever be mined: they use the same nonce",
    kinds.pairOf(names.naming("transaction")),
    {
      from: need(names.account, "who pays twice"),
      to: need(kinds.pairOf(names.account), "who is promised the coins"),
      amount: need(kinds.coins, "how much, each time"),
      at: need(kinds.pairOf(names.node), "the nodes that they are handed to"),
    },
    ({ at }) => {
      const [one, other] = (at as readonly [number, number] | undefined) ?? [];
      return one !== undefined && one === other
        ? "one node takes only one of them: name two nodes"
        : undefined;
    },
  ),
  load: step(
    "transfers in the background from here on, in place of those before, or an end to them",
    kinds.rateOrOff,
    {
      for: forTime,
    },
  ),
  release: step("tells withholding nodes to show their secret blocks", names.nodes, {}),
  save: step("gives a name to a node's head as it is now", names.naming("block"), {
    at: need(names.node, "whose head"),
  }),
  wait: step(
    "for a time, or until all heads are equal (running late is exit code 3)",
    kinds.timesOrConverged,
    {
      within: may(kinds.time, "at most so long for converged; default 60s"),
      at: may(names.nodes, "of converged: only these nodes"),
    },
  ),
} as const;

const exactlyOne =
  (...options: string[]) =>
  (given: Partial<Record<string, unknown>>): string | undefined =>
    options.filter((option) => given[option] !== undefined).length === 1
      ? undefined
      : `say exactly one of ${options.join(", ")}`;

const assertion = <Known extends Options>(
  about: string,
  options: Known,
  check?: (options: Partial<Record<string, unknown>>) => string | undefined,
): Word<undefined, Known> => ({
  about,
  value: undefined,
  options,
  ...(check === undefined ? {} : { check }),
});

/** What can be asserted. All but the last take `within` and `for`. */
export const ASSERTIONS = {
  converged: assertion("all heads are equal, or lie within one block on one branch for three intervals", {
    at: may(names.nodes, "only these nodes; default: all that run"),
    ...timed,
  }),
  "heads equal": assertion("these nodes have one head", {
    at: may(names.nodes, "default: all that run"),
    ...timed,
  }),
  "heads apart": assertion("these nodes do not have one head", {
    at: may(names.nodes, "default: all that run"),
    ...timed,
  }),
  head: assertion("a saved block is the head", {
    at: atNodes,
    is: need(names.named("block"), "the block"),
    ...timed,
  }),
  branch: assertion(
    "a saved block is on the nodes' best chain, or is not",
    {
      at: atNodes,
      has: may(names.named("block"), "a block that is on it"),
      lacks: may(names.named("block"), "a block that is not"),
      ...timed,
    },
    exactlyOne("has", "lacks"),
  ),
  height: assertion("of the head", { at: atNodes, is: need(kinds.amountOf, "the height"), ...timed }),
  peers: assertion("connected peers", { at: atNodes, is: need(kinds.amountOf, "how many"), ...timed }),
  mempool: assertion("pending transactions", { at: atNodes, is: need(kinds.amountOf, "how many"), ...timed }),
  reorg: assertion("the deepest reorg since the scenario began", {
    at: atNodes,
    depth: need(kinds.blocksCompared, "blocks that it disconnected"),
    ...timed,
  }),
  "no reorg": assertion("there was none since the scenario began", { at: atNodes, for: holds }),
  transaction: assertion(
    "what became of a transaction, by each node's own word",
    {
      name: need(names.named("transaction"), "which"),
      is: need(oneOf("pending", "mined", "dropped", "conflicted", "unknown"), "its fate"),
      at: may(names.nodes, "default: all that run"),
      by: may(names.named("transaction"), "of conflicted: the other one"),
      ...timed,
    },
    ({ by, is }) =>
      by !== undefined && is !== "conflicted" ? "by goes with is: conflicted only" : undefined,
  ),
  share: assertion("of the blocks on the best chain that a node mined", {
    at: need(names.node, "who mined them"),
    is: need(kinds.shareCompared, "the share"),
    ...timed,
  }),
  wasted: assertion("of the blocks that each of these nodes mined and showed, those on no best chain", {
    at: atNodes,
    is: need(kinds.shareCompared, "the share"),
    ...timed,
  }),
  stale: assertion("blocks of the scenario that are on no best chain, in the tree of these nodes", {
    at: atNodes,
    is: need(kinds.blocksCompared, "how many"),
    ...timed,
  }),
  "nothing lost": assertion(
    "every transaction that a node took is mined or pending, or another one took its place",
    {
      within,
    },
  ),
} as const;

type OptionsOf<W> =
  W extends Word<unknown, infer Known>
    ? {
        readonly [Name in keyof Known as Known[Name]["isNeeded"] extends true ? Name : never]: kinds.ValueOf<
          Known[Name]["kind"]
        >;
      } & {
        readonly [Name in keyof Known as Known[Name]["isNeeded"] extends true ? never : Name]?: kinds.ValueOf<
          Known[Name]["kind"]
        >;
      }
    : never;
type ValueOfWord<W> = W extends { readonly value: infer K } ? kinds.ValueOf<Exclude<K, undefined>> : never;

interface Standing {
  readonly line: number;
  /** As one would read it aloud. */
  readonly text: string;
}

export type StepWord = keyof typeof STEPS;
export type AssertionWord = keyof typeof ASSERTIONS;
export type Assertion = {
  [W in AssertionWord]: Standing & { readonly word: W; readonly options: OptionsOf<(typeof ASSERTIONS)[W]> };
}[AssertionWord];
export type Action = {
  [W in StepWord]: Standing & {
    readonly word: W;
    readonly value: ValueOfWord<(typeof STEPS)[W]>;
    readonly options: OptionsOf<(typeof STEPS)[W]>;
  };
}[StepWord];
export type Step = ({ readonly kind: "action" } & Action) | ({ readonly kind: "assertion" } & Assertion);
