import type { AttackRelease, AttackRole } from "../api/index.ts";
import type { Chain } from "../chain/index.ts";
import type { SearchTasks } from "../miner/index.ts";
import type { ProtocolHandlers, Protocols } from "../network/index.ts";
import type { Clock, Logger, Network, Timers, WorkerPool } from "../ports/index.ts";

/** What the miner needs of the chain: where a block of our own comes to be. */
export type MiningChain = Pick<Chain, "buildTemplate" | "import">;

/**
 * The one seam through which peers see this node: what it answers, what it sends and asks, and what becomes of the blocks
 * that it mines. An honest node passes all on as it is.
 */
export interface Presence {
  /** The part that it plays against its peers; null: none. */
  readonly role: AttackRole | null;
  answers(honest: ProtocolHandlers): ProtocolHandlers;
  requests(honest: Protocols): Protocols;
  mining(honest: MiningChain): MiningChain;
  /** Shows what is held back. Undefined where the role holds nothing back. */
  readonly release: (() => AttackRelease) | undefined;
  /** Begins what the role does by itself, once there are peers. */
  start(): void;
  stop(): void;
}

export interface PresenceDeps {
  readonly chain: Chain;
  readonly network: Network;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly searchers: WorkerPool<SearchTasks>;
  /** Tells all peers where this node stands, and asks them. */
  readonly tellPeers: () => void;
}

export const HONEST: Presence = {
  role: null,
  answers: (honest) => honest,
  requests: (honest) => honest,
  mining: (honest) => honest,
  release: undefined,
  start() {},
  stop() {},
};
