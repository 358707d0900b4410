import Type from "typebox";
import { Amount, BlockRef, Count, Fate, Id, Reorg, Strict, TimeMs, TransactionEvent } from "../api/index.ts";

const Text = Type.String();
const NodeNumber = Type.Integer({ minimum: 1 });
const Line = Type.Integer({ minimum: 1 });
const orNull = (schema: Type.TSchema) => Type.Union([schema, Type.Null()]);

const StepResult = Strict({
  place: Line,
  line: Line,
  text: Text,
  kind: Type.Enum(["action", "assertion"]),
  result: Type.Enum(["done", "failed", "not-run"]),
  /** From the first step's begin. */
  startedMs: orNull(Count),
  durationMs: orNull(Count),
  detail: orNull(Text),
});
const AssertionResult = Strict({
  line: Line,
  text: Text,
  isTrue: Type.Boolean(),
  expected: Text,
  actual: Text,
  withinMs: Count,
  tookMs: Count,
});
const NodeFate = Strict({
  node: NodeNumber,
  fate: Type.Union([Fate, Strict({ state: Type.Literal("unknown") })]),
  /** Of one that is neither mined nor pending: the rule by which this node refuses it at the end. */
  refusedBy: orNull(Text),
  events: Type.Array(TransactionEvent),
});
const Transaction = Strict({
  name: Text,
  id: Id,
  from: Text,
  to: Text,
  amount: Amount,
  node: NodeNumber,
  nodes: Type.Array(NodeFate),
});

/** What a run of a scenario says of itself: `cluster run --json`, and report.json beside its recording. */
export const REPORT_PROPERTIES = {
  version: Type.Literal(1),
  name: Text,
  about: Text,
  file: Text,
  seed: Count,
  outcome: Type.Enum(["passed", "failed", "timed-out", "interrupted"]),
  problem: orNull(Strict({ line: Line, message: Text })),
  startedMs: TimeMs,
  endedMs: TimeMs,
  steps: Type.Array(StepResult),
  assertions: Type.Array(AssertionResult),
  convergences: Type.Array(Strict({ line: Line, after: Text, sinceMs: TimeMs, timeMs: Count })),
  nodes: Type.Array(
    Strict({ n: NodeNumber, name: Text, peer: Text, head: orNull(BlockRef), reorgs: Type.Array(Reorg) }),
  ),
  transactions: Type.Array(Transaction),
  counts: Strict({
    sent: Count,
    mined: Count,
    pending: Count,
    dropped: Count,
    conflicted: Count,
    unknown: Count,
  }),
};

export const RunOutput = Type.Union([
  Strict({
    ...REPORT_PROPERTIES,
    /** Written by --report. */
    files: Type.Array(Text),
    /** Of a cluster that goes on (--keep). */
    directory: orNull(Text),
  }),
  // --dry-run
  Strict({
    name: Text,
    about: Text,
    file: Text,
    nodes: NodeNumber,
    steps: Type.Array(Strict({ line: Line, text: Text })),
  }),
]);

export const ScenarioList = Type.Array(
  Strict({ name: Text, file: Text, title: Text, about: Text, nodes: NodeNumber }),
);
