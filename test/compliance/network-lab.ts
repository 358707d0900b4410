import type {
  GossipVerdict,
  Network,
  NetworkErrorCode,
  PeerName,
  RequestLimits,
} from "../../src/ports/index.ts";

export const PROTOCOL = "/cumulo/test/echo/1";
export const LIMITS: RequestLimits = {
  maxRequestBytes: 1_000,
  maxResponseBytes: 2_000_000,
  firstByteTimeoutMs: 2_000,
  totalTimeoutMs: 4_000,
};

export interface Node {
  readonly network: Network;
  readonly received: { readonly from: PeerName; readonly text: string }[];
  /** What the validator answers; a promise holds the message back. */
  verdict: GossipVerdict | Promise<GossipVerdict> | (() => never);
}

export const hasCode = (code: NetworkErrorCode) => (error: unknown) =>
  (error as { code?: unknown }).code === code;

export const isConnected = (a: Node, b: Node) =>
  a.network.connections().some(({ peer }) => peer === b.network.self);

export type Join = (prepare?: (network: Network) => void) => Promise<Node>;
export type Connect = (from: Node, to: Node) => Promise<void>;
