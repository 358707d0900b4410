import { type Chain, createSignatureVerifier } from "../../src/chain/index.ts";
import { tasks } from "../../src/keys/verify-tasks.ts";
import type { Genesis } from "../../src/ledger/index.ts";
import { createTransactionPool, type Judged, type TransactionPool } from "../../src/node/transaction-pool.ts";
import { createInlineWorkerPool, createManualClock, type ManualClock } from "../../src/ports/index.ts";
import type { BlockBody, TxId } from "../../src/primitives/index.ts";
import { type OpenOptions, openTestChain } from "./chain-lab.ts";

export interface PoolLab {
  readonly pool: TransactionPool;
  readonly chain: Chain;
  readonly clock: ManualClock;
  /** Signatures that were verified so far. */
  verified(): number;
}

/** A transaction pool over a real chain in memory. */
export async function openPool(
  genesis: Genesis,
  options: Pick<OpenOptions, "pruneDepth"> = {},
): Promise<PoolLab> {
  let chain: Chain | undefined;
  let verified = 0;
  const clock = createManualClock(genesis.spec.genesisTimestampMs + 365 * 86_400_000);
  const real = createSignatureVerifier(createInlineWorkerPool(tasks));
  const pool = createTransactionPool({
    genesis,
    clock,
    signatures: {
      findInvalid(transactions) {
        verified += transactions.length;
        return real.findInvalid(transactions);
      },
    },
    chain: () => chain as Chain,
    isSyncing: () => false,
    onChange: () => {},
  });
  chain = await openTestChain(genesis, { ...options, settle: pool.settle, clock });
  return { pool, chain, clock, verified: () => verified };
}

/** Each answer in one word: the status, or the rule that refused. */
export const words = (judged: readonly Judged[]): string[] =>
  judged.map(({ admission }) => (admission.status === "refused" ? admission.rule : admission.status));

/** Somebody who gets the reward of a block that nobody mines. */
export const proposer = new Uint8Array(32).fill(1);

export const txidsOf = (body: BlockBody): TxId[] => body.transactions.map(({ txid }) => txid);
