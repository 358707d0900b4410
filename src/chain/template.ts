import {
  type ForkTree,
  nextDifficulty,
  type Refusal,
  type RuleCode,
  type TreeBlock,
  targetOf,
} from "../consensus/index.ts";
import {
  type AccountKey,
  createTransition,
  type Genesis,
  type Transition,
  touchedKeys,
} from "../ledger/index.ts";
import {
  type BlockBody,
  encodeBody,
  type HeaderCore,
  hexToBytes,
  MAX_BLOCK_TRANSACTIONS,
  rulesVersionAt,
  type SealedTransaction,
  type TxId,
  transactionsRoot,
  ZERO_32,
} from "../primitives/index.ts";
import type { LedgerState } from "./ledger-state.ts";

/** Serialized size of an empty body: two offsets. */
const EMPTY_BODY_BYTES = 8;
/** Each transaction costs its own bytes and an offset. */
const OFFSET_BYTES = 4;
/** Candidates whose accounts are fetched at a time: a block is often full long before the candidates end. */
const CANDIDATES_PER_FETCH = 1_024;
/** So many candidates that no longer fit, and the block counts as full: transactions differ by a few bytes only. */
const MAX_MISFITS = 16;
/**
 * Candidates tried for a block, at most. Without it, as many as a mempool holds that pay well and cannot be executed would
 * hold up the chain with every template; those tried are refused, so that the next template has others.
 */
const MAX_TRIED = 16_384;

export interface TemplateRequest {
  /** Public key that receives reward and fees. */
  readonly proposer: Uint8Array;
  /**
   * Called when the head cannot move any more, as what is pending belongs to it: chosen before, it might lack what a reorg
   * has just given back, and all that builds on that would seem impossible. In the order to be tried, and taken only as far
   * as the block has room; those that do not fit or cannot be executed are left out.
   */
  readonly candidates: () => Iterable<SealedTransaction>;
}

/** A block without its nonce. */
export interface Template {
  readonly core: HeaderCore;
  readonly body: BlockBody;
  /** The id must be below this, big-endian. */
  readonly target: Uint8Array;
  /** Candidates that this head cannot execute, whatever else is mined with them; none where the block got full first. */
  readonly refused: readonly { readonly txid: TxId; readonly rule: RuleCode; readonly detail: string }[];
}

interface TemplateDeps {
  readonly genesis: Genesis;
  readonly tree: ForkTree;
  readonly state: LedgerState;
  readonly head: TreeBlock;
  readonly nowMs: number;
}

/** A candidate that could not be executed yet. */
interface Waiting {
  readonly transaction: SealedTransaction;
  readonly verdict: Refusal;
}

