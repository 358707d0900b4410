import type { Fate, Reorg } from "../../api/index.ts";
import type { ClusterClient } from "../client.ts";
import { ClusterError } from "../errors.ts";
import type { SentTransfer } from "./people.ts";

/** sent = mined + pending + dropped + conflicted; the last counts some of them again. */
export interface FateCounts {
  readonly sent: number;
  readonly mined: number;
  readonly pending: number;
  readonly dropped: number;
  readonly conflicted: number;
  /** Taken out of the chain by a reorg and pending again, whatever came after. */
  readonly returnedToMempool: number;
}

const PARALLEL = 16;

/** Asks the nodes for each transaction; the first that knows it answers. */
async function fateOf(
  cluster: ClusterClient,
  nodes: readonly number[],
  { id, node }: SentTransfer,
): Promise<Fate> {
  for (const n of [node, ...nodes.filter((other) => other !== node)]) {
    try {
      return (await cluster.node(n).transaction(id)).fate;
    } catch (error) {
      if ((error as { status?: number }).status !== 404) throw error;
    }
  }
  throw new ClusterError(
    "CLUSTER_LOAD_FAILED",
    `no node knows transaction ${id}, which node ${node} had taken`,
  );
}

/** What became of every transaction that was sent, by the nodes' own word. */
export async function countFates(
  cluster: ClusterClient,
  sent: readonly SentTransfer[],
  reorgs: readonly Reorg[],
): Promise<FateCounts> {
  const nodes = (await cluster.info()).nodes.map(({ n }) => n);
  const states: Fate["state"][] = [];
  for (let from = 0; from < sent.length; from += PARALLEL) {
    const fates = await Promise.all(
      sent.slice(from, from + PARALLEL).map((one) => fateOf(cluster, nodes, one)),
    );
    states.push(...fates.map(({ state }) => state));
  }
  const count = (state: Fate["state"]): number => states.filter((one) => one === state).length;
  const returned = reorgs.flatMap(({ transactions }) =>
    transactions.filter(({ fate }) => fate === "returned"),
  );
  return {
    sent: sent.length,
    mined: count("mined"),
    pending: count("pending"),
    dropped: count("dropped"),
    conflicted: count("conflicted"),
    returnedToMempool: new Set(returned.map(({ id }) => id)).size,
  };
}
