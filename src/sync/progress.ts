import type { BodyDownload } from "./body-download.ts";
import type { SyncPeer } from "./claims.ts";
import type { HeaderFetch } from "./header-fetch.ts";
import type { SyncProgress } from "./types.ts";

export function headersProgress({ name, claim }: SyncPeer, { chain }: HeaderFetch): SyncProgress {
  const targetHeight = chain?.last.height ?? claim.height;
  return { phase: "headers", shownBy: name, targetHeight, peers: [], blocksTotal: 0, blocksDone: 0 };
}

export const blocksProgress = (download: BodyDownload): SyncProgress => ({
  phase: "blocks",
  shownBy: download.shownBy,
  peers: [...download.helpers],
  targetHeight: download.headers.last.height,
  blocksTotal: download.headers.ids.length,
  blocksDone: download.blocksDone,
});
