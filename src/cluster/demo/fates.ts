import type { Fate, Reorg } from "../../api/index.ts";
import type { ClusterClient } from "../client.ts";
import { ClusterError } from "../errors.ts";
import { fatesOf, type SentTransfer } from "../scenarios/index.ts";

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

/** What became of every transaction that was sent, by the nodes' own word. */
export async function countFates(
  cluster: ClusterClient,
  sent: readonly SentTransfer[],
  reorgs: readonly Reorg[],
): Promise<FateCounts> {
  const nodes = (await cluster.info()).nodes.map(({ n }) => n);
  const fates = await fatesOf(cluster, nodes, sent);
  const lost = sent[fates.indexOf(undefined)];
  if (lost !== undefined)
    throw new ClusterError(
      "CLUSTER_LOAD_FAILED",
      `no node knows transaction ${lost.id}, which node ${lost.node} had taken`,
    );
  const states = fates.map((fate) => fate?.state);
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