/** Executes what it can of the candidates, in their order but for those that others have to make possible. */
async function choose(deps: TemplateDeps, request: TemplateRequest, transition: Transition) {
  const { maxBlockBytes } = deps.genesis.spec;
  const chosen: SealedTransaction[] = [];
  // Those that lack funds or an earlier nonce, in nonce order; and those that do not pay for creating their recipient.
  const bySender = new Map<AccountKey, Waiting[]>();
  const byRecipient = new Map<AccountKey, Waiting[]>();
  let sizeBytes = EMPTY_BODY_BYTES;
  let misfits = 0;

  /** Answers whether it went into the block. */
  function attempt(transaction: SealedTransaction): boolean {
    const grownBytes = sizeBytes + OFFSET_BYTES + transaction.bytes.length;
    if (grownBytes > maxBlockBytes) {
      misfits++;
      return false;
    }
    const verdict = transition.apply(transaction);
    if (verdict.ok) {
      chosen.push(transaction);
      sizeBytes = grownBytes;
      return true;
    }
    if (verdict.code === "TX-10") listOf(byRecipient, transaction.recipient).push({ transaction, verdict });
    else insertByNonce(listOf(bySender, transaction.sender), { transaction, verdict });
    return false;
  }

  /** What may be possible now. Of one sender only the first: the others wait for it. */
  function* enabledBy({ sender, recipient }: SealedTransaction): Generator<SealedTransaction> {
    for (const { transaction } of byRecipient.get(recipient) ?? []) yield transaction;
    byRecipient.delete(recipient);
    for (const key of new Set([recipient, sender])) {
      const first = bySender.get(key)?.shift();
      if (first !== undefined) yield first.transaction;
    }
  }

  const everyWaiting = (): Waiting[] => [...bySender.values(), ...byRecipient.values()].flat();
  const isFull = (): boolean => misfits >= MAX_MISFITS || chosen.length >= MAX_BLOCK_TRANSACTIONS;
  const candidates = request.candidates()[Symbol.iterator]();
  for (let tried = 0; tried < MAX_TRIED && !isFull(); tried += CANDIDATES_PER_FETCH) {
    const part = takeFrom(candidates, CANDIDATES_PER_FETCH);
    if (part.length === 0) break;
    const later = everyWaiting().map(({ transaction }) => transaction);
    await deps.state.prefetchProven(touchedKeys([...part, ...later], request.proposer));
    for (const candidate of part) {
      const queue = [candidate];
      for (let next = queue.pop(); next !== undefined && !isFull(); next = queue.pop()) {
        if (attempt(next)) queue.push(...enabledBy(next));
      }
    }
  }
  const gotFull = misfits > 0 || chosen.length >= MAX_BLOCK_TRANSACTIONS;
  return { chosen, refused: gotFull ? [] : everyWaiting() };
}

function takeFrom<T>(items: Iterator<T>, count: number): T[] {
  const taken: T[] = [];
  for (let next = items.next(); next.done !== true; next = items.next()) {
    if (taken.push(next.value) >= count) break;
  }
  return taken;
}

function listOf(lists: Map<AccountKey, Waiting[]>, key: AccountKey): Waiting[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function insertByNonce(list: Waiting[], waiting: Waiting): void {
  const { nonce } = waiting.transaction;
  const before = list.findLastIndex((other) => other.transaction.nonce < nonce);
  list.splice(before + 1, 0, waiting);
}

/**
 * Later than the parent, and than every child of it that the operator has invalidated: a child that is otherwise the same
 * would be that block again.
 */
function timestampMsFor({ tree, head, nowMs }: TemplateDeps): number {
  const children = tree.children(head.id).flatMap((id) => tree.get(id) ?? []);
  const invalidated = children.filter(({ mark }) => mark !== undefined);
  return Math.max(nowMs, ...[head, ...invalidated].map(({ timestampMs }) => timestampMs + 1));
}

export async function buildTemplate(deps: TemplateDeps, request: TemplateRequest): Promise<Template> {
  const { genesis, tree, state, head } = deps;
  const { spec, chainId } = genesis;
  const height = head.height + 1;
  await state.prefetchProven(touchedKeys([], request.proposer));
  const transition = createTransition(spec, state, state.totals, height);
  const { chosen, refused } = await choose(deps, request, transition);
  const change = transition.finish(request.proposer);
  const difficulty = nextDifficulty(spec, head, head.height === 0 ? undefined : tree.get(head.parent));
  const core: HeaderCore = {
    rulesVersion: rulesVersionAt(spec, height),
    chain: chainId,
    height,
    parent: hexToBytes(head.id),
    timestampMs: timestampMsFor(deps),
    transactionsRoot: transactionsRoot(chosen),
    stateRoot: (await state.prepare(change)).root,
    proposer: request.proposer,
    difficulty,
    engineRoot: ZERO_32,
    extra: ZERO_32,
  };
  return {
    core,
    body: encodeBody(chosen, new Uint8Array()),
    target: targetOf(difficulty),
    refused: refused.map(({ transaction: { txid }, verdict: { code, detail } }) => ({
      txid,
      rule: code,
      detail,
    })),
  };
}
