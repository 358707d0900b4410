import type { Reorg } from "../api/index.ts";
import type { Client, RecordedEntry, Recording } from "../client/index.ts";
import type { ClusterClient } from "./client.ts";

const PAGE_ENTRIES = 5_000;
const PAGE_REORGS = 1_000;

async function reorgsOf(client: Client): Promise<Reorg[]> {
  try {
    return (await client.reorgs({ limit: PAGE_REORGS })).items;
  } catch {
    // It does not run: its reorgs are in the timeline, without their transactions.
    return [];
  }
}

/** All that the cluster's supervisor has in memory, with the reorg records of the nodes that answer. */
export async function takeRecording(
  cluster: ClusterClient,
  { name, signal }: { readonly name: string; readonly signal?: AbortSignal },
): Promise<Recording> {
  const { nodes } = await cluster.info();
  const entries: RecordedEntry[] = [];
  for (let after: string | null = "0"; after !== null; ) {
    signal?.throwIfAborted();
    const page = await cluster.timeline({ limit: PAGE_ENTRIES, after });
    for (const entry of page.items) entries.push(entry);
    after = page.next;
  }
  const reorgs = await Promise.all(nodes.map(async ({ n }) => [n, await reorgsOf(cluster.node(n))] as const));
  const times = entries.map(({ timeMs }) => timeMs);
  const nowMs = Date.now();
  return {
    version: 1,
    name,
    startedMs: times.reduce((least, timeMs) => Math.min(least, timeMs), nowMs),
    endedMs: times.reduce((most, timeMs) => Math.max(most, timeMs), nowMs),
    nodes: nodes.map(({ n, peer }) => ({ n, name: String(n), peer })),
    entries,
    reorgs: Object.fromEntries(reorgs),
  };
}
