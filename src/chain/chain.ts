import type { ForkTree, Refusal, TreeBlock } from "../consensus/index.ts";
import type { AccountKey, AccountRecord, Genesis, LedgerTotals } from "../ledger/index.ts";
import type { Clock, KeyValueStore, Logger, Metrics, Timers } from "../ports/index.ts";
import type { Block, BlockId } from "../primitives/index.ts";
import type { BackupPart } from "./backup-format.ts";
import type { BlockChecks } from "./block-checks.ts";
import type { BlockStore } from "./block-store.ts";
import type { ChainEvents, Emitter } from "./events.ts";
import type { MarkResult } from "./operator-marks.ts";
import type { Publisher, SettleTransactions } from "./publisher.ts";
import type { BlockSource } from "./reorg.ts";
import type { SignatureVerifier } from "./signatures.ts";
import type { Template, TemplateRequest } from "./template.ts";

/** A branch further behind our head than so many of its blocks' work is not worth storing unasked. */
export const STALE_BRANCH_BLOCKS = 144n;

/** Least depth of a pruning node: what others may not have heard of yet must be there to be asked for. */
export const MIN_PRUNE_DEPTH: number = 2 * Number(STALE_BRANCH_BLOCKS);

/** How a chain prunes. */
export interface Pruning {
  /** Blocks from the head down that stay whole at least; half as many more between two rounds. */
  readonly depth: number;
  /** Height of the best chain up to which others have read what they need. */
  readonly usedUpTo: () => number;
  /** Calls a round that came due in the rest after the last one. */
  readonly timers: Timers;
}

export interface ChainDeps {
  readonly store: KeyValueStore;
  readonly genesis: Genesis;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
  readonly signatures: SignatureVerifier;
  /** This node's name in reorg records. */
  readonly node: string;
  /** Told of every head change before it is published; settles what becomes of the transactions. */
  readonly settle: SettleTransactions;
  /** Whether to delete what lies far below the head; default: everything is kept. */
  readonly pruning?: Pruning;
  /** Told of heights while stored blocks are executed again, and how far it goes. */
  readonly onReplay?: (height: number, of: number) => void;
}

export interface AccountProof {
  readonly record: AccountRecord;
  readonly head: TreeBlock;
  /** From below: 32 levels of the list, its length, 4 of the state, 4 of the header's core, its nonce. */
  readonly siblings: readonly Uint8Array[];
}

export type ImportResult =
  /** In the best chain. */
  | { readonly status: "connected" }
  /** Stored on a side branch. */
  | { readonly status: "side" }
  /** Already stored. */
  | { readonly status: "known" }
  /** Valid so far, but so far behind our head that it is not kept unasked. */
  | { readonly status: "ignored" }
  | { readonly status: "refused"; readonly verdict: Refusal };

/** The chain of one node: the only writer of chain data. */
export interface Chain {
  readonly genesis: Genesis;
  /** The published head; everything up to it is durable. */
  readonly head: TreeBlock;
  /** All known blocks. Read only: the writer alone changes it. */
  readonly tree: ForkTree;
  readonly blocks: BlockStore;
  /** Cheap header checks for those who judge headers before bodies are there. */
  readonly checks: Pick<BlockChecks, "context" | "knownInvalid">;
  /** The last start found writes missing and executed all blocks again. */
  readonly rebuilt: boolean;
  /** The store was empty, and holds genesis now. */
  readonly isNew: boolean;
  /**
   * Lowest height of the best chain from which on every block up to the head is stored whole; 0 unless blocks were
   * pruned. It never falls, and is one above the head where a replay has just begun.
   */
  readonly firstHeight: number;
  /** Sums over the state at the published head. */
  readonly totals: LedgerTotals;
  /** Number of the newest reorg record; 0 where there was none. */
  readonly lastReorg: number;
  on: Emitter<ChainEvents>["on"];
  /**
   * Checks, stores and, where it makes the best branch, connects a block. Settles once the outcome is durable; rejects
   * with a `ChainError` where the chain is stopped, or too busy to take or to verify it.
   */
  import(block: Block, source: BlockSource): Promise<ImportResult>;
  /** Id of the block of the best chain at a height, if there is one. */
  idAt(height: number): BlockId | undefined;
  /** Whether the block is in the best chain. */
  isConnected(id: BlockId): boolean;
  /** Where a known block's branch leaves the best chain, and how many blocks it has from there up to the block. */
  branchOf(block: TreeBlock): { readonly forkPoint: TreeBlock; readonly length: number };
  /** Accounts at the head. */
  accounts(accountKeys: readonly AccountKey[]): Promise<(AccountRecord | undefined)[]>;
  /**
   * Hands accounts at the head to `read` and settles with its answer; the head does not move meanwhile, so what `read`
   * decides with them (say, to admit a transaction) holds. Rejects with whatever `read` throws.
   */
  withAccounts<T>(
    accountKeys: readonly AccountKey[],
    read: (accounts: (AccountRecord | undefined)[], head: TreeBlock) => T,
  ): Promise<T>;
  /** An account at the head with the hashes from its root to the head's id; `undefined` where there is none. */
  proveAccount(key: AccountKey): Promise<AccountProof | undefined>;
  /** Everything of a child of the head but the nonce. */
  buildTemplate(request: TemplateRequest): Promise<Template>;
  readonly reorgs: Publisher["reorgs"];
  /**
   * Sets a block and its descendants aside by the operator's word, over restarts too, and goes to the best branch that
   * remains; never a lighter one than there is. Its transactions return as in any reorg.
   */
  invalidate(id: BlockId): Promise<MarkResult>;
  /** Takes the marks from a block, its ancestors and its descendants, and goes to the best branch. */
  reconsider(id: BlockId): Promise<MarkResult>;
  /** The parts of a backup of the chain as it is now; to be read to the end, or ended, while the chain is open. */
  snapshot(): Promise<AsyncGenerator<BackupPart>>;
  /** Prunes what can be pruned by now. It is done by itself after each change of head; never rejects. */
  prune(): Promise<void>;
  /** Lets the batch being written end, turns away what waits behind it with CHAIN_STOPPED, and closes the store. */
  close(): Promise<void>;
}
