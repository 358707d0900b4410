import { readFile } from "node:fs/promises";
import { buildChain } from "../support/built-chain.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";

const BLOCKS = 2_000;
const TRANSFERS_PER_BLOCK = 50;

export interface SyncResult {
  readonly blocks: number;
  readonly transfers: number;
  /** One per run. */
  readonly transfersPerSecond: readonly number[];
  readonly peakRssMiB: number;
}

/** Highest resident memory so far; 0 where the system does not tell. */
async function peakRssMiB({ pid }: Daemon): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

/** A fresh process fetches the whole chain from another over TCP and checks everything in it. */
export async function measureSync(runs: number, nodeArgs: readonly string[] = []): Promise<SyncResult> {
  const lab = createLab();
  try {
    const dataDir = await lab.directory();
    const built = await buildChain({ dataDir, blocks: BLOCKS, transfersAt: () => TRANSFERS_PER_BLOCK });
    const source = await lab.start({ dataDir, logLevel: "warn" });
    const transfersPerSecond: number[] = [];
    let peak = 0;
    for (let run = 0; run < runs; run++) {
      const { genesisFile } = built;
      const node = await lab.start({ genesisFile, logLevel: "warn", nodeArgs });
      const startMs = performance.now();
      await node.client.addPeer(source.multiaddr);
      const synced = async () => (await node.client.status()).head.id === built.head.id;
      await poll("the chain is synced", synced, 120_000);
      transfersPerSecond.push((built.transfers * 1_000) / (performance.now() - startMs));
      peak = Math.max(peak, await peakRssMiB(node));
      await node.end("SIGTERM");
    }
    return { blocks: BLOCKS, transfers: built.transfers, transfersPerSecond, peakRssMiB: peak };
  } finally {
    await lab.close();
  }
}
