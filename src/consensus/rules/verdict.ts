/**
 * Every rule that can refuse something, with one sentence of what it demands. The code is what verdicts, logs, docs and
 * test names use. HDR: headers. BLK: bodies and blocks as a whole. TX: one transaction. STA: the resulting state.
 */
export const RULES = {
  "HDR-01": "the header is the canonical encoding of a header",
  "HDR-02": "the rules version is the one active at the height",
  "HDR-03": "the id is below the target of the declared difficulty",
  "HDR-04": "the chain is this chain",
  "HDR-05": "the difficulty is at least the genesis difficulty",
  "HDR-06": "engine root is zero under proof of work",
  "HDR-07": "the height is the parent's plus one",
  "HDR-08": "the timestamp is after the parent's",
  "HDR-09": "the timestamp is not further ahead of the local clock than the drift allows",
  "HDR-10": "the difficulty is the one that the ancestors' timestamps demand",
  "HDR-11": "the parent is known",
  "HDR-12": "no ancestor is invalid",
  "HDR-13": "this node's operator has invalidated no ancestor",
  "HDR-14": "the branch leaves ours where this node has the blocks, or above",
  "BLK-01": "the body is the canonical encoding of a body",
  "BLK-02": "the body matches the header's transactions root",
  "BLK-03": "the serialized body is within the size limit",
  "BLK-04": "no transaction stands twice in the block",
  "BLK-05": "engine data is empty under proof of work",
  "TX-01": "the transaction is the canonical encoding of a transaction",
  "TX-02": "the transaction is for this chain",
  "TX-03": "the signature is a strict Ed25519 signature by the sender over the transaction id",
  "TX-04": "the amount is at least one base unit",
  "TX-05": "amount and fee together stay below 2^53",
  "TX-06": "the fee pays the minimum for the serialized bytes",
  "TX-07": "the transaction has not expired at the height",
  "TX-08": "the nonce is the sender's next",
  "TX-09": "the sender's balance covers amount and fee",
  "TX-10": "the fee covers the creation of the recipient's account",
  "STA-01": "the state root is the root of the state after the block",
} as const;

export type RuleCode = keyof typeof RULES;

/** Transient: may pass later, so nothing is marked and nobody is blamed. Permanent: never passes. */
export type Permanence = "permanent" | "transient";

export interface Refusal {
  readonly ok: false;
  readonly code: RuleCode;
  readonly permanence: Permanence;
  /** For people: the values that broke the rule. */
  readonly detail: string;
  /**
   * The body does not belong to the header. Blame whoever sent it; the block id is as good as before.
   */
  readonly mutated?: true;
}

export type Verdict = { readonly ok: true } | Refusal;

export const PASSED: Verdict = { ok: true };

export function refuse(code: RuleCode, detail: string): Refusal {
  return { ok: false, code, permanence: "permanent", detail };
}

export function refuseForNow(code: RuleCode, detail: string): Refusal {
  return { ok: false, code, permanence: "transient", detail };
}

export function refuseMutated(code: RuleCode, detail: string): Refusal {
  return { ok: false, code, permanence: "permanent", detail, mutated: true };
}
