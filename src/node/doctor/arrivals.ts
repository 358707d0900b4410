import type { Chain } from "../../chain/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { NoteRefusal } from "./refusals.ts";

/** Gossiped blocks remembered with the time that they took to come. */
const MAX_DELAYS = 32;

/** What the chain's own events tell of where blocks come from, and when. */
export interface Arrivals {
  /** Since the last block, or since the start; ms. */
  lastBlockAgoMs(): number;
  gossipDelays(): { readonly delaysMs: readonly number[]; readonly peers: number };
  /** Why the chain stopped itself. */
  stopped(): string | undefined;
}

export function watchArrivals(chain: Chain, clock: Clock, noteRefusal: NoteRefusal): Arrivals {
  let lastMs = clock.monotonicMs();
  let stopped: string | undefined;
  const delays: { readonly delayMs: number; readonly peer: string }[] = [];
  chain.on("block", ({ block: { header }, source, refusal }) => {
    lastMs = clock.monotonicMs();
    if (refusal !== undefined) noteRefusal(header, source.peer, refusal);
    if (source.message !== "gossip") return;
    delays.push({ delayMs: source.receivedMs - header.header.core.timestampMs, peer: source.peer });
    if (delays.length > MAX_DELAYS) delays.shift();
  });
  chain.on("fatal", ({ message }) => {
    stopped = message;
  });
  return {
    lastBlockAgoMs: () => Math.round(clock.monotonicMs() - lastMs),
    gossipDelays: () => ({
      delaysMs: delays.map(({ delayMs }) => delayMs),
      peers: new Set(delays.map(({ peer }) => peer)).size,
    }),
    stopped: () => stopped,
  };
}
