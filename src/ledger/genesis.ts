import {
  assembleBlock,
  type Block,
  bytesToHex,
  type ChainSpec,
  encodeBody,
  genesisDifficulty,
  sealHeader,
  specRoot,
  transactionsRoot,
  ZERO_32,
} from "../primitives/index.ts";
import { buildStateTree, type StateUpdate } from "./state-tree.ts";

/** What a spec alone determines. */
export interface Genesis {
  readonly spec: ChainSpec;
  readonly block: Block;
  /** Id of the genesis block. */
  readonly chainId: Uint8Array;
  /** The first 8 hex digits of the chain id: names topics and protocols. */
  readonly chain8: string;
  /** The allocations as accounts, in key order, and their sum. */
  readonly state: StateUpdate;
}

/** Builds the genesis block: its parent is the root of the spec, its chain and proposer are zero, its nonce is 0. */
export function createGenesis(spec: ChainSpec): Genesis {
  const accounts = spec.allocations.map(({ key, amount }, index) => ({
    index,
    key: bytesToHex(key),
    balance: amount,
    nonce: 0,
  }));
  const issued = accounts.reduce((sum, { balance }) => sum + balance, 0);
  const state = { accounts, totals: { accounts: accounts.length, issued, burned: 0 } };
  const header = sealHeader({
    core: {
      rulesVersion: 1,
      chain: ZERO_32,
      height: 0,
      parent: specRoot(spec),
      timestampMs: spec.genesisTimestampMs,
      transactionsRoot: transactionsRoot([]),
      stateRoot: buildStateTree(state).root,
      proposer: ZERO_32,
      difficulty: genesisDifficulty(spec),
      engineRoot: ZERO_32,
      extra: ZERO_32,
    },
    nonce: 0,
  });
  const block = assembleBlock(header, encodeBody([], new Uint8Array()));
  return { spec, block, chainId: header.idBytes, chain8: header.id.slice(0, 8), state };
}
