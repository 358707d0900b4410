import type { BlockRef, Fate, Reorg, TransactionEvent } from "../../api/index.ts";
import { ApiError, createRecording, firstAgreement, type Recording } from "../../client/index.ts";
import { takeRecording } from "../recording.ts";
import { askTransaction, fatesOf } from "./fates.ts";
import { takenTransactions } from "./looks.ts";
import { chosen, nodeLabel, reorgsOf, type World } from "./world.ts";

/** What one node says of a transaction at the end. */
export interface NodeFate {
  readonly node: number;
  readonly fate: Fate | { readonly state: "unknown" };
  /** Of one that is neither mined nor pending: the rule by which the node refuses it now. */
  readonly refusedBy: string | null;
  readonly events: readonly TransactionEvent[];
}

export interface TransactionFacts {
  readonly name: string;
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** Base units. */
  readonly amount: number;
  /** The node it was handed to. */
  readonly node: number;
  readonly nodes: readonly NodeFate[];
}

/** Transactions of all sorts counted: sent = mined + pending + dropped + conflicted + unknown. */
export interface TransactionCounts {
  readonly sent: number;
  readonly mined: number;
  readonly pending: number;
  readonly dropped: number;
  readonly conflicted: number;
  readonly unknown: number;
}

export interface NodeFacts {
  readonly n: number;
  readonly name: string;
  readonly peer: string;
  /** Null where it did not answer at the end. */
  readonly head: BlockRef | null;
  /** Oldest first. */
  readonly reorgs: readonly Reorg[];
}

/** What the nodes say when the steps have ended, however they ended. */
export interface Facts {
  /** What all nodes saw; null where the supervisor could not tell it any more. */
  readonly recording: Recording | null;
  readonly nodes: readonly NodeFacts[];
  readonly transactions: readonly TransactionFacts[];
  readonly counts: TransactionCounts;
}

async function nodeFacts(world: World): Promise<NodeFacts[]> {
  const nodes = await world.cluster.snapshot();
  return Promise.all(
    nodes.map(async ({ n, peer, status }) => {
      const reorgs = status === undefined ? [] : await reorgsOf(world.cluster, n).catch(() => []);
      const head = status === undefined ? null : status.head;
      return {
        n,
        name: nodeLabel(world.scenario, n),
        peer,
        head: head === null ? null : { id: head.id, height: head.height, work: head.work },
        reorgs,
      };
    }),
  );
}

/** Handing a transaction in again changes nothing where it cannot be mined, and names the rule. */
async function ruleAgainst(world: World, n: number, bytes: Uint8Array): Promise<string | null> {
  try {
    await world.cluster.node(n).submit(bytes);
    return null;
  } catch (error) {
    return error instanceof ApiError && error.status === 422 ? error.code : null;
  }
}

async function nodeFate(world: World, n: number, sent: { id: string; bytes: Uint8Array }): Promise<NodeFate> {
  const status = await askTransaction(world.cluster, n, sent.id);
  const fate = status?.fate ?? { state: "unknown" as const };
  const isOut = fate.state !== "mined" && fate.state !== "pending";
  const refusedBy = isOut ? await ruleAgainst(world, n, sent.bytes) : null;
  return { node: n, fate, refusedBy, events: status?.events ?? [] };
}

async function transactionFacts(world: World): Promise<TransactionFacts[]> {
  const facts: TransactionFacts[] = [];
  for (const [name, { bytes, id, from, to, amount, node }] of world.transactions) {
    const nodes: NodeFate[] = [];
    for (const n of chosen(world, undefined)) {
      const fate = await nodeFate(world, n, { id, bytes }).catch(() => undefined);
      if (fate !== undefined) nodes.push(fate);
    }
    facts.push({ name, id, from, to, amount, node, nodes });
  }
  return facts;
}

async function countTransactions(world: World): Promise<TransactionCounts> {
  const taken = takenTransactions(world);
  const fates = await fatesOf(world.cluster, chosen(world, undefined), taken);
  const count = (state: string): number =>
    fates.filter((fate) => (fate?.state ?? "unknown") === state).length;
  return {
    sent: taken.length,
    mined: count("mined"),
    pending: count("pending"),
    dropped: count("dropped"),
    conflicted: count("conflicted"),
    unknown: count("unknown"),
  };
}

/** With the names that the scenario gives. */
async function recordingOf({ cluster, scenario, signal }: World): Promise<Recording> {
  const recording = await takeRecording(cluster, { name: scenario.name, signal });
  const nodes = recording.nodes.map((node) => ({ ...node, name: nodeLabel(scenario, node.n) }));
  return { ...recording, nodes };
}

/** From a step until all nodes had one head, by what they recorded; undefined where that does not show it. */
export function agreementAfter(recording: Recording, sinceMs: number, untilMs: number): number | undefined {
  const model = createRecording();
  for (const node of recording.nodes) model.addNode(node);
  model.add(recording.entries);
  const agreedMs = firstAgreement(model, sinceMs, untilMs);
  return agreedMs === undefined ? undefined : agreedMs - sinceMs;
}

const NO_COUNTS = { sent: 0, mined: 0, pending: 0, dropped: 0, conflicted: 0, unknown: 0 };

/** Asks all nodes. What cannot be had any more is left out: a run that failed has a report too. */
export async function gatherFacts(world: World): Promise<Facts> {
  return {
    recording: await recordingOf(world).catch(() => null),
    nodes: await nodeFacts(world).catch(() => []),
    transactions: await transactionFacts(world),
    counts: await countTransactions(world).catch(() => NO_COUNTS),
  };
}
