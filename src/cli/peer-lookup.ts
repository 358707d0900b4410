import type { Peer } from "../api/index.ts";
import type { Client } from "../client/index.ts";
import { failure } from "./failure.ts";
import { quoted } from "./values.ts";

/** Without the name at its end, which stands in a column of its own. */
export const shownAddress = ({ address, peer }: Peer): string | undefined =>
  (peer === null ? address : address?.replace(`/p2p/${peer}`, "")) ?? undefined;

/** The configured peer that a person means: by its whole name or address, or by what `peers` shows of them. */
export async function findPeer(client: Client, text: string): Promise<string> {
  const { items } = await client.peers();
  const end = text.replace(/^…/, "");
  const meant = items.filter(
    (item) =>
      item.peer !== null && (shownAddress(item) === text || (end.length >= 6 && item.peer.endsWith(end))),
  );
  // Whatever else it is, the node may know it, or says what it is not.
  if (meant.length === 0) return text.startsWith("…") ? end : text;
  if (meant.length === 1) return meant[0]?.peer ?? text;
  throw failure("PEER_AMBIGUOUS", `${quoted(text)} fits ${meant.length} peers; give more of the name`);
}

/** Whether it looks like a multiaddr, or like a name as `peers` shows it. */
export const isNameOrAddress = (text: string): boolean => /^\/|^(…?[1-9A-HJ-NP-Za-km-z]{6,80})$/.test(text);
