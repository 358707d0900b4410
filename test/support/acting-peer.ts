import { randomBytes } from "node:crypto";
import type { Genesis } from "../../src/ledger/index.ts";
import {
  createLibp2pNetwork,
  createProtocols,
  PROTOCOL_VERSION,
  type ProtocolHandlers,
  type Protocols,
  type Status,
} from "../../src/network/index.ts";
import { createSystemRandom } from "../../src/node/adapters/system-random.ts";
import { type Network, silentLogger } from "../../src/ports/index.ts";
import type { Block } from "../../src/primitives/index.ts";
import { encodedBlocks } from "./encoded-blocks.ts";
import { createRealTimers, realClock } from "./real-time.ts";

export interface ActingPeerOptions {
  readonly genesis: Genesis;
  /** Ascending from height 1: the chain it says it has. */
  readonly blocks: readonly Block[];
  /** Where it departs from what an honest node would answer. */
  readonly answers?: Partial<ProtocolHandlers>;
  /** Where its status departs from its blocks. */
  readonly claim?: Partial<Status>;
}

/** A peer without a chain of its own: speaks our protocols over real TCP, and answers what the test wants. */
export interface ActingPeer {
  readonly name: string;
  readonly network: Network;
  readonly protocols: Protocols;
  readonly status: Status;
  readonly address: string;
  stop(): Promise<void>;
}

export async function createActingPeer(options: ActingPeerOptions): Promise<ActingPeer> {
  const { genesis, blocks } = options;
  const deps = {
    clock: realClock,
    timers: createRealTimers(),
    random: createSystemRandom(),
    logger: silentLogger,
  };
  const network = await createLibp2pNetwork(deps, {
    privateKeySeed: randomBytes(32),
    listen: ["/ip4/127.0.0.1/tcp/0"],
  });
  const chain = genesis.block.header.id;
  const tip = blocks.at(-1) ?? genesis.block;
  const work = blocks.reduce((sum, { header }) => sum + header.header.core.difficulty, 0n);
  const { height } = tip.header.header.core;
  const honest = { version: PROTOCOL_VERSION, chain, head: tip.header.id, height, work, firstHeight: 0 };
  const status: Status = { ...honest, ...options.claim };
  const protocols = createProtocols(
    { ...deps, network },
    { chain },
    {
      status: () => status,
      headers(_peer, { locator, maxCount }) {
        const known = new Set(locator);
        const from = blocks.findLastIndex(({ header }) => known.has(header.id)) + 1;
        return blocks.slice(from, from + maxCount).map(({ header }) => header);
      },
      blocks: async (_peer, ids) => encodedBlocks(blocks, ids),
      mempoolLeaves: () => [],
      transaction: () => undefined,
      peers: () => [],
      gossipedTransactions: async () => "ignore",
      gossipedBlock: async () => "ignore",
      ...options.answers,
    },
  );
  await network.start();
  return {
    name: network.self,
    network,
    protocols,
    status,
    address: network.addresses()[0] ?? "",
    async stop() {
      protocols.stop();
      await network.stop();
    },
  };
}
