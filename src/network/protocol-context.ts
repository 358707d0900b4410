import { NetworkError, type PeerName, type RequestLimits } from "../ports/index.ts";
import type { BlockId } from "../primitives/index.ts";
import type { ProtocolQuotas, ProtocolsDeps, ProtocolsOptions } from "./protocol-types.ts";
import { createQuotas, type Quota, type Quotas } from "./quota.ts";
import * as wire from "./wire.ts";
import { MAX_PEERS_RESPONSE_BYTES } from "./wire-peers.ts";

/** Version of everything in this room that goes over the wire. */
export const PROTOCOL_VERSION = 1;
const FIRST_BYTE_TIMEOUT_MS = 5_000;
const TOTAL_TIMEOUT_MS = 10_000;
/** The asker keeps to a little less than what the answerer grants, so that jitter never looks like greed. */
const ASKER_SHARE = 0.8;

const DEFAULT_QUOTAS: ProtocolQuotas = {
  status: { burst: 20, perSecond: 4 },
  headers: { burst: 20_000, perSecond: 10_000 },
  blocks: { burst: 4_096, perSecond: 2_048 },
  transactions: { burst: 65_536, perSecond: 16_384 },
  peers: { burst: 5, perSecond: 0.1 },
};

export type Kind = keyof ProtocolQuotas;

/** What both sides of the protocols share. */
export interface Context {
  readonly deps: ProtocolsDeps;
  readonly chain: BlockId;
  /** What peers may ask of us, and what we ask of them. */
  readonly granted: Readonly<Record<Kind, Quotas>>;
  readonly used: Readonly<Record<Kind, Quotas>>;
  name(kind: string): string;
  /** The peer has shown a status of this chain and version. */
  introduced(peer: PeerName): void;
  /** Closes the connection, with the reason in the log, and gives the error to throw. */
  punish(peer: PeerName, reason: string): NetworkError;
}

export const LIMITS: Readonly<Record<Kind, RequestLimits>> = {
  status: limits(128, 128),
  headers: limits(4_096, wire.MAX_HEADERS_RESPONSE_BYTES),
  blocks: limits(32 * wire.MAX_BLOCKS_PER_REQUEST, wire.MAX_BLOCKS_RESPONSE_BYTES),
  transactions: limits(1 + 32 * wire.MAX_TRANSACTIONS_PER_REQUEST, wire.MAX_TRANSACTIONS_RESPONSE_BYTES),
  peers: limits(4, MAX_PEERS_RESPONSE_BYTES),
};
export const PROTOCOL_NAMES: Readonly<Record<Kind, string>> = {
  status: "status",
  headers: "headers",
  blocks: "blocks",
  transactions: "txs",
  peers: "peers",
};

function limits(maxRequestBytes: number, maxResponseBytes: number): RequestLimits {
  return {
    maxRequestBytes,
    maxResponseBytes,
    firstByteTimeoutMs: FIRST_BYTE_TIMEOUT_MS,
    totalTimeoutMs: TOTAL_TIMEOUT_MS,
  };
}

export function createContext(
  deps: ProtocolsDeps,
  options: ProtocolsOptions,
  introduced: Context["introduced"],
): Context {
  const logger = deps.logger.child({ module: "protocols" });
  const quotas: ProtocolQuotas = { ...DEFAULT_QUOTAS, ...options.quotas };
  const each = (share: number): Record<Kind, Quotas> => {
    const make = ({ burst, perSecond }: Quota) =>
      createQuotas(deps.clock, { burst: burst * share, perSecond: perSecond * share });
    return {
      status: make(quotas.status),
      headers: make(quotas.headers),
      blocks: make(quotas.blocks),
      transactions: make(quotas.transactions),
      peers: make(quotas.peers),
    };
  };
  return {
    deps: { ...deps, logger },
    chain: options.chain,
    granted: each(1),
    used: each(ASKER_SHARE),
    introduced,
    name: (kind) => `/cumulo/${options.chain.slice(0, 8)}/${kind}/1`,
    punish(peer, reason) {
      deps.network.punish(peer, reason);
      return new NetworkError("NETWORK_MALFORMED", `${peer}: ${reason}`);
    },
  };
}
