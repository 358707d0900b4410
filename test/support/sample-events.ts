import type { NodeEvent } from "../../src/api/index.ts";
import { PEER, stubStatus } from "./stub-node-service.ts";

const stamp = { timeMs: stubStatus.timeMs, sequence: null };

type HeadEvent = Extract<NodeEvent, { type: "head" }>;
type PeerEvent = Extract<NodeEvent, { type: "peer" }>;

export const headEvent = (height: number = stubStatus.head.height): HeadEvent => ({
  type: "head",
  data: { ...stubStatus.head, height, mempool: { transactions: 0, bytes: 0 }, ...stamp },
});

/** A peer that is gone. */
export const peerEvent = (reason: string): PeerEvent => ({
  type: "peer",
  data: { peer: PEER, connected: false, reason, ...stamp },
});
