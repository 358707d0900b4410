import type { Fate, TransactionStatus } from "../../api/index.ts";
import { ApiError } from "../../client/index.ts";
import type { ClusterClient } from "../client.ts";

/** A transaction that some node took. */
export interface TakenTransaction {
  readonly id: string;
  /** The node that took it; it is asked first. */
  readonly node: number;
}

/** What a node says of a transaction; undefined where it does not know it. */
export async function askTransaction(
  cluster: ClusterClient,
  n: number,
  id: string,
): Promise<TransactionStatus | undefined> {
  try {
    return await cluster.node(n).transaction(id);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** The fate by the first of the nodes that knows it; undefined where none does. */
export async function fateOf(
  cluster: ClusterClient,
  nodes: readonly number[],
  { id, node }: TakenTransaction,
): Promise<Fate | undefined> {
  for (const n of [node, ...nodes.filter((other) => other !== node)]) {
    if (!nodes.includes(n)) continue;
    const status = await askTransaction(cluster, n, id);
    if (status !== undefined) return status.fate;
  }
  return undefined;
}

const PARALLEL = 16;

/** The fate of each, in their order. */
export async function fatesOf(
  cluster: ClusterClient,
  nodes: readonly number[],
  transactions: readonly TakenTransaction[],
): Promise<(Fate | undefined)[]> {
  const fates: (Fate | undefined)[] = [];
  for (let from = 0; from < transactions.length; from += PARALLEL) {
    const some = transactions.slice(from, from + PARALLEL);
    fates.push(...(await Promise.all(some.map((one) => fateOf(cluster, nodes, one)))));
  }
  return fates;
}
