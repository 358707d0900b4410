import type { RuleCode } from "../consensus/index.ts";
import { minimumFee } from "../ledger/index.ts";
import type { ChainSpec, SealedTransaction, TxId } from "../primitives/index.ts";

export interface MempoolOptions {
  /** Transactions in all. In memory each takes about 2 KB beside its bytes, measured with every one of another sender. */
  readonly maxTransactions: number;
  /** Serialized bytes in all: a transaction may be long. */
  readonly maxBytes: number;
  /** Transactions of one sender; so a nonce lies less than this ahead of the account's. */
  readonly maxPerSender: number;
  /** Transactions of one sender that wait behind a missing nonce: they may never run, so they get little room. */
  readonly maxGappedPerSender: number;
}

export const DEFAULT_MEMPOOL_OPTIONS: MempoolOptions = {
  maxTransactions: 200_000,
  maxBytes: 64 * 1024 * 1024,
  maxPerSender: 5_000,
  maxGappedPerSender: 64,
};

/** Reasons of policy, not consensus: another node may take what this one refuses. */
export const MEMPOOL_RULES = {
  "MEM-01": "the mempool has room, or holds something that pays less",
  "MEM-02":
    "no other transaction of the sender with this nonce is pending, or the fee is enough to replace it",
  "MEM-03": "the nonce is not too far ahead of the account's, nor are too many behind a missing one",
  "MEM-04": "the node takes no transactions while it is syncing",
  "MEM-05": "the node is not saturated with transactions that came before",
  "MEM-06": "what is pending outlives the end of the node",
} as const;

/** Why a transaction is not taken, or not kept: a rule of consensus or of this pool. */
export type RefusalRule = RuleCode | keyof typeof MEMPOOL_RULES;

/** The sender's account at the head; both 0 where it does not exist. */
export interface SenderState {
  readonly nonce: number;
  readonly balance: number;
}

export interface Refused {
  readonly status: "refused";
  readonly rule: RefusalRule;
  /** In words; amounts are base units. */
  readonly detail: string;
  /** The numbers in it, for programs. */
  readonly numbers?: Readonly<Record<string, number>>;
}
export type Admission = { readonly status: "pending" } | { readonly status: "known" } | Refused;

export interface PendingEntry {
  readonly transaction: SealedTransaction;
  /** Unix ms. */
  readonly receivedMs: number;
  /** Counts up; the order of arrival. */
  readonly order: number;
}

/** A pending transaction that another one ruled out, or that can no longer be executed. */
export type Removal =
  | { readonly transaction: SealedTransaction; readonly fate: "conflicted"; readonly by: TxId }
  | {
      readonly transaction: SealedTransaction;
      readonly fate: "dropped";
      readonly rule: RefusalRule;
      readonly detail: string;
    };

export const costOf = ({ fee, amount }: SealedTransaction): number => fee + amount;
export const feeRate = ({ fee, bytes }: SealedTransaction): number => fee / bytes.length;

/**
 * The least fee that replaces a pending transaction: all that it pays, and the least fee for the new one's bytes besides,
 * so that spreading it is paid for (as BIP 125 has it); and more for each byte, or it would be no better for a miner.
 */
export function replacementFee(
  spec: ChainSpec,
  pending: SealedTransaction,
  newcomer: SealedTransaction,
): number {
  const forBytes = pending.fee + minimumFee(spec, newcomer.bytes.length);
  return Math.max(forBytes, Math.floor(feeRate(pending) * newcomer.bytes.length) + 1);
}
