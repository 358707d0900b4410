import type { AttackRole } from "../api/index.ts";

/** How one node runs; never consensus. */
export interface NodeOptions {
  /** Everything the node keeps is in here. Created when missing. */
  readonly dataDir: string;
  /** genesis.json of the network, which must be that of `dataDir` if it has one; default: that one, else the built-in devnet. */
  readonly genesisFile?: string;
  /** Multiaddrs to listen on; TCP port 0 is chosen by the system. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others instead. */
  readonly announce: readonly string[];
  readonly api: { readonly host: string; readonly port: number };
  readonly apiRead: "open" | "token";
  /** Where the API token is; default `<dataDir>/api-token`. */
  readonly tokenFile?: string;
  /** Multiaddrs to keep connected. */
  readonly peers: readonly string[];
  /** Whether to keep an index of what happened to each account; default: yes. */
  readonly history?: boolean;
  /** Whether to keep a timeline of what the node saw; default: yes. */
  readonly timeline?: boolean;
  /** Blocks from the head down to keep whole, at least `MIN_PRUNE_DEPTH`; default: all of them. */
  readonly pruneDepth?: number;
  /** Whether to ask peers for others and dial them, and to tell peers of others. Default true. */
  readonly exchange?: boolean;
  /** Whether to look for peers on the local network by multicast DNS, and to be found there. Default false. */
  readonly mdns?: boolean;
  /** Known peers are dialled until so many connections of this node's own stand, the configured among them. Default 8. */
  readonly maxOutbound?: number;
  /** Connections of strangers at most; default 128. */
  readonly maxInbound?: number;
  /** Of them, from one public IPv4 address or IPv6 /64; default 16. */
  readonly maxInboundPerIp?: number;
  /** The part to play against its peers, for tests of a network of one's own; default: none, it is honest. */
  readonly attack?: AttackRole;
  readonly mine: boolean;
  /** Tries a second while mining; default: the network's share of one miner. */
  readonly hashRate?: number;
  /** How many nodes share the default hash rate; 1 for a node started alone. */
  readonly miners?: number;
  /** Address that gets rewards; default: a key made in `<dataDir>/keys`. */
  readonly rewardTo?: string;
  readonly logLevel: string;
  /** Called right before the API answers: from here on whoever asked it something may rely on a clean stop. */
  readonly onServing?: () => void;
}

export type NodeErrorCode =
  | "NODE_GENESIS_INVALID"
  | "NODE_GENESIS_UNREADABLE"
  | "NODE_GENESIS_OTHER"
  | "NODE_ENGINE_UNSUPPORTED"
  | "NODE_RULES_UNSUPPORTED"
  | "NODE_DATA_LOCKED"
  | "NODE_DATA_UNUSABLE"
  | "NODE_BACKUP_FAILED"
  | "NODE_RESTORE_REFUSED"
  | "NODE_REWARD_INVALID"
  | "NODE_ADDRESS_INVALID"
  | "NODE_PRUNE_TOO_SHALLOW";

/** The node could not start; the message says why and what to do. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: NodeErrorCode;
  constructor(code: NodeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
