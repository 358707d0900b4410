import type { Client } from "../../src/client/index.ts";
import type { BlockId } from "../../src/primitives/index.ts";
import { buildChain } from "../support/built-chain.ts";
import { createLab } from "../support/daemon.ts";
import { cpuMs, memoryMiB } from "./processes.ts";

const BLOCKS = 4_000;
const TRANSFERS_PER_BLOCK = 50;
const SYNC_MS = 120_000;

export interface SyncResult {
  readonly blocks: number;
  readonly transfers: number;
  /** One per run. */
  readonly transfersPerSecond: readonly number[];
  /** CPU time of the syncing process on all its threads, one per run: unlike the rate, hardly moved by other programs. */
  readonly cpuMs: readonly number[];
  /** The same of the process that serves the blocks: it shares the cores with the one that syncs. */
  readonly servingCpuMs: readonly number[];
  readonly peakRssMiB: number;
}

/** Settles when the node tells of that head; fails after two minutes. */
async function hasHead(client: Client, id: BlockId): Promise<void> {
  for await (const { type, data } of client.events(AbortSignal.timeout(SYNC_MS), { kinds: ["head"] }))
    if (type === "head" && data.id === id) return;
  throw new Error(`the chain was not synced after ${SYNC_MS} ms`);
}

/** A fresh process fetches the whole chain from another over TCP and checks everything in it. */
export async function measureSync(runs: number, nodeArgs: readonly string[] = []): Promise<SyncResult> {
  const lab = createLab();
  try {
    const dataDir = await lab.directory();
    const built = await buildChain({ dataDir, blocks: BLOCKS, transfersAt: () => TRANSFERS_PER_BLOCK });
    const source = await lab.start({ dataDir, logLevel: "warn" });
    const transfersPerSecond: number[] = [];
    const usedMs: number[] = [];
    const servingMs: number[] = [];
    let peak = 0;
    for (let run = 0; run < runs; run++) {
      const { genesisFile } = built;
      const node = await lab.start({ genesisFile, logLevel: "warn", nodeArgs });
      const cpuBeforeMs = await cpuMs(node.pid);
      const servingBeforeMs = await cpuMs(source.pid);
      const startMs = performance.now();
      // Told and not asked: forty questions a second took a fiftieth of the machine.
      const isSynced = hasHead(node.client, built.head.id);
      await node.client.addPeer(source.multiaddr);
      await isSynced;
      transfersPerSecond.push((built.transfers * 1_000) / (performance.now() - startMs));
      usedMs.push((await cpuMs(node.pid)) - cpuBeforeMs);
      servingMs.push((await cpuMs(source.pid)) - servingBeforeMs);
      peak = Math.max(peak, await memoryMiB(node.pid, "VmHWM"));
      await node.end("SIGTERM");
    }
    return {
      blocks: BLOCKS,
      transfers: built.transfers,
      transfersPerSecond,
      cpuMs: usedMs,
      servingCpuMs: servingMs,
      peakRssMiB: peak,
    };
  } finally {
    await lab.close();
  }
}
